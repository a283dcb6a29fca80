"""Pages about what was released: one release, how it differs, going back, what is kept."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from builds.caches import cache_of, clear_cache
from builds.operations import BuildRefused
from portal.accounts.permissions import MemberRequest, requires
from portal.tools.models import Tool
from portal.webservices import operations
from portal.webservices.comparison import differences, shown_configuration
from portal.webservices.models import Release, Webservice
from portal.webservices.operations import DeployRefused
from portal.webservices.releases import image_here
from portal.webservices.retention import verdicts


def earlier_of(release: Release, asked: str) -> Release | None:
    """The release to compare with: the asked one, or the one before. Http404 for an unknown one."""
    others = release.webservice.releases.select_related("image__build")
    if asked.isascii() and asked.isdigit():
        return get_object_or_404(others, number=asked)
    return others.filter(number__lt=release.number).first()


def release_of(tool: Tool, number: int) -> Release:
    """The release, loaded through its tool; else Http404."""
    releases = Release.objects.filter(webservice__tool=tool).select_related(
        "image__build__tool", "image__tool", "actor", "webservice__tool"
    )
    return get_object_or_404(releases, number=number)


def _maintained(request: MemberRequest, name: str, number: int) -> Release:
    tool = get_object_or_404(Tool.objects.maintained_by(request.user), name=name)
    return release_of(tool, number)


@requires("viewer")
@require_GET
def release_detail(request: MemberRequest, name: str, number: int) -> HttpResponse:
    tool = get_object_or_404(Tool.objects.visible_to(request.user), name=name)
    release = release_of(tool, number)
    against = earlier_of(release, request.GET.get("against", ""))
    context: dict[str, Any] = {
        "tool": tool,
        "tab": "webservice",
        "release": release,
        "against": against,
        "differences": differences(against, release),
        "others": _numbers(release),
        "processors": shown_configuration(release.configuration)["cpu_millis"][1],
        "moves": release.moves.select_related("actor"),
        "can_edit": tool.can_edit(request.user),
        "live": release.webservice.live,
        "image_here": image_here(release.image),
    }
    return render(request, "webservices/release_detail.html", context)


def _numbers(release: Release, count: int = 50) -> list[int]:
    """Releases that one may be compared with."""
    others = release.webservice.releases.exclude(pk=release.pk)
    return list(others.values_list("number", flat=True)[:count])


@requires("maintainer")
@require_POST
def release_rollback(request: MemberRequest, name: str, number: int) -> HttpResponse:
    release = _maintained(request, name, number)
    try:
        made = operations.rollback(
            release.webservice,
            to=release,
            by=request.user,
            at=timezone.now(),
            why=request.POST.get("why", ""),
        )
    except DeployRefused as refusal:
        messages.error(request, str(refusal))
        return redirect(release)
    text = _("Release %(number)d starts with the image and configuration of release %(old)d.")
    messages.success(request, text % {"number": made.number, "old": release.number})
    return redirect("webservice", name)


@requires("maintainer")
@require_POST
def webservice_follow(request: MemberRequest, name: str) -> HttpResponse:
    """Choose the branch of which builds are deployed by themselves."""
    tool = get_object_or_404(Tool.objects.maintained_by(request.user), name=name)
    branch = request.POST.get("deploy_branch", "")
    try:
        operations.follow_branch(tool, branch, by=request.user, at=timezone.now())
        messages.success(request, _("Saved."))
    except DeployRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("webservice", name)


@requires("maintainer")
@require_POST
def webservice_resume(request: MemberRequest, name: str) -> HttpResponse:
    tool = get_object_or_404(Tool.objects.maintained_by(request.user), name=name)
    webservice = get_object_or_404(Webservice, tool=tool)
    try:
        operations.resume_deploys(webservice, by=request.user, at=timezone.now())
        messages.success(request, _("The next build that succeeds is deployed again."))
    except DeployRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("webservice", name)


@requires("maintainer")
@require_POST
def release_pin(request: MemberRequest, name: str, number: int) -> HttpResponse:
    """Keep the image of a release, or let it go."""
    release = _maintained(request, name, number)
    is_pinned = request.POST.get("pinned") == "1"
    try:
        operations.pin(release, is_pinned=is_pinned, by=request.user, at=timezone.now())
        text = _("The image is kept.") if is_pinned else _("The image is not kept any more.")
        messages.success(request, text)
    except DeployRefused as refusal:
        messages.error(request, str(refusal))
    return redirect(release)


@requires("maintainer")
@require_POST
def cache_clear(request: MemberRequest, name: str) -> HttpResponse:
    tool = get_object_or_404(Tool.objects.maintained_by(request.user), name=name)
    try:
        clear_cache(tool, by=request.user, at=timezone.now())
        messages.success(request, _("The next build begins from nothing."))
    except BuildRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("image_list", name)


@requires("viewer")
@require_GET
def image_list(request: HttpRequest, name: str) -> HttpResponse:
    """Which images there are, and what the next clean-up would do with them."""
    tool = get_object_or_404(Tool.objects.visible_to(request.user), name=name)
    decided = verdicts(tool)
    context = {
        "tool": tool,
        "tab": "webservice",
        "verdicts": decided,
        "size": sum(each.image.size for each in decided),
        "cache": cache_of(tool),
        "freed": sum(each.image.size for each in decided if not each.is_kept),
        "can_edit": tool.can_edit(request.user),
    }
    return render(request, "webservices/image_list.html", context)
