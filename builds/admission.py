"""Which queued build may start: first come, first served, within the limits."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from builds.models import Build
from builds.states import Status
from portal.clusters.models import Relocation
from portal.tools.quotas import Resource, limits_on

# Any number will do, if it is always the same: the name of a PostgreSQL advisory lock.
QUEUE_LOCK = 7_113_001


@dataclass(frozen=True)
class Waiting:
    """Where a queued build stands, for its reader."""

    position: int  # from 1
    because: str


def lock_queue() -> None:
    """Let one transaction at a time decide; SQLite's IMMEDIATE transactions do so by themselves."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [QUEUE_LOCK])


def _running_by_tool() -> Counter[int]:
    return Counter(Build.objects.running().order_by().values_list("tool_id", flat=True))


def startable() -> list[int]:
    """The ids of the queued builds that may start now, in the order of the queue."""
    running = _running_by_tool()
    limits = limits_on(Resource.BUILDS_AT_ONCE)
    room = settings.BUILDS_AT_ONCE - running.total()
    chosen: list[int] = []
    if room <= 0:
        return chosen
    moving = dict(Relocation.objects.under_way().values_list("tool_id", "build_id"))
    ready = Build.objects.queued().filter(stop_as="").with_place()
    queued = ready.values_list("pk", "tool_id")
    for pk, tool_id in queued.iterator():
        if moving.get(tool_id, pk) != pk:
            continue
        if running[tool_id] < limits.get(tool_id, settings.BUILDS_AT_ONCE_PER_TOOL):
            running[tool_id] += 1
            chosen.append(pk)
            if len(chosen) == room:
                break
    return chosen


def is_held(build: Build) -> bool:
    """Whether it waits for the end of a move of its tool, which it is no part of."""
    moving = Relocation.objects.under_way().filter(tool=build.tool_id)
    return any(move.build_id != build.pk for move in moving)


def waits_since(build: Build, *, now: datetime) -> datetime:
    """Since when only its turn is to come: while its tool moved it could not be."""
    if is_held(build):
        return now
    moves = (
        Relocation.objects.filter(tool=build.tool_id)
        .order_by("-pk")
        .values_list("switched_at", "ended_at")
    )
    switched, ended = moves.first() or (None, None)
    return max(filter(None, (build.created_at, switched or ended)))


def admit(build: Build, *, now: datetime, sealed_variables: bytes | None = None) -> bool:
    """Move a queued build to running if it is its turn; the limits hold under any concurrency."""
    with transaction.atomic():
        lock_queue()
        return build.pk in startable() and build.move_to(
            Status.RUNNING, at=now, started_at=now, sealed_variables=sealed_variables
        )


def waiting(build: Build) -> Waiting | None:
    """Why a queued build does not run yet; None for any other build."""
    if build.status != Status.QUEUED:
        return None
    ahead = Build.objects.queued().filter(pk__lt=build.pk).count()
    running = _running_by_tool()
    limit = limits_on(Resource.BUILDS_AT_ONCE).get(build.tool_id, settings.BUILDS_AT_ONCE_PER_TOOL)
    if is_held(build):
        because = _("the tool is being moved to another place, and is built there after that")
    elif running[build.tool_id] >= limit:
        because = ngettext(
            "another build of this tool is running and it may run %(limit)d at once",
            "other builds of this tool are running and it may run %(limit)d at once",
            limit,
        ) % {"limit": limit}
    elif running.total() >= settings.BUILDS_AT_ONCE:
        because = _("%(running)d builds are running and the platform runs %(limit)d at once") % {
            "running": running.total(),
            "limit": settings.BUILDS_AT_ONCE,
        }
    elif not Build.objects.filter(pk=build.pk).with_place().exists():
        because = _("the tool's place in the image registry is not made yet")
    elif ahead:
        because = _("builds that were asked for earlier start first")
    else:
        because = _("it is about to start")
    return Waiting(position=ahead + 1, because=because)
