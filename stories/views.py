"""Pages that show a record: as it is, as it was, its history and its discussion."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from portal.accounts.models import User
from portal.accounts.permissions import requires
from portal.tools.models import Tool
from stories import evidence, figures, guards, operations, past, presentation
from stories.checks import CHECKS, outlooks
from stories.kinds import INVERSES, KINDS, LINK_TYPES, Label
from stories.models import Comment, Flag, Record, Review, Watch
from stories.roles import may, may_edit

PAGE_SIZE = 50


def find(ident: str) -> Record:
    """The record of that ident, 404 if there is none. Tombstones are found too."""
    return get_object_or_404(
        Record.objects.select_related(
            "superseded_by", "merged_into", "source", "status_by", "created_by"
        ).by_ident(ident)
    )


@requires("public")
@require_GET
def record_page(request: HttpRequest, ident: str, slug: str = "") -> HttpResponse:
    """A record as it is, or as it was at the end of the day `?at=`."""
    record = find(ident)
    if record.merged_into:
        messages.info(request, _("%(old)s was merged into this one.") % {"old": record.ident})
        return redirect(record.merged_into)
    if request.GET.get("at"):
        return _as_of(request, record, request.GET["at"])
    now = timezone.now()
    context = {
        **head(request, record, "record"),
        "sections": presentation.sections(record.kind_of, record.fields),
        "relations": presentation.relations(record),
        "flags": _flags(record),
        "moves": _moves(request, record, now),
        "supports": list(record.supports.select_related("user", "tool")),
        "link_types": _link_types(record),
        "evidence": figures.proof(record, now),
        "effects": figures.effects(record, now),
        "use": figures.use(record, now),
        "outlooks": figures.outlooks(outlooks(record, now) if record.kind == "UP" else ()),
        "minutes": list(record.minutes.all()) if record.kind == "MT" else [],
        "cited": _cited_lines(record),
        "my_tools": _tools_of(request),
        "embedded": _embedded(record),
    }
    return render(request, "stories/record.html", context)


def _tools_of(request: HttpRequest) -> list[Tool]:
    return list(evidence.tools_of(request.user)) if isinstance(request.user, User) else []


def _watch_level(request: HttpRequest, record: Record) -> str:
    user = request.user
    return operations.watch_level(record, user) if isinstance(user, User) else ""


def head(request: HttpRequest, record: Record, tab: str) -> dict[str, Any]:
    """What the head of every page of a record needs."""
    user = request.user
    return {
        "record": record,
        "kind": record.kind_of,
        "tab": tab,
        "can_edit": may_edit(user, record),
        "can_contribute": may(user, "contributor"),
        "can_lead": may(user, "lead"),
        "watch_level": _watch_level(request, record),
        "watch_levels": Watch.Level.choices,
    }


def _as_of(request: HttpRequest, record: Record, day: str) -> HttpResponse:
    try:
        on = parse_date(day)
    except ValueError:
        on = None
    if on is None:
        messages.error(request, _("Write the day as 2026-12-31."))
        return redirect(record)
    then = past.look(record, past.end_of(on))
    context = head(request, record, "record") | {"on": on, "past": then}
    if then and then.record:
        context |= {
            "sections": presentation.sections(record.kind_of, then.record.fields),
            "flags": _known(then.flags),
            "evidence": figures.proof(then.record, then.moment),
            "effects": figures.effects(then.record, then.moment),
            "use": figures.use(then.record, then.moment),
            "outlooks": figures.outlooks(past.outlooks(then)),
            "cited": {},
        }
    return render(request, "stories/record_as_of.html", context)


def _flags(record: Record) -> list[dict[str, Any]]:
    return _known(Flag.objects.filter(record=record, cleared_at=None))


def _known(flags: Iterable[Flag]) -> list[dict[str, Any]]:
    return [{"flag": flag, "check": CHECKS[flag.code]} for flag in flags if flag.code in CHECKS]


def _moves(request: HttpRequest, record: Record, now: datetime) -> list[dict[str, Any]]:
    """The moves from here with what is missing for each, so that nobody has to try."""
    found = []
    by = request.user if isinstance(request.user, User) else None
    for move, missing in operations.possible_moves(record, by=by, at=now):
        found.append(
            {
                "move": move,
                "label": record.kind_of.statuses[move.to],
                "missing": missing,
                "is_allowed": guards.may_move(request.user, record, move),
                "can_override": bool(missing)
                and may(request.user, "lead")
                and {each.code for each in missing} <= {"open-concern", "still-used"},
            }
        )
    return found


def _link_types(record: Record) -> list[tuple[str, Label]]:
    """Relations that may lead from this record, by either name."""
    kind = record.kind
    out = [
        (each.name, each.label)
        for each in LINK_TYPES.values()
        if any(each.allows(kind, target) for target in KINDS)
    ]
    back = [
        (each.inverse, each.inverse_label)
        for each in INVERSES.values()
        if any(each.allows(source, kind) for source in KINDS) and not each.any_kinds
    ]
    return out + back


def _cited_lines(record: Record) -> dict[str, list[Record]]:
    """Which records cite which line of a meeting."""
    if record.kind != "MT":
        return {}
    cited: dict[str, list[Record]] = {}
    for quoting in record.quoted_by.exclude(anchor="").order_by("kind", "number"):
        cited.setdefault(quoting.anchor, []).append(quoting)
    return cited


def _embedded(record: Record) -> dict[str, Record]:
    """Records that a design doc shows in its sections."""
    idents = [row["record"] for row in record.fields.get("sections", []) if row.get("record")]
    found = (Record.objects.by_ident(ident).first() for ident in idents[:50])
    return {each.ident: each for each in found if each}


@requires("public")
@require_GET
def record_history(request: HttpRequest, ident: str) -> HttpResponse:
    record = find(ident)
    revisions = record.revisions.select_related("author", "patrolled_by").defer("stored")
    page = Paginator(revisions, PAGE_SIZE).get_page(request.GET.get("page"))
    context = head(request, record, "history") | {"revisions": page}
    context["old_flags"] = [
        {"flag": flag, "check": CHECKS.get(flag.code)}
        for flag in record.flags.order_by("-raised_at")[:PAGE_SIZE]
    ]
    return render(request, "stories/history.html", context)


@requires("public")
@require_GET
def record_diff(request: HttpRequest, ident: str) -> HttpResponse:
    """What changed from one version to another; without numbers, in the newest."""
    record = find(ident)
    numbers = [request.GET.get(name, "") for name in ("from", "to")]
    to = int(numbers[1]) if numbers[1].isdecimal() else record.version
    start = int(numbers[0]) if numbers[0].isdecimal() else to - 1
    found = {each.number: each for each in record.revisions.filter(number__in=[start, to])}
    if to not in found:
        raise Http404
    parts: list[Any] = []
    if not any(each.withheld for each in found.values()):
        before: Mapping[str, Any] = found[start].snapshot if start in found else {}
        parts = presentation.diff(record.kind_of, before, found[to].snapshot)
    context = head(request, record, "history")
    context |= {"parts": parts, "before": found.get(start), "after": found[to]}
    return render(request, "stories/diff.html", context)


@requires("public")
@require_GET
def record_discussion(request: HttpRequest, ident: str) -> HttpResponse:
    return render(request, "stories/discussion.html", discussion(request, find(ident)))


def discussion(request: HttpRequest, record: Record) -> dict[str, Any]:
    """What the page of a discussion shows."""
    rounds = record.rounds.prefetch_related("reviews__reviewer")
    comments = record.comments.select_related("author", "resolved_by")
    return head(request, record, "discussion") | {
        "comments": list(comments.prefetch_related("mentioned")),
        "kinds": Comment.Kind.choices,
        "rounds": list(rounds),
        "verdicts": Review.Verdict.choices,
        "fields": record.kind_of.all_fields,
        "can_review": may(request.user, "reviewer") and record.status == "in_review",
    }


@requires("public")
@require_GET
def record_drop(request: HttpRequest, ident: str) -> HttpResponse:
    """Whom it would meet if this feature went; as a table, or as CSV for notices."""
    record = find(ident)
    if record.kind != "FT":
        raise Http404
    metric = record.fields["metric"]
    affected = evidence.affected(metric, timezone.now())
    if request.GET.get("format") == "csv":
        lines = ["tool,maintainers"]
        lines += [f"{each.tool.name},{_csv(' '.join(each.maintainers))}" for each in affected]
        response = HttpResponse("\n".join(lines) + "\n", content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{record.ident}-tools.csv"'
        return response
    context = head(request, record, "drop") | {
        "affected": affected,
        "people": sorted({name for each in affected for name in each.maintainers}),
        "relations": presentation.relations(record),
        "metric": evidence.METRICS.get(metric),
    }
    return render(request, "stories/drop.html", context)


def _csv(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    safe = f"'{text}" if text[:1] in "=+-@\t\r" and text else text
    return '"' + safe.replace('"', '""') + '"'
