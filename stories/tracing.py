"""What leads to a record and what it leads to, from meetings to the tools that run."""

from collections.abc import Collection, Iterator

from django.db.models import Q
from django.utils.translation import gettext as _

from stories import evidence
from stories.models import Link, Record
from stories.pictures import Node

TRACE_AT_MOST, TRACE_STEPS, TRACE_TOOLS = 60, 4, 4
# From left to right in a trace: where it was said, who wants it, what does it, why, on what.
_COLUMNS = {"MT": 0, "AI": 0, "PE": 1, "UC": 1, "US": 2, "MS": 2, "DD": 3, "DR": 3, "FT": 4}
_COLUMNS |= {"RA": 5, "PC": 5, "UP": 4, "CL": 5, "UR": 5, "ST": 5}
_TOOL_COLUMN = 6


def trace(record: Record, line: str = "") -> tuple[list[Node], list[tuple[str, str]]]:
    """Records and tools, and which of them hang together; of a meeting, what cites `line`."""
    found, edges = _reach(record, line)
    known = evidence.latest(each.fields.get("metric", "") for each in found.values())
    nodes = [
        Node(each.ident, each.title, each.get_absolute_url(), _COLUMNS[each.kind])
        for each in sorted(found.values(), key=lambda each: (each.kind, each.number))
    ]
    tools: dict[str, Node] = {}
    for each in found.values():
        reading = known.get(each.fields.get("metric", ""))
        for name in list(reading.sample if reading else [])[:TRACE_TOOLS]:
            tools[name] = Node(name, str(_("tool")), f"/tools/{name}/", _TOOL_COLUMN)
            edges.append((each.ident, name))
    nodes += tools.values()
    return nodes, edges


def _reach(start: Record, line: str) -> tuple[dict[int, Record], list[tuple[str, str]]]:
    """Records to the left and to the right of one, by links and quotations.

    A way that leads left goes on to the left, so that it is a trace and not all that hangs
    together. Of a meeting, `line` picks what cites that line. Two queries for each step.
    """
    found = {start.pk: start}
    edges: dict[tuple[str, str], None] = {}
    # Records to go on from, with the direction: -1 left, 1 right, 0 both.
    front = {start.pk: 0}
    for _step in range(TRACE_STEPS):
        following: dict[int, int] = {}
        for here, there, anchor in _joined(front):
            way = _side(here, there)
            is_elsewhere = line and here == start and anchor != line
            if not way or front[here.pk] == -way or is_elsewhere:
                continue
            if there.pk not in found and len(found) < TRACE_AT_MOST:
                found[there.pk] = there
                following[there.pk] = way
            if there.pk in found:
                ends = (here.ident, there.ident)[::way]
                edges[ends[0], ends[1]] = None
        front = following
    return found, list(edges)


def _side(here: Record, there: Record) -> int:
    """Where a record stands seen from another: -1 left of it, 1 right, 0 in its column."""
    way = _COLUMNS[there.kind] - _COLUMNS[here.kind]
    return (way > 0) - (way < 0)


def _joined(pks: Collection[int]) -> Iterator[tuple[Record, Record, str]]:
    """From each of these records to each that it is linked with, quotes or is quoted by."""
    ends = Q(source__in=pks) | Q(target__in=pks)
    links = Link.objects.filter(ends).select_related("source", "target")
    pairs = [(link.source, link.target, link.anchor) for link in links]
    quoting = Record.objects.present().filter(Q(source__in=pks) | Q(pk__in=pks))
    quotes = [(each, each.source, each.anchor) for each in quoting.select_related("source")]
    pairs += [(each, source, anchor) for each, source, anchor in quotes if source]
    for source, target, anchor in pairs:
        if source.pk in pks:
            yield source, target, anchor
        if target.pk in pks:
            yield target, source, anchor
