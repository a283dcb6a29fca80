"""Pages over many records: search, findings, the coverage matrix, traces."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.accounts.models import User
from portal.accounts.permissions import MemberRequest, requires
from stories import evidence, integrity, pictures, search, tracing
from stories.checks import CHECKS, Severity
from stories.decisions import to_madr, to_wikitext
from stories.kinds import KINDS, split_ident
from stories.listing import harmless
from stories.models import Baseline, Flag, Link, Notification, Record, Revision
from stories.operations import Refused, mark_read, name_baseline
from stories.pictures import Node
from stories.roles import may
from stories.views import find, head

PAGE_SIZE = 50
RECENT = 12
MATRIX_AT_MOST = 200


@requires("public")
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Where the records stand: what is missing, what is asked, what changed."""
    kinds = Counter(
        dict(Record.objects.present().values_list("kind").annotate(n=Count("pk")).order_by())
    )
    open_flags = Flag.objects.filter(cleared_at=None)
    questions = Record.objects.present().filter(kind="RA", status="question")
    context = {
        "kinds": [(kind, kinds.get(kind.prefix, 0)) for kind in KINDS.values()],
        "findings": open_flags.count(),
        "contradictions": open_flags.filter(
            code__in=[check.code for check in CHECKS.values() if check.severity != Severity.GAP]
        ).count(),
        "questions": questions.order_by("number")[:RECENT],
        "changes": _recent(),
        "can_contribute": may(request.user, "contributor"),
    }
    return render(request, "stories/home.html", context)


def _recent() -> list[Revision]:
    revisions = Revision.objects.select_related("record", "author").defer("stored")
    return list(revisions.order_by("-at", "-pk")[:RECENT])


@requires("public")
@require_GET
def find_records(request: HttpRequest) -> HttpResponse:
    """Search; an ident typed as it is leads straight to its record."""
    text = request.GET.get("q", "").strip()
    if split_ident(text) and (record := Record.objects.by_ident(text).first()):
        return redirect(record)
    kind = request.GET.get("kind", "")
    hits = search.hits(text, kind=kind if kind in KINDS else "")
    context = {
        "text": text,
        "kind": kind,
        "kinds": KINDS.values(),
        "hits": [(hit.record, _marked(hit.snippet)) for hit in hits[:PAGE_SIZE]],
        "more": max(0, len(hits) - PAGE_SIZE),
    }
    return render(request, "stories/search.html", context)


def _marked(snippet: str) -> SafeString:
    """The words that were found in <mark>; everything else escaped."""
    pieces: list[tuple[SafeString | str, str, SafeString | str]] = []
    for place, part in enumerate(snippet.split(search.START)):
        found, end, rest = part.partition(search.END)
        if place and end:
            pieces.append((SafeString("<mark>"), found, SafeString("</mark>")))
            pieces.append(("", rest, ""))
        else:
            pieces.append(("", part, ""))
    return format_html_join("", "{}{}{}", pieces)


@requires("public")
@require_GET
def findings(request: HttpRequest) -> HttpResponse:
    """What does not fit together, by kind of finding."""
    flags = Flag.objects.filter(cleared_at=None).select_related("record")
    counts = Counter(flags.values_list("code", flat=True))
    shown = request.GET.get("code", "")
    groups: list[dict[str, Any]] = []
    for check in CHECKS.values():
        if counts[check.code] and shown in ("", check.code):
            limit = PAGE_SIZE * 10 if shown else PAGE_SIZE
            found = flags.filter(code=check.code).order_by("record__kind", "record__number")
            groups.append(
                {"check": check, "count": counts[check.code], "flags": list(found[:limit])}
            )
    groups.sort(key=lambda group: (_is_damage(group), group["count"]), reverse=True)
    context = {
        "groups": groups,
        "total": sum(counts.values()),
        "kinds": sum(1 for check in CHECKS if counts[check]),
        "shown": shown,
        "integrity": integrity.state() if may(request.user, "lead") else None,
    }
    return render(request, "stories/findings.html", context)


def _is_damage(group: Mapping[str, Any]) -> bool:
    return bool(group["check"].severity == Severity.DAMAGE)


@requires("public")
@require_GET
def questions(request: HttpRequest) -> HttpResponse:
    """Rationales that are honest questions, with who looks for the answer."""
    asked = Record.objects.present().filter(kind="RA", status="question").order_by("number")
    about: dict[int, list[Record]] = {}
    links = Link.objects.filter(type="justified_by", target__in=asked).select_related("source")
    for link in links:
        about.setdefault(link.target_id, []).append(link.source)
    rows = [(record, about.get(record.pk, [])) for record in asked[: PAGE_SIZE * 4]]
    return render(request, "stories/questions.html", {"rows": rows})


@requires("public")
@require_GET
def matrix(request: HttpRequest) -> HttpResponse:
    """Stories by features, with how many tools use each feature; empty rows are work to do."""
    stories = Record.objects.undone().filter(kind="US").order_by("number")
    features = Record.objects.undone().filter(kind="FT").order_by("number")
    if request.GET.get("status"):
        stories = stories.filter(status=request.GET["status"])
    if request.GET.get("gaps"):
        stories = stories.unlinked("implemented_by")
    columns = list(features[:MATRIX_AT_MOST])
    if request.GET.get("format") == "csv":
        return _matrix_csv(list(stories), columns)
    page = Paginator(stories, PAGE_SIZE).get_page(request.GET.get("page"))
    rows = list(page.object_list)
    cells = set(
        Link.objects.filter(type="implemented_by", source__in=rows, target__in=columns).values_list(
            "source_id", "target_id"
        )
    )
    known = evidence.latest(each.fields["metric"] for each in columns)
    linked = {pk for cell in cells for pk in cell}
    context = {
        "page": page,
        "columns": [
            (each, known.get(each.fields["metric"]), each.pk in linked) for each in columns
        ],
        "rows": [
            {
                "story": story,
                "cells": [(each, (story.pk, each.pk) in cells) for each in columns],
                "is_empty": story.pk not in linked,
            }
            for story in rows
        ],
        "statuses": KINDS["US"].statuses,
        "asked": request.GET,
    }
    return render(request, "stories/matrix.html", context)


def _matrix_csv(stories: Sequence[Record], features: Sequence[Record]) -> HttpResponse:
    cells = set(Link.objects.filter(type="implemented_by").values_list("source_id", "target_id"))
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    writer = csv.writer(response)
    writer.writerow(["story", "title", *(each.ident for each in features)])
    for story in stories:
        marks = ["x" if (story.pk, each.pk) in cells else "" for each in features]
        writer.writerow([story.ident, harmless(story.title), *marks])
    return response


@requires("public")
@require_GET
def trace(request: HttpRequest, ident: str) -> HttpResponse:
    """What leads to a record and what it leads to, as far as the tools that run."""
    record = find(ident)
    nodes, edges = tracing.trace(record, request.GET.get("line", ""))
    context = head(request, record, "trace")
    context |= {"picture": _picture(record, nodes, edges), "nodes": nodes, "edges": edges}
    return render(request, "stories/trace.html", context)


def trace_of(record: Record) -> SafeString:
    """The picture of a trace."""
    return _picture(record, *tracing.trace(record))


def _picture(record: Record, nodes: Sequence[Node], edges: Sequence[tuple[str, str]]) -> SafeString:
    label = _("What leads to %(record)s and what it leads to") % {"record": record.ident}
    return pictures.graph(nodes, edges, label)


@requires("public")
@require_GET
def changes(request: HttpRequest) -> HttpResponse:
    """All changes of all records, newest first; or those that nobody else has looked at."""
    revisions = Revision.objects.select_related("record", "author").defer("stored")
    if is_unpatrolled := "unpatrolled" in request.GET:
        revisions = revisions.unpatrolled()
    page = Paginator(revisions.order_by("-at", "-pk"), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"page": page, "is_unpatrolled": is_unpatrolled}
    return render(request, "stories/changes.html", context)


@requires("member")
@require_GET
def notifications(request: MemberRequest) -> HttpResponse:
    notices = Notification.objects.filter(user=request.user).select_related("record")
    page = Paginator(notices, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "stories/notifications.html", {"page": page})


@requires("member")
@require_POST
def notifications_read(request: MemberRequest) -> HttpResponse:
    mark_read(request.user, at=timezone.now())
    return redirect("notifications")


@requires("public")
@require_http_methods(["GET", "POST"])
def baselines(request: HttpRequest) -> HttpResponse:
    """Named moments. A member of the workgroup names the present one."""
    if request.method == "POST":
        sent, by = request.POST, request.user
        if not isinstance(by, User) or not may(by, "contributor"):
            raise PermissionDenied
        try:
            name_baseline(sent.get("name", ""), by=by, at=timezone.now(), note=sent.get("note", ""))
        except Refused as refusal:
            messages.error(request, str(refusal))
        return redirect("baselines")
    context = {
        "baselines": Baseline.objects.all()[: PAGE_SIZE * 4],
        "can_contribute": may(request.user, "contributor"),
    }
    return render(request, "stories/baselines.html", context)


@requires("public")
@require_GET
def baseline(request: HttpRequest, pk: int) -> HttpResponse:
    """What changed since a named moment, record by record."""
    named = get_object_or_404(Baseline, pk=pk)
    page = Paginator(named.changed(), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "stories/baseline.html", {"baseline": named, "page": page})


@requires("public")
@require_GET
def decision_text(request: HttpRequest, ident: str, form: str) -> HttpResponse:
    """A decision as MADR or as wikitext."""
    record = find(ident)
    if record.kind != "DR":
        raise Http404
    text = {"madr": to_madr, "wikitext": to_wikitext}[form](record.snapshot())
    return HttpResponse(text, content_type="text/plain; charset=utf-8")
