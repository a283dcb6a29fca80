"""The history as a file to take along."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from portal.accounts.models import User
from portal.tools.audit import as_csv, as_json_lines, as_row
from portal.tools.models import AuditEvent

EXPORT_AT_MOST = 20_000


@dataclass(frozen=True)
class Format:
    content_type: str
    write: Callable[[Iterable[Mapping[str, Any]]], str]


FORMATS = {
    "csv": Format("text/csv", as_csv),
    "jsonl": Format("application/x-ndjson", as_json_lines),
}


def export(
    events: QuerySet[AuditEvent, AuditEvent], request: HttpRequest, *, reader: User
) -> HttpResponse:
    """The newest of `events` in the format that the request asks for; `Link` leads to the rest."""
    name = request.GET.get("as", "")
    form = FORMATS.get(name, FORMATS["csv"])
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit():
        events = events.filter(pk__lt=before[:18])
    found = list(events.select_related("tool")[: EXPORT_AT_MOST + 1])
    shown = found[:EXPORT_AT_MOST]
    response = HttpResponse(
        form.write(as_row(event, reader) for event in shown),
        content_type=f"{form.content_type}; charset=utf-8",
    )
    ending = name if name in FORMATS else "csv"
    response.headers["Content-Disposition"] = f'attachment; filename="audit.{ending}"'
    if len(found) > len(shown):
        rest = request.GET.copy()
        rest["before"] = str(shown[-1].pk)
        response.headers["Link"] = f'<{request.path}?{rest.urlencode()}>; rel="next"'
    return response
