"""What templates need to show records, and why a feature is there wherever it is met."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import template
from django.utils import timezone
from django.utils.safestring import SafeString

from portal.tools.models import Tool
from stories import evidence
from stories.kinds import ACTION, DECISION, FEATURE, RATIONALE, STORY, Kind, Label
from stories.mentions import marked
from stories.models import Comment, Link, Record, Support
from stories.presentation import Section

register = template.Library()


@register.filter
def anchor(topic: int, line: int) -> str:
    return f"t{topic}.l{line}"


@register.filter
def of_line(cited: Mapping[str, Sequence[Record]] | None, anchor: str) -> Sequence[Record]:
    return (cited or {}).get(anchor, ())


@register.filter
def short(sections: Iterable[Section] | None) -> list[Section]:
    """Those that a list of facts can hold; the metric has a place of its own."""
    return [each for each in sections or () if each.is_short and each.field.name != "metric"]


@register.filter
def long(sections: Iterable[Section] | None) -> list[Section]:
    return [each for each in sections or () if not each.is_short]


@register.filter
def item(mapping: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401
    return mapping.get(name, "")


@register.filter
def line_kinds(kind: Kind) -> list[tuple[str, Label]]:
    """What a line of a meeting can be made into."""
    return [(each.slug, each.name) for each in (STORY, RATIONALE, DECISION, ACTION, FEATURE)]


@register.filter
def tools_count(supports: Iterable[Support]) -> int:
    return len({each.tool_id for each in supports if each.tool_id})


@register.filter
def said(comment: Comment) -> SafeString:
    """What a comment says, as HTML; those whom it mentions stand out."""
    return marked(comment.body, {each.username for each in comment.mentioned.all()})


@register.inclusion_tag("stories/_why.html")
def why(tool: Tool) -> dict[str, Any]:
    """The features that a tool is counted for, each with its rationale."""
    names = evidence.metrics_of(tool, timezone.now())
    features = Record.objects.undone().filter(kind="FT", fields__metric__in=sorted(names))
    reasons: dict[int, Record] = {}
    links = Link.objects.filter(type="justified_by", source__in=features)
    for link in links.select_related("target").order_by("is_agreed"):
        reasons[link.source_id] = link.target
    return {"features": [{"feature": each, "why": reasons.get(each.pk)} for each in features]}
