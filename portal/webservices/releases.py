"""Rows for new releases: what a deploy, a restart, a rollback and a build have in common."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from builds.models import Build, Image
from builds.states import Status as BuildStatus
from portal.accounts.models import User
from portal.clusters.models import Relocation
from portal.clusters.states import RelocationStatus
from portal.tools.models import Tool
from portal.tools.operations import record_event, variables_for
from portal.webservices.comparison import fingerprints
from portal.webservices.models import Release, Webservice
from portal.webservices.states import Cause, Reason, ReleaseStatus, Status
from portal.webservices.usage import excess


class ImageGone(Exception):
    """The image was deleted to make room."""


class NotHere(Exception):
    """In words: the tool does not live where the image is, or is about to leave."""


class OverQuota(Exception):
    """In words: it would need more than the tool may use."""


def webservice_of(tool: Tool, *, at: datetime) -> Webservice:
    """The tool's webservice; its row is made when it is first asked for."""
    webservice, _is_new = Webservice.objects.get_or_create(
        tool=tool, defaults={"status": Status.STOPPED, "created_at": at}
    )
    return webservice


def make_release(
    image: Image,
    *,
    process_type: str,
    by: User | None,
    note: str,
    at: datetime,
    cause: Cause = Cause.DEPLOYED,
    configuration: Mapping[str, Any] | None = None,
    rolled_back_to: int | None = None,
) -> Release:
    """The tool's next release; one that was still starting is given up for it.

    It runs as the webservice is configured, or as `configuration` says, which then is what the
    webservice is configured to. Raises ImageGone, NotHere or OverQuota.
    """
    webservice = webservice_of(image.tool, at=at)
    with transaction.atomic():
        # Updating the counter first makes concurrent deploys of one tool wait for each other, and
        # for a clean-up that is choosing images to delete.
        Webservice.objects.filter(pk=webservice.pk).update(
            last_release_number=F("last_release_number") + 1,
            is_wanted=True,
            next_look_at=at,
            **(configuration or {}),
        )
        if not Image.objects.filter(pk=image.pk, removed_at=None).exists():
            raise ImageGone
        if why := why_not_here(image, cause):
            raise NotHere(why)
        webservice.refresh_from_db()
        if too_much := excess(image.tool, webservice.configuration):
            raise OverQuota(too_much)
        for earlier in webservice.releases.filter(status=ReleaseStatus.STARTING):
            earlier.move_to(ReleaseStatus.RETIRED, at=at, reason_code=Reason.REPLACED, ended_at=at)
        release = webservice.releases.create(
            number=webservice.last_release_number,
            status=ReleaseStatus.STARTING,
            image=image,
            process_type=process_type,
            variables=fingerprints(variables_for(image.tool, phase="run")),
            cause=cause,
            rolled_back_to=rolled_back_to,
            is_pinned=rolled_back_to is not None,
            note=note,
            actor=by,
            created_at=at,
            **webservice.configuration,
        )
        if rolled_back_to is not None:
            Webservice.objects.filter(pk=webservice.pk).update(paused_by=release)
        _record(release, by=by, at=at)
    return release


def why_not_here(image: Image, cause: Cause = Cause.DEPLOYED) -> str:
    """What stands against a release of it as to its place, in words, or ""."""
    if cause == Cause.MOVED:
        return ""
    tool = Tool.objects.get(pk=image.tool_id)
    move = tool.relocations.under_way().first()
    if move and move.status != RelocationStatus.REQUESTED:
        return moving(move)
    return elsewhere(image) if image.build.cluster_id != tool.cluster_id else ""


def moving(move: Relocation) -> str:
    return _(
        "The tool is being moved to %(place)s, so nothing else is deployed until that has come to "
        "its end."
    ) % {"place": move.target_label}


def elsewhere(image: Image) -> str:
    return _(
        "The image of build %(number)d is in %(place)s, where the tool does not live any more. "
        "Build its commit %(commit)s again to deploy it here."
    ) % {
        "number": image.build.number,
        "place": image.build.cluster or _("the portal's own machine"),
        "commit": image.build.commit[:8],
    }


def image_here(image: Image) -> Image | None:
    """The image, or one of the same source where the tool lives now, if it was moved."""
    built, place = image.build, image.tool.cluster
    if built.cluster == place:
        return image
    if not built.commit:
        return None
    images = image.tool.images.filter(removed_at=None, build__cluster=place)
    same = {name: getattr(built, name) for name in ("source_url", "subdirectory", "commit")}
    return images.filter(**{f"build__{name}": value for name, value in same.items()}).first()


def go_live(starting: Release, *, at: datetime) -> bool:
    """Have it take over from the live one; False if meanwhile it was not to any more.

    Where it was started elsewhere than the tool lives, that is where the tool lives from now on.
    """
    with transaction.atomic():
        is_at_home = starting.place_id == starting.webservice.tool.cluster_id
        done = is_at_home or _arrive(starting, at=at)
        live = starting.webservice.live
        if done and live:
            live.move_to(ReleaseStatus.RETIRED, at=at, reason_code=Reason.REPLACED, ended_at=at)
        # A newer one may have replaced it.
        if done and starting.move_to(ReleaseStatus.LIVE, at=at, live_at=at):
            starting.webservice.tool.cluster = starting.place
            return True
        transaction.set_rollback(True)
    return False


def _arrive(starting: Release, *, at: datetime) -> bool:
    """Switch the move that it was made for, unless that was cancelled."""
    moves = Relocation.objects.select_for_update(of=("self",)).under_way()
    move = moves.filter(release=starting, cancel_asked_at=None).select_related("target").first()
    return bool(move and settle(move, at=at))


def settle(move: Relocation, *, at: datetime) -> bool:
    """Have the tool live in the new place; False if the move has come to its end already."""
    if not move.move_to(RelocationStatus.SWITCHED, at=at, switched_at=at, next_look_at=at):
        return False
    tool = move.tool
    Tool.objects.filter(pk=tool.pk).update(cluster=move.target)
    tool.builds.queued().update(cluster=move.target)
    record_event(
        tool,
        by=move.actor,
        action="tool.moved",
        summary=move.target_label,
        before={"cluster": move.source_name},
        after={"cluster": move.target_name},
        at=at,
    )
    return True


def _record(release: Release, *, by: User | None, at: datetime) -> None:
    after = {
        "image": release.image.digest,
        "process_type": release.process_type,
        **release.configuration,
        "variables": sorted(release.variables),
    }
    record_event(
        release.image.tool,
        by=by,
        action="webservice.released",
        summary=f"{release}: {release.note}",
        after=after,
        at=at,
    )


def builds_to_deploy(*, finished_after: datetime, finished_before: datetime) -> list[Build]:
    """Builds that are to be deployed and have no release yet."""
    follows = Q(tool__webservice__deploy_branch=F("ref")) & ~Q(ref="")
    builds = (
        Build.objects.filter(
            Q(deploy_when_built=True) | follows,
            status=BuildStatus.SUCCEEDED,
            finished_at__range=(finished_after, finished_before),
            image__releases=None,
            image__removed_at=None,
        )
        .filter(
            # Of the place where the tool lives now.
            Q(cluster=F("tool__cluster")) | Q(cluster=None, tool__cluster=None)
        )
        .exclude(image__default_process="")
    )
    chosen = builds.select_related("tool__webservice__paused_by__actor", "image", "actor")
    return [build for build in chosen.order_by("pk") if is_to_be_deployed(build)]


def is_to_be_deployed(build: Build) -> bool:
    """Whether somebody asked for just this, or the webservice follows its branch and may go on."""
    if is_of_a_move(build):
        return False
    return _is_asked_for(build) or (_is_followed(build) and not why_not_by_itself(build))


def is_of_a_move(build: Build) -> bool:
    """Whether it was made to move its tool, which then deploys it."""
    return Relocation.objects.filter(build=build).exists()


def _is_asked_for(build: Build) -> bool:
    """By a person, or by a program of theirs: a rollback does not stop them."""
    return build.deploy_when_built and build.trigger in (Build.Trigger.PERSON, Build.Trigger.TOKEN)


def _is_followed(build: Build) -> bool:
    webservice = getattr(build.tool, "webservice", None)
    is_by_push = build.trigger == Build.Trigger.WEBHOOK
    if webservice is None or not webservice.deploy_branch or is_by_push > build.deploy_when_built:
        # A hook may say that its builds are not deployed.
        return build.deploy_when_built
    return build.ref == webservice.deploy_branch


def is_held_back(build: Build) -> bool:
    """Whether it would have been deployed by itself, had nothing stood against it."""
    if is_of_a_move(build):
        return False
    return not _is_asked_for(build) and _is_followed(build) and bool(why_not_by_itself(build))


def why_not_by_itself(build: Build) -> str:
    """What stands against deploying a build that nobody waits for, in words, or ""."""
    webservice: Webservice | None = getattr(build.tool, "webservice", None)
    if webservice is None:
        return ""
    if webservice.paused_by:
        return paused(webservice.paused_by)
    since, ended = webservice.deploys_since, build.finished_at
    if since and ended and ended < since:
        return _("It ended before automatic deploys began.")
    newer = webservice.releases.filter(image__build__number__gt=build.number)
    return _("A newer build was deployed already.") if newer.exists() else ""


def paused(rollback: Release) -> str:
    """By which rollback, in words."""
    return _(
        "Automatic deploys are paused by the rollback to release %(number)s by %(user)s on %(day)s."
    ) % {
        "number": rollback.rolled_back_to,
        "user": rollback.actor or _("the platform"),
        "day": date_format(rollback.created_at),
    }
