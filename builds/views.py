"""Pages about builds."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from builds import logs
from builds.admission import waiting
from builds.forms import BuildForm
from builds.live import Hub, Mark, stream, wanted_offset
from builds.models import Build
from builds.operations import BuildRefused, cancel_build, start_build
from builds.output import log_response
from builds.states import Status
from portal.accounts.permissions import MemberRequest, requires
from portal.throttling import limited
from portal.tools.models import Tool

PAGE_SIZE = 25
# Builds whose steps say how long a step usually takes.
COMPARED = 20


class BuildFeed:
    """What the hub polls: sizes and states of the builds that somebody watches."""

    def marks(self, keys: Collection[int]) -> Mapping[int, Mark]:
        builds = Build.objects.filter(pk__in=keys).only(
            "status", "stop_as", "log_size", "steps", "commit", "tool"
        )
        return {build.pk: _mark(build) for build in builds}

    def read(self, key: int, *, offset: int, limit: int) -> tuple[int, bytes]:
        return offset, logs.read(Build.objects.get(pk=key), offset=offset, limit=limit)


def _mark(build: Build) -> Mark:
    step = build.steps[-1] if build.steps else {}
    state = {
        "status": build.status,
        "label": build.label,
        "step": step.get("name", ""),
        "steps_done": sum(each["finished_at"] is not None for each in build.steps),
    }
    return Mark(size=build.log_size, state=state, is_final=build.is_final)


hub = Hub(BuildFeed())


def visible_build(request: MemberRequest, name: str, number: int) -> tuple[Tool, Build]:
    """The build, loaded through its tool, if this user may see it; else Http404."""
    tool = get_object_or_404(Tool.objects.visible_to(request.user), name=name)
    build = get_object_or_404(tool.builds.select_related("image", "actor"), number=number)
    build.tool = tool
    return tool, build


@requires("viewer")
@require_GET
def build_list(request: MemberRequest, name: str) -> HttpResponse:
    tool = get_object_or_404(Tool.objects.visible_to(request.user), name=name)
    builds = Paginator(tool.builds.select_related("image", "actor", "tool"), PAGE_SIZE)
    context = {
        "tool": tool,
        "tab": "builds",
        "builds": builds.get_page(request.GET.get("page")),
        "can_edit": tool.can_edit(request.user),
    }
    return render(request, "builds/build_list.html", context)


@requires("maintainer")
@require_http_methods(["GET", "POST"])
@limited("build-start")
def build_start(request: MemberRequest, name: str) -> HttpResponse:
    tool = get_object_or_404(Tool.objects.maintained_by(request.user), name=name)
    form = BuildForm(request.POST or None, initial=_last_source(tool))
    if request.method == "POST" and form.is_valid():
        try:
            build, is_new = start_build(
                tool,
                by=request.user,
                source=form.source,
                deploy=form.cleaned_data["deploy_when_built"],
                at=timezone.now(),
            )
        except BuildRefused as refusal:
            form.add_error(refusal.field or None, str(refusal))
        else:
            if not is_new:
                messages.info(request, _("This build was under way already; here it is."))
            return redirect(build)
    context = {"tool": tool, "form": form, "tab": "builds", "can_edit": True}
    return render(request, "builds/build_form.html", context)


def _last_source(tool: Tool) -> dict[str, Any]:
    last = tool.builds.first()
    if last is None:
        return {"source_url": tool.repository, "deploy_when_built": True}
    return {
        "source_url": last.source_url,
        "ref": last.ref,
        "subdirectory": last.subdirectory,
        "deploy_when_built": last.deploy_when_built,
    }


@requires("viewer")
@require_GET
def build_detail(request: MemberRequest, name: str, number: int) -> HttpResponse:
    tool, build = visible_build(request, name, number)
    context = _status_context(request, tool, build) | {
        "tab": "builds",
        "log_url": f"{build.get_absolute_url()}log/",
        "events_url": f"{build.get_absolute_url()}events/",
    }
    return render(request, "builds/build_detail.html", context)


@requires("viewer")
@require_GET
def build_status(request: MemberRequest, name: str, number: int) -> HttpResponse:
    tool, build = visible_build(request, name, number)
    return render(request, "builds/_build_status.html", _status_context(request, tool, build))


def _status_context(request: MemberRequest, tool: Tool, build: Build) -> dict[str, Any]:
    can_edit = tool.can_edit(request.user)
    image = build.image_or_none
    return {
        "tool": tool,
        "build": build,
        "steps": _steps(build),
        "queue": waiting(build),
        "image": image,
        "can_edit": can_edit,
        "can_cancel": can_edit and not build.is_final and not build.stop_as,
        "can_deploy": can_edit and image is not None and image.removed_at is None,
    }


def _steps(build: Build) -> list[dict[str, Any]]:
    usual = _usual_durations(build)
    steps = []
    for step in build.steps:
        duration = _duration(step)
        status = {True: "succeeded", False: "failed", None: "running"}[step["succeeded"]]
        if status == "running" and build.is_final:
            status = "stopped"
        steps.append(
            {
                "name": step["name"],
                "status": status,
                "started_at": datetime.fromisoformat(step["started_at"]),
                "duration": duration,
                "median": usual.get(step["name"]),
            }
        )
    return steps


def _duration(step: Mapping[str, str]) -> timedelta | None:
    if not step["finished_at"]:
        return None
    return datetime.fromisoformat(step["finished_at"]) - datetime.fromisoformat(step["started_at"])


def _usual_durations(build: Build) -> dict[str, timedelta]:
    """The median duration of each step in the tool's earlier successful builds."""
    earlier = Build.objects.filter(
        tool_id=build.tool_id, pk__lt=build.pk, status=Status.SUCCEEDED
    ).values_list("steps", flat=True)[:COMPARED]
    seconds: dict[str, list[float]] = {}
    for steps in earlier:
        for step in steps:
            if duration := _duration(step):
                seconds.setdefault(step["name"], []).append(duration.total_seconds())
    return {name: timedelta(seconds=median(values)) for name, values in seconds.items()}


@requires("maintainer")
@require_POST
def build_cancel(request: MemberRequest, name: str, number: int) -> HttpResponse:
    tool = get_object_or_404(Tool.objects.maintained_by(request.user), name=name)
    build = get_object_or_404(tool.builds, number=number)
    try:
        cancel_build(build, by=request.user, at=timezone.now())
        messages.info(request, _("The build is being cancelled."))
    except BuildRefused as refusal:
        messages.warning(request, str(refusal))
    return redirect(build)


@requires("viewer")
async def build_events(request: MemberRequest, name: str, number: int) -> HttpResponseBase:
    _tool, build = await sync_to_async(visible_build)(request, name, number)
    return await stream(hub, build.pk, offset=wanted_offset(request))


@requires("viewer")
@require_GET
def build_log(request: MemberRequest, name: str, number: int) -> HttpResponseBase:
    """The log as plain text; `?offset=` or a `Range` header starts in the middle."""
    _tool, build = visible_build(request, name, number)
    return log_response(request, build)
