"""Pictures as SVG, made on the server; their colours come from the page, so both themes fit."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from stories.cadence import Outlook, is_supported

SPARK_WIDTH, SPARK_HEIGHT = 160, 32
_NODE_WIDTH, _NODE_HEIGHT, _GAP_X, _GAP_Y = 190, 46, 60, 14


def sparkline(values: Sequence[float | None], label: str) -> SafeString:
    """A line of values over time; gaps are where nothing is known. Empty for fewer than two."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return SafeString()
    low, high = min(known), max(known)
    span = (high - low) or 1
    step = (SPARK_WIDTH - 4) / (len(values) - 1)
    path, is_down = [], False
    for place, value in enumerate(values):
        if value is None:
            is_down = False
            continue
        y = SPARK_HEIGHT - 3 - (value - low) / span * (SPARK_HEIGHT - 6)
        path.append(f"{'L' if is_down else 'M'}{2 + place * step:.1f} {y:.1f}")
        is_down = True
    return format_html(
        '<svg class="spark" role="img" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}">'
        '<path d="{}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>',
        label,
        SPARK_WIDTH,
        SPARK_HEIGHT,
        SPARK_WIDTH,
        SPARK_HEIGHT,
        " ".join(path),
    )


def _joined(parts: Iterable[SafeString]) -> SafeString:
    return format_html_join("", "{}", ((part,) for part in parts))


def timeline(outlook: Outlook, end: date) -> SafeString:
    """Which release runs when, and whether upstream still supports it then."""
    start = outlook.steps[0].on
    days = max(1, (end - start).days)
    width, height, top = 760, 96, 28
    bars = []
    for place, step in enumerate(outlook.steps):
        until = outlook.steps[place + 1].on if place + 1 < len(outlook.steps) else end
        x = (step.on - start).days / days * width
        size = (until - step.on).days / days * width
        supported = 0.0
        if step.release.end_of_life is None:
            supported = size
        elif is_supported(step.release, step.on):
            last = min(until, step.release.end_of_life)
            supported = (last - step.on).days / days * width
        bars.append((x, size, supported, step.release.name))
    parts = _joined(
        format_html(
            '<rect class="late" x="{}" y="{}" width="{}" height="34"/>'
            '<rect class="fine" x="{}" y="{}" width="{}" height="34"/>'
            '<line x1="{}" x2="{}" y1="24" y2="66" stroke="currentColor"/>'
            '<text x="{}" y="20">{}</text>',
            f"{x:.1f}",
            top,
            f"{size:.1f}",
            f"{x:.1f}",
            top,
            f"{fine:.1f}",
            f"{x:.1f}",
            f"{x:.1f}",
            f"{x + 3:.1f}",
            name,
        )
        for x, size, fine, name in bars
    )
    label = _("From %(start)s to %(end)s: supported on %(share)d %% of the days.") % {
        "start": start,
        "end": end,
        "share": round(outlook.supported_share * 100),
    }
    return format_html(
        '<svg class="timeline" role="img" aria-label="{}" viewBox="0 0 {} {}">{}'
        '<text x="0" y="88">{}</text><text x="{}" y="88" text-anchor="end">{}</text></svg>',
        label,
        width,
        height,
        parts,
        start,
        width,
        end,
    )


@dataclass(frozen=True)
class Node:
    """A box of a graph. `column` counts from the left."""

    key: str
    title: str
    url: str
    column: int


def graph(nodes: Sequence[Node], edges: Sequence[tuple[str, str]], label: str) -> SafeString:
    """Boxes in columns with lines between them; each box is a link."""
    columns: dict[int, list[Node]] = defaultdict(list)
    for node in nodes:
        columns[node.column].append(node)
    place: dict[str, tuple[float, float]] = {}
    tallest = max(map(len, columns.values()), default=0)
    for number, column in enumerate(sorted(columns)):
        offset = (tallest - len(columns[column])) * (_NODE_HEIGHT + _GAP_Y) / 2
        for row, node in enumerate(columns[column]):
            x = number * (_NODE_WIDTH + _GAP_X)
            place[node.key] = (x, offset + row * (_NODE_HEIGHT + _GAP_Y))
    lines = _joined(_edge(place[a], place[b]) for a, b in edges if a in place and b in place)
    boxes = _joined(_box(node, *place[node.key]) for node in nodes)
    width = max(1, len(columns) * (_NODE_WIDTH + _GAP_X) - _GAP_X)
    height = max(1, tallest * (_NODE_HEIGHT + _GAP_Y))
    return format_html(
        '<svg class="graph" role="group" aria-label="{}" viewBox="-2 -2 {} {}" '
        'width="{}" height="{}">{}{}</svg>',
        label,
        width + 4,
        height + 4,
        width + 4,
        height + 4,
        lines,
        boxes,
    )


def _edge(start: tuple[float, float], end: tuple[float, float]) -> SafeString:
    if start[0] > end[0]:
        start, end = end, start
    x, y = start[0] + _NODE_WIDTH, start[1] + _NODE_HEIGHT / 2
    if start[0] == end[0]:
        x = start[0] + _NODE_WIDTH
        bend = x + _GAP_X / 2
        y2 = end[1] + _NODE_HEIGHT / 2
        path = f"M{x} {y} C{bend} {y} {bend} {y2} {x} {y2}"
    else:
        middle, y2 = (x + end[0]) / 2, end[1] + _NODE_HEIGHT / 2
        path = f"M{x} {y} C{middle} {y} {middle} {y2} {end[0]} {y2}"
    return format_html('<path d="{}" fill="none"/>', path)


def _box(node: Node, x: float, y: float) -> SafeString:
    title = node.title if len(node.title) < 29 else node.title[:27] + "…"
    return format_html(
        '<a href="{}"><title>{} {}</title><rect x="{}" y="{}" width="{}" height="{}" rx="2"/>'
        '<text x="{}" y="{}" class="key">{}</text><text x="{}" y="{}">{}</text></a>',
        node.url,
        node.key,
        node.title,
        x,
        y,
        _NODE_WIDTH,
        _NODE_HEIGHT,
        x + 8,
        y + 18,
        node.key,
        x + 8,
        y + 36,
        title,
    )
