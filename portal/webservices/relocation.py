"""One step of a tool's move to another place, from whatever rows and clusters show.

The image is built again in the new place, of the commit that runs: every cluster has a builder,
run image and registry of its own, and the old one may be away. A release of it starts there while
the old place goes on serving. When it is healthy the tool lives there, in one transaction with its
becoming live (see releases.go_live); what is in the old place answers for a while yet, and goes.
Whatever ends a move before that leaves the old place as it is.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from builds.admission import lock_queue
from builds.models import Build
from builds.operations import BuildRefused, Source, start_build
from builds.reconcile import end_build
from builds.states import FINAL as BUILD_FINAL
from builds.states import Reason as BuildReason
from builds.states import Status as BuildStatus
from builds.tasks import wake as wake_builds
from portal.cluster.base import ClusterUnavailable
from portal.clusters.models import Cluster, Relocation
from portal.clusters.states import RelocationReason, RelocationStatus
from portal.tools.models import Tool
from portal.tools.operations import record_event
from portal.webservices.leaving import (
    Machine,
    are_one_for,
    forget,
    is_at_home,
    is_being_removed,
    leave,
)
from portal.webservices.models import Release, Webservice
from portal.webservices.releases import (
    ImageGone,
    OverQuota,
    builds_to_deploy,
    make_release,
    settle,
)
from portal.webservices.states import Cause, Reason, ReleaseStatus, Status

CHANGING = timedelta(seconds=1)
# Somebody may stop the webservice, which then ends in the old place, too.
WAITING = timedelta(seconds=30)
# The sweep of deploys that were lost has had its turn.
SETTLED = timedelta(seconds=10)
# A place that cannot be asked for so long is left to the daily look at homes.
CLEANED_WITHIN = timedelta(days=1)


class NoSuchProcess(Exception):
    """In words: the new image cannot be run as the old one was."""


def reconcile(move: Relocation, *, here: Machine, now: datetime) -> timedelta | None:
    """Take one step; the time until the next is due, or None when nothing is left to do.

    Raises ClusterError or EngineError when a place cannot be asked; looking again later is right.
    """
    if move.is_under_way and _came_to_an_end(move, now=now):
        return timedelta(0)
    match move.status:
        case RelocationStatus.REQUESTED:
            return _begin(move, now=now)
        case RelocationStatus.BUILDING:
            return _follow_build(move, now=now)
        case RelocationStatus.DEPLOYING:
            return _follow_release(move, now=now)
        case RelocationStatus.SWITCHED:
            return _wait(move, now=now)
        case RelocationStatus.CLEANING:
            return _clean(move, here=here, now=now)
        case RelocationStatus.DONE:
            return None
    return _clean_target(move, here=here, now=now)


def _came_to_an_end(move: Relocation, *, now: datetime) -> bool:
    """End a move that cannot go on, or is not to."""
    limit = timedelta(seconds=settings.MOVE_LIMIT)
    if move.cancel_asked_at:
        by = _("Cancelled by %(user)s.") % {"user": move.cancel_asked_by}
        return _end(move, RelocationReason.CANCELLED, by, now=now)
    if move.tool.status != Tool.Status.ACTIVE:
        why = _("The tool is not active any more.")
        return _end(move, RelocationReason.NOT_ACTIVE, why, now=now)
    if now - move.created_at > limit:
        why = _("It took longer than %(minutes)d minutes. %(last)s") % {
            "minutes": limit.total_seconds() // 60,
            "last": move.waits_for,
        }
        return _end(move, RelocationReason.TIMED_OUT, why.strip(), now=now)
    return False


def _end(move: Relocation, code: RelocationReason, why: str, *, now: datetime) -> bool:
    """Give the move up: the old place serves, and what was begun in the new one is taken back."""
    is_cancelled = code == RelocationReason.CANCELLED
    status = RelocationStatus.CANCELLED if is_cancelled else RelocationStatus.FAILED
    by = move.cancel_asked_by if is_cancelled else None
    with transaction.atomic():
        if not move.move_to(
            status, at=now, by=by, reason_code=code, reason=why, ended_at=now, waits_for=""
        ):
            return False
        action, summary = f"tool.move-{status}", f"{move.target_label}: {why}"
        record_event(move.tool, by=by, action=action, summary=summary, at=now)
        if move.release and move.release.status == ReleaseStatus.STARTING:
            move.release.move_to(
                ReleaseStatus.RETIRED, at=now, reason_code=Reason.STOPPED, reason=why, ended_at=now
            )
        if move.build and move.build.ask_to_stop(
            BuildStatus.CANCELLED, reason_code=BuildReason.CANCELLED, reason=why, at=now, by=by
        ):
            wake_builds([move.build.pk], now=now)
        Webservice.objects.filter(tool=move.tool).update(next_look_at=now)
    return True


def note(move: Relocation, why: str, pause: timedelta = CHANGING) -> timedelta:
    """Keep for the reader what the step waits for."""
    if move.waits_for != why:
        Relocation.objects.filter(pk=move.pk).update(waits_for=why)
        move.waits_for = why
    return pause


def _begin(move: Relocation, *, now: datetime) -> timedelta:
    """Once nothing is under way in the old place any more, have its commit built in the new one."""
    tool, target = move.tool, move.target
    if target is None and move.target_name:
        why = _("The cluster was removed from the portal.")
        _end(move, RelocationReason.TARGET_GONE, why, now=now)
        return timedelta(0)
    if _is_one_cluster(move):
        why = _("Both are the same cluster under two names.")
        _end(move, RelocationReason.SAME_CLUSTER, why, now=now)
        return timedelta(0)
    if target and is_being_removed(tool, target):
        return note(move, _("What the tool had there before is being removed."))
    try:
        with transaction.atomic():
            # No build starts meanwhile.
            lock_queue()
            if is_away(move.source):
                _give_up_builds(tool, now=now)
            elif why := _under_way(tool, now=now):
                return note(move, why)
            _build(move, now=now)
    except BuildRefused as refused:
        _end(move, RelocationReason.BUILD_REFUSED, str(refused), now=now)
    return timedelta(0)


def _is_one_cluster(move: Relocation) -> bool:
    if not (move.source and move.target) or is_away(move.source):
        return False
    try:
        return are_one_for(move.tool, move.source, move.target)
    except ClusterUnavailable:
        # One of them answers and the other does not, so they are two, or neither does.
        return False


def is_away(place: Cluster | None) -> bool:
    return bool(place and place.is_reachable is False)


def _give_up_builds(tool: Tool, *, now: datetime) -> None:
    """The tool leaves a cluster that does not answer: nobody will hear of its builds there."""
    why = _("The cluster did not answer, and the tool was moved to another. Build it again.")
    for build in tool.builds.running():
        end_build(
            build, BuildStatus.FAILED, now=now, reason_code=BuildReason.ENGINE_LOST, reason=why
        )
        wake_builds([build.pk], now=now)


def _under_way(tool: Tool, *, now: datetime) -> str:
    running = tool.builds.running().first()
    if running:
        return _("Build %(number)d is running.") % {"number": running.number}
    if Release.objects.filter(webservice__tool=tool, status=ReleaseStatus.STARTING).exists():
        return _("A release is starting.")
    due = builds_to_deploy(finished_after=now - SETTLED, finished_before=now)
    if any(build.tool_id == tool.pk for build in due):
        return _("A build is about to be deployed.")
    return ""


def _build(move: Relocation, *, now: datetime) -> None:
    """Build what runs, or ran last; a tool of which nothing ever ran moves at once."""
    last = _last_served(move)
    if last is None:
        settle(move, at=now)
        return
    built = last.image.build
    build, _is_new = start_build(
        move.tool,
        by=move.actor,
        source=Source(built.source_url, built.ref, built.subdirectory, built.commit),
        at=now,
        variables=built.own_variables,
    )
    Build.objects.filter(pk=build.pk).update(cluster=move.target)
    if not move.move_to(RelocationStatus.BUILDING, at=now, build=build, waits_for=""):
        # Another worker was first.
        transaction.set_rollback(True)


def _last_served(move: Relocation) -> Release | None:
    served = Release.objects.filter(webservice__tool=move.tool).exclude(live_at=None)
    return served.select_related("image__build", "webservice").order_by("-number").first()


def _follow_build(move: Relocation, *, now: datetime) -> timedelta:
    build = move.build
    if build and build.status not in BUILD_FINAL:
        return note(move, _("Build %(number)d: %(label)s.") % {
            "number": build.number, "label": build.label
        })  # fmt: skip
    if build is None or build.status != BuildStatus.SUCCEEDED:
        number, why = (build.number, build.reason) if build else (0, "")
        said = _("Build %(number)d did not succeed. %(why)s") % {"number": number, "why": why}
        _end(move, RelocationReason.BUILD_FAILED, said.strip(), now=now)
        return timedelta(0)
    try:
        _deploy(move, build, now=now)
    except ImageGone:
        why = _("Its image is gone.")
        _end(move, RelocationReason.RELEASE_REFUSED, why, now=now)
    except (NoSuchProcess, OverQuota) as refused:
        _end(move, RelocationReason.RELEASE_REFUSED, str(refused), now=now)
    return timedelta(0)


def _deploy(move: Relocation, build: Build, *, now: datetime) -> None:
    """Start a release in the new place as the last one was; a stopped webservice just moves."""
    with transaction.atomic():
        webservice = Webservice.objects.select_for_update().filter(tool=move.tool).first()
        last = _last_served(move)
        if not last or not webservice or not webservice.is_wanted:
            settle(move, at=now)
            return
        if last.process_type not in build.image.processes:
            why = _("The image that was built has no process “%(type)s”.")
            raise NoSuchProcess(why % {"type": last.process_type})
        release = make_release(
            build.image,
            process_type=last.process_type,
            by=move.actor,
            note=_("moved to %(place)s") % {"place": move.target_label},
            cause=Cause.MOVED,
            at=now,
        )
        if not move.move_to(RelocationStatus.DEPLOYING, at=now, release=release, waits_for=""):
            transaction.set_rollback(True)


def _follow_release(move: Relocation, *, now: datetime) -> timedelta:
    release = move.release
    webservice = Webservice.objects.filter(tool=move.tool).first()
    if release and release.status == ReleaseStatus.STARTING:
        text = _("Release %(number)d is starting.") % {"number": release.number}
        return note(move, text)
    if webservice and not webservice.is_wanted:
        if webservice.status != Status.STOPPED:
            return note(move, _("The webservice is being stopped."))
        settle(move, at=now)
        return timedelta(0)
    why = release.reason if release else ""
    _end(move, RelocationReason.RELEASE_FAILED, why or _("Its release is gone."), now=now)
    return timedelta(0)


def _wait(move: Relocation, *, now: datetime) -> timedelta:
    """Leave the old place as it is until whoever has its address had time to follow."""
    due = (move.switched_at or now) + timedelta(seconds=settings.MOVE_GRACE_SECONDS)
    wanted = Webservice.objects.filter(tool=move.tool, is_wanted=True)
    if now < due and wanted.exists() and move.tool.status == Tool.Status.ACTIVE:
        return min(due - now, WAITING)
    move.move_to(RelocationStatus.CLEANING, at=now)
    return timedelta(0)


def _clean(move: Relocation, *, here: Machine, now: datetime) -> timedelta | None:
    began = move.moves.filter(to_status=RelocationStatus.CLEANING).first()
    if began and now - began.at > CLEANED_WITHIN:
        forget(move.tool, move.source, now=now)
        return _finish(move, RelocationReason.NOT_CLEANED, move.waits_for, now=now)
    if _is_forgotten(move) or is_at_home(move.tool, move.source):
        return _finish(move, now=now)
    if not leave(move.tool, move.source, here=here, now=now):
        return note(move, _("What is left in the old place is being removed."))
    return _finish(move, now=now)


def _is_forgotten(move: Relocation) -> bool:
    return bool(move.source is None and move.source_name)


def _finish(move: Relocation, code: str = "", why: str = "", *, now: datetime) -> timedelta | None:
    with transaction.atomic():
        if move.move_to(
            RelocationStatus.DONE, at=now, reason_code=code, reason=why, ended_at=now, waits_for=""
        ):
            summary = f"{move.source_label}: {why}" if why else move.source_label
            record_event(move.tool, by=None, action="tool.move-done", summary=summary, at=now)
    return None


def _clean_target(move: Relocation, *, here: Machine, now: datetime) -> timedelta | None:
    """Take back what a move that was given up made, unless the tool comes there after all."""
    is_late = move.ended_at and now - move.ended_at > CLEANED_WITHIN
    if is_late or (move.target is None and move.target_name):
        return None
    if move.reason_code == RelocationReason.SAME_CLUSTER or is_at_home(move.tool, move.target):
        return None
    if move.build and move.build.status not in BUILD_FINAL:
        return CHANGING
    return None if leave(move.tool, move.target, here=here, now=now) else CHANGING
