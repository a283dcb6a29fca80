"""Take over what builds in a cluster print, as they print it: a part of the cluster's watcher.

A thread for each build reads, a few write. Both they and the looks of the worker go on from the
place that the build's row names, so that whoever comes second stores nothing twice.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from time import monotonic
from typing import TypeVar

from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from builds import logs
from builds.engines.base import EngineError
from builds.engines.kubernetes import KubernetesBuildEngine
from builds.models import Build
from builds.placing import engine_in
from builds.reconcile import secrets_of
from portal.cluster.base import ClusterError
from portal.clusters.models import Cluster

log = logging.getLogger(__name__)
Result = TypeVar("Result")
# How long a cluster counts as watched without another word.
WATCHED = timedelta(seconds=15)
# Threads that write, each with a connection to the database; builds that are followed at once.
WRITERS, AT_MOST = 4, 1000
# Seconds until a build is asked for again; longer and longer while nothing new comes.
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0
# Bytes that may wait for being written.
HELD = 1024 * 1024


class Following:
    """The builds of one cluster."""

    def __init__(self, cluster_id: int) -> None:
        self._cluster_id = cluster_id
        self._followers: dict[int, Follower] = {}
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="log")
        self._is_working = False

    def tend(self, *, is_working: bool) -> None:
        """Call it every few seconds. Raises DatabaseError."""
        if not is_working:
            for follower in self._followers.values():
                follower.stopping.set()
            self._is_working, self._followers = False, {}
            return
        builds = Build.objects.filter(cluster=self._cluster_id)
        if not self._is_working:
            builds.filter(is_followed=True).update(is_followed=False)
            self._is_working = True
        until = timezone.now() + WATCHED
        Cluster.objects.filter(pk=self._cluster_id).update(watched_until=until)
        alive = {pk: each for pk, each in self._followers.items() if each.is_alive()}
        wanted = builds.running().filter(stop_as="").exclude(steps=[]).exclude(pk__in=alive)
        for pk in wanted.values_list("pk", flat=True)[: AT_MOST - len(alive)]:
            alive[pk] = Follower(pk, self._writers)
            alive[pk].start()
        self._followers = alive


class Follower(threading.Thread):
    """Follows one build until it is over, or to be stopped."""

    def __init__(self, build_id: int, writers: ThreadPoolExecutor) -> None:
        super().__init__(name=f"build {build_id}", daemon=True)
        self.stopping = threading.Event()
        self._build_id, self._writers = build_id, writers
        self._turn = threading.Condition()
        self._waiting, self._until = bytearray(), 0
        self._is_writing = self._is_behind = False

    def run(self) -> None:
        pause = FIRST_PAUSE
        try:
            while not self.stopping.is_set() and (ready := self._in_turn(self._prepare)):
                began = monotonic()
                has_come = self._follow(*ready)
                is_new = has_come or monotonic() - began > LONGEST_PAUSE
                pause = FIRST_PAUSE if is_new else min(pause * 2, LONGEST_PAUSE)
                self.stopping.wait(pause)
        except (ClusterError, EngineError, DatabaseError) as error:
            log.warning("following build %s: %s", self._build_id, error)
        finally:
            # The worker reads until the watcher begins with another one.
            with suppress(DatabaseError):
                self._in_turn(self._let_go)

    def _in_turn(self, work: Callable[[], Result]) -> Result:
        """Have a thread that writes do it: not each of those that read keeps a connection."""

        def do() -> Result:
            try:
                return work()
            finally:
                close_old_connections()

        return self._writers.submit(do).result()

    def _prepare(self) -> tuple[Build, KubernetesBuildEngine, list[str]] | None:
        builds = Build.objects.running().filter(pk=self._build_id, stop_as="")
        build = builds.select_related("tool", "cluster").first()
        if build is None or build.cluster is None:
            return None
        engine = engine_in(build.cluster, build.tool.name)
        if build.log_size >= engine.output_limit:
            return None
        if not build.is_followed:
            builds.update(is_followed=True)
        return build, engine, secrets_of(build)

    def _let_go(self) -> None:
        mine = Build.objects.running().filter(pk=self._build_id)
        mine.update(is_followed=False, next_look_at=timezone.now())

    def _follow(self, build: Build, engine: KubernetesBuildEngine, secrets: list[str]) -> bool:
        """Take over what comes until it ends; whether anything came. Raises EngineError."""
        self._is_behind, has_come = False, False

        def write() -> None:
            self._write(build, secrets)

        for output in engine.follow(build.order({}), since=build.log_source_offset):
            has_come = True
            with self._turn:
                self._waiting += output.data
                self._until = output.until or 0
                if not self._is_writing:
                    self._is_writing = True
                    self._writers.submit(write)
                self._turn.wait_for(lambda: len(self._waiting) < HELD)
            is_enough = build.log_size >= engine.output_limit
            if self._is_behind or is_enough or self.stopping.is_set():
                break
        with self._turn:
            self._turn.wait_for(lambda: not self._is_writing)
        return has_come

    def _write(self, build: Build, secrets: list[str]) -> None:
        """Store what waits, and what comes meanwhile; somebody else may have been first."""
        while True:
            with self._turn:
                raw, until = bytes(self._waiting), self._until
                self._waiting.clear()
                self._turn.notify_all()
                if self._is_behind or not raw:
                    self._is_writing = False
                    return
            is_stored, now = False, timezone.now()
            try:
                is_stored = logs.append(build, raw, secrets=secrets, at=now, until=until)
            except Exception:
                # Somebody waits for this thread, whatever went wrong here; it is read again.
                log.exception("log of %s", build)
            finally:
                close_old_connections()
            self._is_behind = not is_stored
