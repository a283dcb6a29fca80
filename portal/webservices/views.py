"""Pages about webservices."""

from collections.abc import Collection, Mapping
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from builds.live import Hub, Mark, stream, wanted_offset
from portal.accounts.permissions import MemberRequest, requires
from portal.tools.models import Tool
from portal.tools.operations import variables_for
from portal.webservices import operations
from portal.webservices.comparison import fingerprints, pending
from portal.webservices.engines.base import EngineError
from portal.webservices.forms import ConfigureForm
from portal.webservices.models import Current, Release, Replica, Webservice
from portal.webservices.operations import DeployRefused
from portal.webservices.releases import paused
from portal.webservices.tasks import output_of, output_size

PAGE_SIZE = 20
DEPLOYABLE = 10
# Bytes of a replica's output that the plain text page shows.
LOG_PAGE = 1024 * 1024


class ReplicaFeed:
    """What the hub polls: the output of the replicas that somebody watches."""

    def marks(self, keys: Collection[int]) -> Mapping[int, Mark]:
        replicas = Replica.objects.filter(pk__in=keys).select_related(
            "release__image", "release__webservice__tool"
        )
        marks: dict[int, Mark] = {each.pk: _mark(each) for each in replicas}
        gone = Mark(size=0, state={"status": "missing", "label": ""}, is_final=True)
        return {key: marks.get(key, gone) for key in keys}

    def read(self, key: int, *, offset: int, limit: int) -> tuple[int, bytes]:
        replica = Replica.objects.select_related("release__image", "release__webservice__tool").get(
            pk=key
        )
        data, start = output_of(replica, since=offset, limit=limit)
        return start, data


def _mark(replica: Replica) -> Mark:
    """One that cannot be asked says so, and keeps no other from being heard."""
    try:
        size, trouble = output_size(replica), ""
    except EngineError as error:
        size, trouble = 0, str(error)
    webservice = replica.release.webservice
    state = {
        "status": webservice.status,
        "label": webservice.label,
        "replica": replica.phase,
        "restarts": replica.restarts,
        "release": replica.release.status,
        "trouble": trouble,
    }
    return Mark(size=size, state=state, is_final=False)


hub = Hub(ReplicaFeed())


def _visible(request: MemberRequest, name: str) -> tuple[Tool, Webservice | None]:
    tool = get_object_or_404(
        Tool.objects.visible_to(request.user).select_related("webservice"), name=name
    )
    return tool, getattr(tool, "webservice", None)


def _maintained(request: MemberRequest, name: str) -> Tool:
    return get_object_or_404(
        Tool.objects.maintained_by(request.user).select_related("webservice"), name=name
    )


@requires("viewer")
@require_GET
def webservice_detail(request: MemberRequest, name: str) -> HttpResponse:
    tool, webservice = _visible(request, name)
    releases = (
        webservice.releases.select_related("image__build__tool", "actor", "webservice__tool")
        if webservice
        else Release.objects.none()
    )
    here = tool.images.filter(removed_at=None, build__cluster=tool.cluster)
    images = here.exclude(default_process="")
    page = Paginator(releases, PAGE_SIZE).get_page(request.GET.get("page"))
    watched = _watched(webservice, request)
    context = _status_context(request, tool, webservice) | {
        "tab": "webservice",
        "images": images.select_related("build__tool")[:DEPLOYABLE],
        "releases": page,
        "form": ConfigureForm(instance=webservice, tool=tool),
        "watched": watched,
        "log_url": f"{request.path}log/",
        "events_url": f"{request.path}events/?replica={watched.pk}" if watched else "",
    }
    return render(request, "webservices/webservice_detail.html", context)


@requires("viewer")
@require_GET
def webservice_status(request: MemberRequest, name: str) -> HttpResponse:
    tool, webservice = _visible(request, name)
    context = _status_context(request, tool, webservice)
    return render(request, "webservices/_webservice_status.html", context)


def _status_context(
    request: MemberRequest, tool: Tool, webservice: Webservice | None
) -> dict[str, Any]:
    replicas = Replica.objects.filter(release__webservice=webservice).select_related("release")
    current = webservice.current() if webservice else Current(None, None)
    live = current.live
    variables = fingerprints(variables_for(tool, phase="run")) if live else {}
    return {
        "tool": tool,
        "webservice": webservice,
        "live": live,
        "pending": pending(live, variables),
        "paused": paused(webservice.paused_by) if webservice and webservice.paused_by else "",
        "starting": current.starting,
        "failed": webservice.failed if webservice else None,
        "replicas": replicas.order_by("-release", "index") if webservice else [],
        "can_edit": tool.can_edit(request.user),
        "move": tool.relocations.unfinished().first(),
    }


def _watched(webservice: Webservice | None, request: MemberRequest) -> Replica | None:
    """The replica whose output is shown: the asked one, or the newest."""
    replicas = Replica.objects.filter(release__webservice=webservice)
    asked = request.GET.get("replica", "")
    if asked.isascii() and asked.isdigit():
        return replicas.filter(pk=asked).select_related("release__image").first()
    return replicas.select_related("release__image").order_by("-release", "index").first()


@requires("maintainer")
@require_POST
def webservice_deploy(request: MemberRequest, name: str) -> HttpResponse:
    tool = _maintained(request, name)
    image = get_object_or_404(tool.images.select_related("build"), pk=_id(request, "image"))
    image.tool = tool
    try:
        release = operations.deploy(
            image,
            by=request.user,
            at=timezone.now(),
            process_type=request.POST.get("process_type", ""),
        )
        text = _("Release %(number)d starts. The one before serves until it is healthy.")
        messages.success(request, text % {"number": release.number})
    except DeployRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("webservice", name)


def _id(request: MemberRequest, field: str) -> int:
    value = request.POST.get(field, "")
    if not (value.isascii() and value.isdigit()):
        raise Http404
    return int(value)


@requires("maintainer")
@require_POST
def webservice_restart(request: MemberRequest, name: str) -> HttpResponse:
    """Start or restart: both are a new release of the image that ran last."""
    webservice = get_object_or_404(Webservice, tool=_maintained(request, name))
    try:
        operations.restart(webservice, by=request.user, at=timezone.now())
        messages.success(request, _("A new release of the same image starts."))
    except DeployRefused as refusal:
        messages.error(request, str(refusal))
    return redirect(webservice)


@requires("maintainer")
@require_POST
def webservice_stop(request: MemberRequest, name: str) -> HttpResponse:
    webservice = get_object_or_404(Webservice, tool=_maintained(request, name))
    operations.stop(webservice, by=request.user, at=timezone.now())
    messages.success(request, _("The webservice is being stopped."))
    return redirect(webservice)


@requires("maintainer")
@require_POST
def webservice_configure(request: MemberRequest, name: str) -> HttpResponse:
    tool = _maintained(request, name)
    form = ConfigureForm(request.POST, tool=tool)
    if form.is_valid():
        try:
            operations.configure(tool, by=request.user, at=timezone.now(), **form.configuration)
            messages.success(request, _("Saved."))
        except DeployRefused as refusal:
            messages.error(request, str(refusal))
    else:
        for errors in form.errors.values():
            messages.error(request, str(errors[0]))
    return redirect("webservice", name)


@requires("maintainer")
@require_POST
def webservice_check(request: MemberRequest, name: str) -> HttpResponse:
    """Ask each replica for its health now; a fragment for the page, or a page of its own."""
    tool = _maintained(request, name)
    context: dict[str, Any] = {"tool": tool, "tab": "webservice", "can_edit": True}
    try:
        context["answers"] = operations.check(get_object_or_404(Webservice, tool=tool))
    except DeployRefused as refusal:
        context["refusal"] = str(refusal)
    is_fragment = "HX-Request" in request.headers
    template = "webservices/_check.html" if is_fragment else "webservices/check.html"
    return render(request, template, context)


@requires("viewer")
async def webservice_events(request: MemberRequest, name: str) -> HttpResponseBase:
    replica = await sync_to_async(_watched_or_404)(request, name)
    return await stream(hub, replica.pk, offset=wanted_offset(request))


@requires("viewer")
@require_GET
def webservice_log(request: MemberRequest, name: str) -> HttpResponse:
    try:
        return log_page(request, name)
    except EngineError as error:
        said = _("The output cannot be read now. %(why)s") % {"why": error}
        return HttpResponse(said, content_type="text/plain; charset=utf-8", status=503)


def log_page(request: MemberRequest, name: str) -> HttpResponse:
    """The output of one replica as plain text, from `?offset=` on; the end of it by default.

    Raises EngineError.
    """
    replica = _watched_or_404(request, name)
    since = wanted_offset(request) if "offset" in request.GET else -LOG_PAGE
    data, start = output_of(replica, since=since, limit=LOG_PAGE)
    response = HttpResponse(data, content_type="text/plain; charset=utf-8")
    response.headers["Log-Offset"] = str(start)
    response.headers["Log-Replica"] = str(replica.pk)
    if "download" in request.GET:
        response.headers["Content-Disposition"] = f'attachment; filename="{replica}.log"'
    return response


def _watched_or_404(request: MemberRequest, name: str) -> Replica:
    _tool, webservice = _visible(request, name)
    replica = _watched(webservice, request) if webservice else None
    if replica is None:
        raise Http404(_("Nothing runs, so there is no output."))
    return replica
