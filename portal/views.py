"""Pages over several apps: the dashboard, a tool at a glance, the platform's status."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.db import DatabaseError, connection
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views import defaults
from django.views.decorators.http import require_GET

from builds.models import Build
from builds.tasks import engine as build_engine
from portal.accounts.permissions import requires
from portal.problems import error_response
from portal.tools.models import Adoption, Invitation, Tool
from portal.webservices.models import Release, Webservice
from portal.webservices.states import ReleaseStatus
from portal.webservices.states import Status as WebserviceStatus

PAGE_SIZE = 50
RECENT_BUILDS = 5
RECENT_EVENTS = 10
# An alarm that is late by this much is a sign that the worker does not run.
_LATE = timedelta(seconds=30)


@dataclass(frozen=True)
class Row:
    """A tool with what a reader of a list wants to know of it."""

    tool: Tool
    last_build: Build | None
    webservice: Webservice | None
    last_release: Release | None


def rows_of(tools: Sequence[Tool]) -> list[Row]:
    """Rows for these tools, in three queries however many there are."""
    ids = [tool.pk for tool in tools]
    last_build = Build.objects.filter(tool=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    last_builds = Tool.objects.filter(pk__in=ids).values_list(Subquery(last_build), flat=True)
    builds = {
        build.tool_id: build
        for build in Build.objects.filter(pk__in=list(last_builds)).select_related("tool", "image")
    }
    webservices = {
        each.tool_id: each
        for each in Webservice.objects.filter(tool__in=ids).select_related("tool__cluster")
    }
    live = Release.objects.filter(webservice__tool__in=ids, status=ReleaseStatus.LIVE)
    releases = {each.webservice.tool_id: each for each in live.select_related("webservice__tool")}
    return [
        Row(tool, builds.get(tool.pk), webservices.get(tool.pk), releases.get(tool.pk))
        for tool in tools
    ]


@requires("public")
@require_GET
def dashboard(request: HttpRequest) -> HttpResponse:
    mine: list[Tool] = []
    invitations: Collection[Invitation] = ()
    adoptions = False
    if request.user.is_authenticated:
        asked = Invitation.objects.addressed_to(request.user).open(timezone.now())
        invitations = asked.select_related("tool", "invited_by")
        adoptions = Adoption.objects.answered_by(request.user).open().exists()
        mine = list(Tool.objects.of_member(request.user).order_by("name")[:PAGE_SIZE])
    page = _found(request)
    context = {
        "my_tools": rows_of(mine),
        "invitations": invitations,
        "adoptions": adoptions,
        "tools": rows_of(list(page.object_list)),
        "page": page,
        "query": request.GET.get("q", ""),
        "filters": {"running": "running" in request.GET},
    }
    template = (
        "portal/_tool_rows.html" if "HX-Request" in request.headers else "portal/dashboard.html"
    )
    return render(request, template, context)


def _found(request: HttpRequest) -> Page[Tool]:
    query = request.GET.get("q", "").strip()
    tools = Tool.objects.public().search(query).order_by("name")
    if "running" in request.GET:
        tools = tools.filter(webservice__status=WebserviceStatus.RUNNING)
    return Paginator(tools, PAGE_SIZE).get_page(request.GET.get("page"))


@requires("public")
@require_GET
def tool_detail(request: HttpRequest, name: str) -> HttpResponse:
    tool = get_object_or_404(Tool.objects.public(), name=name)
    context: dict[str, Any] = {
        "tool": tool,
        "tab": "overview",
        "can_edit": tool.can_edit(request.user),
        "can_view": tool.can_view(request.user),
        "maintainers": tool.memberships.filter(role="maintainer").select_related("user"),
        "webservice": Webservice.objects.filter(tool=tool).select_related("tool").first(),
    }
    if context["can_view"]:
        builds = tool.builds.select_related("tool", "actor", "image")[:RECENT_BUILDS]
        context |= {
            "builds": builds,
            "last_build": next(iter(builds), None),
            "move": tool.relocations.unfinished().first(),
            "events": tool.events.select_related("actor")[:RECENT_EVENTS],
        }
    return render(request, "portal/tool_detail.html", context)


@requires("public")
@require_GET
def status(request: HttpRequest) -> HttpResponse:
    enforcement = build_engine().enforcement()
    context = {
        "enforcement": enforcement.means,
        "mode": enforcement.mode,
        "refused": enforcement.mode == "none",
        "parts": _parts(),
    }
    return render(request, "portal/status.html", context)


def _parts() -> list[dict[str, Any]]:
    """How the platform is doing, as far as its rows tell."""
    now = timezone.now()
    late = Build.objects.overdue(now - _LATE).count()
    late += Webservice.objects.overdue(now - _LATE).count()
    return [
        {"name": "queued", "count": Build.objects.queued().count(), "ok": True},
        {
            "name": "running",
            "count": Build.objects.running().count(),
            "limit": settings.BUILDS_AT_ONCE,
            "ok": True,
        },
        {"name": "late", "count": late, "ok": late == 0},
    ]


@requires("public")
@require_GET
def healthz(request: HttpRequest) -> JsonResponse:
    """For probes: 200 when this process can answer from the database, else 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "the database does not answer"}, status=503)
    return JsonResponse({"status": "ok"})


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """A page, or an error in the form of the API that the address belongs to."""
    sentence = _("There is nothing here, or nothing that you may see.")
    answer = error_response(request.path, status=404, code="not-found", sentence=sentence)
    return answer or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    sentence = _("Something went wrong on our side. It was noted; try again later.")
    answer = error_response(request.path, status=500, code="error", sentence=sentence)
    return answer or defaults.server_error(request)
