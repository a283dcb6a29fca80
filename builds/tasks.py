"""Alarm clocks: a task fetches a row, takes one step and sets the next alarm."""

import logging
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from celery import Task, shared_task
from django.conf import settings
from django.db.models import QuerySet
from django.db.transaction import on_commit
from django.dispatch import Signal
from django.utils import timezone

from builds.admission import startable
from builds.engines.base import BuildEngine, EngineError
from builds.engines.local import LocalEngine, LocalSettings
from builds.lifecycle.work import Limits
from builds.models import Build
from builds.orphans import prune
from builds.placing import engine_in
from builds.reconcile import reconcile
from portal.cluster.base import ClusterError
from portal.clusters.models import Cluster
from portal.moving import Troubled, Watched

log = logging.getLogger(__name__)
# Sent once, by the process that saw a build end; rows hold the truth, a lost signal costs seconds.
build_finished = Signal()

# Nobody else looks at a build for as long as this, unless its look ends earlier.
LEASE = timedelta(seconds=10)
# After an error; the longer the trouble lasts, the more rarely it is asked about.
AFTER_ERROR, LONGEST_AFTER_ERROR = timedelta(seconds=2), timedelta(seconds=30)
# An alarm is taken for lost when it is late by this.
LATE = timedelta(seconds=1)
SWEEP_INTERVAL = timedelta(seconds=2)
# How many rows a sweep tells of, and how long that may wait for a worker: then a later sweep has
# told of them again, and a backlog would only grow the queue that people's orders stand in.
SWEPT_AT_ONCE, SWEPT_FOR = 100, timedelta(seconds=10)


@cache
def engine() -> LocalEngine:
    """The installation's build engine."""
    return LocalEngine(
        LocalSettings(
            state=settings.STATE,
            operator=settings.BUILD_ENVIRONMENT,
            allowed_hosts=tuple(settings.GIT_HOSTS),
            trusted_prefixes=tuple(settings.GIT_TRUSTED_PREFIXES),
            connect_ports=tuple(settings.CONNECT_PORTS),
            sandbox=settings.SANDBOX,
            trusts_all=settings.TRUST_ALL_USERS,
            base=settings.BUILD_BASE,
            limits=Limits(
                memory_bytes=settings.BUILD_MEMORY_BYTES,
                pids=settings.BUILD_PROCESSES,
                disk_bytes=settings.BUILD_DISK_BYTES,
                log_bytes=settings.BUILD_LOG_BYTES,
            ),
        )
    )


def engine_of(build: Build) -> BuildEngine:
    """What makes this build: its cluster, or this machine."""
    return engine_in(build.cluster, build.tool.name) if build.cluster else engine()


@shared_task
def reconcile_build(*, build_id: int) -> None:
    """Look at a build if a look is due, and set the alarm for the next look."""
    now = timezone.now()
    build = Build.objects.claim(build_id, now=now, lease=LEASE)
    if build is None:
        return
    was_final, trouble = build.is_final, ""
    try:
        pause = reconcile(build, engine=engine_of(build), now=now)
    except (EngineError, ClusterError) as error:
        trouble = str(error)
        log.warning("build %s: %s", build, trouble)
        pause = after_error(build, now)
    build.note_trouble(trouble, at=now)
    if build.is_final and not was_final:
        log.info("build %s %s %s", build, build.status, build.reason_code)
        build_finished.send(sender=Build, build=build)
        wake(startable(), now=timezone.now())
    set_alarm(build, reconcile_build, pause, build_id=build_id)


def after_error(row: Troubled, now: datetime) -> timedelta:
    lasted = now - (row.trouble_since or now)
    return max(AFTER_ERROR, min(lasted / 4, LONGEST_AFTER_ERROR))


def set_alarm(row: Watched, task: Task, pause: timedelta | None, **ids: int) -> None:
    """Note when a claimed row is to be looked at next, and have the task called then.

    A long pause needs no message: the sweep finds the row when its time has come.
    """
    if not row.look_again(None if pause is None else timezone.now() + pause):
        # However many woke it during the look, one more is enough.
        pause = timedelta(0)
    if pause is not None and pause < SWEEP_INTERVAL:
        task.apply_async(kwargs=ids, countdown=pause.total_seconds())


def look_now(row: Watched, task: Task, *, now: datetime, **ids: int) -> None:
    """Have the row looked at now, once the transaction is through."""
    type(row)._base_manager.filter(pk=row.pk).update(next_look_at=now)
    tell(task, **ids)


def tell(task: Task, **ids: int) -> None:
    """Have the task called once the transaction is through.

    Whoever asked is not told that the queue is away: a sweep finds what is due.
    """
    on_commit(lambda: task.delay(**ids), robust=True)


def wake(build_ids: list[int], *, now: datetime) -> None:
    """Have these builds looked at now."""
    Build.objects.filter(pk__in=build_ids).update(next_look_at=now)
    for build_id in build_ids:
        tell(reconcile_build, build_id=build_id)


@shared_task
def sweep() -> None:
    """Find the builds whose alarm or watcher was lost, and those that never started."""
    now = timezone.now()
    Build.objects.abandoned(now).update(is_followed=False, next_look_at=now)
    overdue = Build.objects.overdue(now - LATE).values_list("pk", flat=True)
    tell_of(overdue, reconcile_build, "build_id")


def tell_of(overdue: QuerySet[Any, int], task: Task, name: str) -> None:
    """Have the first of them looked at; whoever is not told of is the longest overdue next time."""
    for pk in overdue[:SWEPT_AT_ONCE]:
        task.apply_async(kwargs={name: pk}, expires=SWEPT_FOR.total_seconds())


@shared_task
def prune_clusters() -> None:
    """Remove from every cluster what is there for builds that nobody waits for."""
    for cluster in Cluster.objects.exclude(is_reachable=False):
        try:
            removed = prune(cluster, now=timezone.now())
        except ClusterError as error:
            log.warning("builds in %s: %s", cluster, error)
            continue
        for each in removed:
            log.info("removed %s from %s: no build waits for it", each, cluster)
