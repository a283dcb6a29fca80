"""The list of all records of a kind, with its filters; also as CSV and JSON."""

import csv
import json
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from portal.accounts.permissions import requires
from stories import filtering
from stories.checks import CHECKS
from stories.filters import Filter, filters_of
from stories.kinds import BY_SLUG, DATE, Kind
from stories.models import Flag, Record, SavedView
from stories.roles import may, may_create

PAGE_SIZE = 50
EXPORTED_AT_MOST = 100_000
Writer = Callable[[Kind, "QuerySet[Record]"], HttpResponse]


@requires("public")
@require_GET
def records(request: HttpRequest, slug: str) -> HttpResponse:
    """A list of one kind with filters in the address; also as CSV and JSON."""
    kind, asked = kind_at(slug), dict(request.GET.lists())
    if request.GET.get("format") in EXPORTS:
        return _export(kind, asked, EXPORTS[request.GET["format"]])
    context = shown(request, kind, asked)
    template = "_record_rows.html" if "HX-Request" in request.headers else "record_list.html"
    return render(request, f"stories/{template}", context)


def kind_at(slug: str) -> Kind:
    if slug not in BY_SLUG:
        raise Http404
    return BY_SLUG[slug]


def _export(kind: Kind, asked: filtering.Asked, write: Writer) -> HttpResponse:
    """The whole list as a file; none for a broken filter, for no file says what was left out."""
    filters, wrong = filtering.read(kind, asked)
    if broken := [each.sentence for each in wrong if each.code == "broken-filter"]:
        return HttpResponse(" ".join(broken), status=400, content_type="text/plain; charset=utf-8")
    return write(kind, filtering.apply(_present(kind), kind, filters)[:EXPORTED_AT_MOST])


def shown(request: HttpRequest, kind: Kind, asked: filtering.Asked) -> dict[str, Any]:
    """What the page of a list shows; what was asked stays in its form, also what is wrong."""
    filters, wrong = filtering.read(kind, asked)
    broken = {each.field: each.sentence for each in wrong if each.code == "broken-filter"}
    typed = {name: " ".join(values[0].split()) for name, values in asked.items() if values}
    controls = _controls(kind, typed, broken)
    more = [each for each in controls if not each.filter.choices]
    flags = Flag.objects.filter(record=OuterRef("pk"), cleared_at=None)
    found = filtering.apply(_present(kind), kind, filters).annotate(is_flagged=Exists(flags))
    return {
        "kind": kind,
        "page": Paginator(found, PAGE_SIZE).get_page(request.GET.get("page")),
        "choices": [each for each in controls if each.filter.choices],
        "more": more,
        "is_more_asked": any(each.value for each in more),
        "asked": typed,
        "wrong": list(broken.values()),
        "query": urlencode(filters, doseq=True),
        "checks": list(CHECKS.values()),
        "can_create": may_create(request.user, kind.prefix),
        "can_share": may(request.user, "contributor"),
        "saved_views": SavedView.objects.shown_to(request.user).filter(kind=kind.prefix),
    }


def _present(kind: Kind) -> QuerySet[Record]:
    return Record.objects.present().filter(kind=kind.prefix).select_related("status_by")


@dataclass(frozen=True)
class Control:
    """A filter of a field as the form shows it."""

    filter: Filter
    value: str
    is_wrong: bool

    @property
    def type(self) -> str:
        """Browsers show no day in the control for days that is none; it has to be seen, though."""
        return "date" if self.filter.type == DATE and not self.is_wrong else "text"


def _controls(kind: Kind, typed: Mapping[str, str], broken: Container[str]) -> list[Control]:
    return [
        Control(each, typed.get(each.name, ""), each.name in broken)
        for each in filters_of(kind).values()
        if each.field or each.column
    ]


def _csv(kind: Kind, found: QuerySet[Record]) -> HttpResponse:
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{kind.slug}.csv"'
    writer = csv.writer(response)
    names = [each.name for each in kind.all_fields]
    writer.writerow(["ident", "title", "status", *names])
    for record in found:
        cells = [record.ident, record.title, record.status]
        cells += [_cell(record.fields.get(name)) for name in names]
        writer.writerow([harmless(str(cell)) for cell in cells])
    return response


def _json(kind: Kind, found: QuerySet[Record]) -> HttpResponse:
    whole = found.select_related("superseded_by", "merged_into", "source")
    rows = whole.prefetch_related("links__target").iterator(chunk_size=1000)
    listed = [each.snapshot(each.links.all()) for each in rows]
    return JsonResponse({"records": listed}, json_dumps_params={"ensure_ascii": False})


EXPORTS: Mapping[str, Writer] = {"csv": _csv, "json": _json}


def _cell(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return "" if value is None else str(value)


def harmless(cell: str) -> str:
    """No spreadsheet takes it for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
