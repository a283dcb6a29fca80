"""Records as pages show them: sections, links by relation, and differences between revisions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from django.utils.translation import gettext as _

from stories import kinds
from stories.kinds import KINDS, LINK_TYPES, Field, Kind, Label
from stories.models import Link, Record
from stories.schema import join_line
from stories.text import render


@dataclass(frozen=True)
class Section:
    """A field that says something. `value` is HTML for prose, else what the template shows."""

    field: Field
    value: Any
    rows: Sequence[Sequence[tuple[Field, Any]]] = ()
    columns: Sequence[Field] = ()

    @property
    def is_short(self) -> bool:
        """Whether it can stand in a list of facts."""
        return self.field.type not in (kinds.PROSE, kinds.LINES, kinds.ROWS, kinds.TOPICS)


def sections(kind: Kind, fields: Mapping[str, Any]) -> list[Section]:
    found = []
    for field in kind.all_fields:
        value = fields.get(field.name, field.empty)
        if value == field.empty:
            continue
        if field.type == kinds.ROWS:
            used = [each for each in field.columns if any(row.get(each.name) for row in value)]
            rows = [[(each, shown(each, row.get(each.name))) for each in used] for row in value]
            found.append(Section(field, value, rows, used))
        else:
            found.append(Section(field, shown(field, value)))
    return found


def shown(field: Field, value: Any) -> Any:  # noqa: ANN401
    """A value as the reader sees it."""
    if value in ("", None, []):
        return ""
    if field.type == kinds.PROSE:
        return render(value)
    if field.type == kinds.CHOICE:
        return str(dict(field.choices).get(value, value))
    return value


@dataclass(frozen=True)
class Relation:
    """Links under one name, seen from one record: (link, record at the other end)."""

    label: Label
    links: Sequence[tuple[Link, Record]]


def relations(record: Record) -> list[Relation]:
    """All links of a record, both ways, in two queries."""
    groups: dict[Any, list[tuple[Link, Record]]] = {}
    for link in record.links.select_related("target"):
        groups.setdefault(str(link.link_type.label), []).append((link, link.target))
    for link in record.backlinks.select_related("source"):
        groups.setdefault(str(link.link_type.inverse_label), []).append((link, link.source))
    return [Relation(label, links) for label, links in sorted(groups.items())]


def as_lines(field: Field, value: Any) -> list[str]:  # noqa: ANN401
    """A value as lines that can be compared."""
    if value in (None, "", []):
        return []
    if field.type == kinds.LINES:
        return list(value)
    if field.type == kinds.ROWS:
        return _row_lines(field, value)
    if field.type == kinds.TOPICS:
        return [
            line
            for topic in value
            for line in [f"# {topic['title']}", *(join_line(each) for each in topic["lines"])]
        ]
    if field.type == kinds.FLAG:
        return [str(_("yes"))] if value else []
    return str(value).split("\n")


def _row_lines(field: Field, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each value, an empty one between rows."""
    lines: list[str] = []
    for row in rows:
        for column in field.columns:
            said = as_lines(column, row.get(column.name))
            lines += [f"{column.label}: {line}" for line in said]
        lines.append("")
    return lines[:-1]


@dataclass(frozen=True)
class DiffLine:
    """Two lines beside each other, as pieces of text with whether the piece changed."""

    before: Sequence[tuple[str, bool]]
    after: Sequence[tuple[str, bool]]
    is_same: bool


@dataclass(frozen=True)
class DiffPart:
    label: Label
    lines: Sequence[DiffLine]


CONTEXT = 2


def diff(kind: Kind, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[DiffPart]:
    """What changed between two snapshots, field by field."""
    parts = []
    labels = {
        "title": kind.title_label,
        "status": _("Status"),
        "status_reason": _("Reason"),
        "quote": _("Quotation"),
    }
    for name, label in labels.items():
        parts.append(_part(label, [before.get(name) or ""], [after.get(name) or ""]))
    for field in kind.all_fields:
        old, new = before.get("fields", {}).get(field.name), after["fields"].get(field.name)
        parts.append(_part(field.label, as_lines(field, old), as_lines(field, new)))
    old_links = [_link_line(link) for link in before.get("links", [])]
    parts.append(_part(_("Links"), old_links, [_link_line(link) for link in after["links"]]))
    return [part for part in parts if part]


def _link_line(link: Mapping[str, str]) -> str:
    kind = LINK_TYPES.get(link["type"])
    words = [str(kind.label) if kind else link["type"], link["to"], link.get("anchor", "")]
    return " ".join(word for word in words if word)


def _part(label: Label, before: Sequence[str], after: Sequence[str]) -> Any:  # noqa: ANN401
    if list(before) == list(after):
        return None
    lines: list[DiffLine] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for group in matcher.get_grouped_opcodes(CONTEXT):
        for tag, i, j, k, m in group:
            if tag == "equal":
                lines += [DiffLine([(x, False)], [(x, False)], True) for x in before[i:j]]
            else:
                lines += _changed(before[i:j], after[k:m])
    return DiffPart(label, lines)


def _changed(before: Sequence[str], after: Sequence[str]) -> list[DiffLine]:
    lines = []
    for place in range(max(len(before), len(after))):
        old = before[place] if place < len(before) else ""
        new = after[place] if place < len(after) else ""
        lines.append(DiffLine(*_pieces(old, new), False))
    return lines


def _pieces(old: str, new: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Both lines in pieces by words."""
    old_words, new_words = re.findall(r"\s+|[^\s]+", old), re.findall(r"\s+|[^\s]+", new)
    left, right = [], []
    matcher = SequenceMatcher(None, old_words, new_words, autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        left.append(("".join(old_words[i:j]), tag != "equal"))
        right.append(("".join(new_words[k:m]), tag != "equal"))
    return [each for each in left if each[0]], [each for each in right if each[0]]


def kind_of_ident(ident: str) -> Kind:
    return KINDS[ident.split("-")[0]]
