"""The whole catalogue as a static site: pages with links and graphs that work without a server."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from django.conf import settings
from django.template.loader import render_to_string

from stories import boards, presentation
from stories.checks import CHECKS
from stories.kinds import KINDS
from stories.models import Flag, Record

_RECORD = re.compile(r'href="/r/([A-Z]{2}-\d+)(?:/[^"#]*)?(#[^"]*)?"')
_TOOL = re.compile(r'href="/tools/[^"]*"')
STYLES = ("vendor/codex/tokens.css", "vendor/codex/tokens-dark.css", "css/portal.css")


def export_site(directory: Path) -> int:
    """Write the site below `directory`; returns how many pages there are."""
    directory.mkdir(parents=True, exist_ok=True)
    flags: dict[int, list[Flag]] = {}
    for flag in Flag.objects.filter(cleared_at=None, code__in=CHECKS).select_related("record"):
        flags.setdefault(flag.record_id, []).append(flag)
    records = list(Record.objects.present().select_related("source", "superseded_by"))
    pages = {"index.html": _index(records), "findings.html": _findings(flags.values())}
    for record in records:
        shown = [(flag, CHECKS[flag.code]) for flag in flags.get(record.pk, [])]
        pages[f"{record.ident}.html"] = _record(record, shown)
    for name, text in pages.items():
        (directory / name).write_text(text)
    for style in STYLES:
        source = settings.BASE_DIR / "static" / style
        if source.is_file():
            (directory / source.name).write_bytes(source.read_bytes())
    return len(pages)


def _index(records: Sequence[Record]) -> str:
    kinds = ((kind, [each for each in records if each.kind_of == kind]) for kind in KINDS.values())
    return _page("index", kinds=[each for each in kinds if each[1]])


def _findings(flags: Iterable[Iterable[Flag]]) -> str:
    found = [flag for some in flags for flag in some]
    groups = (
        (check, [flag for flag in found if flag.code == code]) for code, check in CHECKS.items()
    )
    return _page("findings", groups=[each for each in groups if each[1]])


def _record(record: Record, flags: object) -> str:
    picture = boards.trace_of(record)
    return _page(
        "record",
        record=record,
        kind=record.kind_of,
        sections=presentation.sections(record.kind_of, record.fields),
        relations=presentation.relations(record),
        topics=record.fields.get("notes") if record.kind == "MT" else None,
        flags=flags,
        picture=picture,
    )


def _page(template: str, **context: object) -> str:
    html: str = render_to_string(f"stories/site/{template}.html", context)
    html = _RECORD.sub(lambda match: f'href="{match[1]}.html{match[2] or ""}"', html)
    return _TOOL.sub('href="index.html"', html)
