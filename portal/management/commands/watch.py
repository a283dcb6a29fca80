"""Watch every cluster, and have the rows looked at whose objects changed."""

import logging
import os
import signal
import socket
import threading
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from builds.engines.pipeline import BUILD_LABEL
from builds.following import Following
from portal.cluster.base import Access, Change
from portal.cluster.informer import NotTaken
from portal.cluster.kinds import (
    DEPLOYMENT,
    INGRESS,
    LIMIT_RANGE,
    NAMESPACE,
    NETWORK_POLICY,
    PIPELINE_RUN,
    POD,
    RESOURCE_QUOTA,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    TASK_RUN,
)
from portal.cluster.watcher import Mark, Watcher
from portal.clusters.connections import access_of, connect
from portal.clusters.models import Cluster as ClusterRow
from portal.clusters.models import WatchMark
from portal.waking import mend, wake, wake_all

log = logging.getLogger(__name__)
# What builds and webservices are made of, and what homes are.
WORK = (PIPELINE_RUN, TASK_RUN, POD, DEPLOYMENT, SERVICE, INGRESS)
HOMES = (NAMESPACE, NETWORK_POLICY, RESOURCE_QUOTA, LIMIT_RANGE, SERVICE_ACCOUNT, SECRET)
_HOMES = {kind.name for kind in HOMES}
# Seconds: how often new clusters are looked for, and how long the end of a watcher may take.
LOOK_EVERY, GRACE = 10.0, 5.0


class Command(BaseCommand):
    help = "Watch every cluster; of several watchers one works and the others stand by."

    def add_arguments(self, parser: ArgumentParser) -> None:
        own = f"{socket.gethostname()}-{os.getpid()}"
        about = "who holds the leases; whoever comes after it by the same name need not wait"
        parser.add_argument("--name", default=own, help=about)

    def handle(self, *, name: str, **_options: object) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_args: stop.set())
        crew = Crew(partial(watch_cluster, name=name))
        while not stop.is_set():
            close_old_connections()
            crew.attend(ClusterRow.objects.exclude(way=ClusterRow.Way.MEMORY))
            stop.wait(LOOK_EVERY)
        crew.attend([])


class Crew:
    """A thread for each cluster, which works until its event is set."""

    def __init__(self, work: Callable[[ClusterRow, threading.Event], None]) -> None:
        self._work = work
        self._posts: dict[int, Post] = {}

    def attend(self, rows: Iterable[ClusterRow]) -> None:
        """Begin with clusters that are new, end with those that are not named; see to the rest.

        One that is reached in another way now, or whose thread ended, is begun anew.
        """
        ways = {row.pk: (row, access_of(row)) for row in rows}
        ended = [
            pk
            for pk, post in self._posts.items()
            if pk not in ways or post.way != ways[pk][1] or not post.thread.is_alive()
        ]
        # Each lets go of its lease, so that another takes over at once.
        for pk in ended:
            self._posts[pk].stop.set()
        for pk in ended:
            self._posts.pop(pk).thread.join(timeout=GRACE)
        for pk, (row, way) in ways.items():
            if pk not in self._posts:
                log.info("watching %s", row)
                self._posts[pk] = self._begin(row, way)

    def _begin(self, row: ClusterRow, way: Access) -> "Post":
        stop = threading.Event()
        thread = threading.Thread(target=self._work, args=(row, stop), daemon=True)
        thread.start()
        return Post(way, stop, thread)


@dataclass(frozen=True)
class Post:
    way: Access
    stop: threading.Event
    thread: threading.Thread


def watch_cluster(row: ClusterRow, stop: threading.Event, *, name: str) -> None:
    following = Following(row.pk)
    watcher = Watcher(
        connect(row),
        WORK + HOMES,
        namespace=settings.CLUSTER_NAMESPACE,
        identity=name,
        begin=partial(begin, cluster_id=row.pk),
        tend=partial(tend, following),
        tell=partial(hear, cluster_id=row.pk),
        marks=KeptMarks(row.pk),
    )
    watcher.run(stop)


def begin(*, cluster_id: int) -> None:
    with database() as now:
        wake_all(cluster_id=cluster_id, now=now)


def tend(following: Following, is_working: bool) -> None:
    with database():
        following.tend(is_working=is_working)


def hear(change: Change, *, cluster_id: int) -> None:
    with database() as now:
        _wake(change, cluster_id=cluster_id, now=now)


def _wake(change: Change, *, cluster_id: int, now: datetime) -> None:
    kind = change.object["kind"]
    if kind in _HOMES:
        mend(change, cluster_id=cluster_id, now=now)
    if kind == POD.name and BUILD_LABEL in (change.object["metadata"].get("labels") or {}):
        # Its task says the same, and a little later: a look in between would see half of it.
        return
    # Secrets are both: of homes, and of what builds and releases are given.
    if kind not in _HOMES or kind == SECRET.name:
        wake(change.object, cluster_id=cluster_id, now=now)


class KeptMarks:
    """The marks of one cluster's watchers, in the database."""

    def __init__(self, cluster_id: int) -> None:
        self._cluster_id = cluster_id

    def read(self) -> Mark | None:
        with database():
            row = WatchMark.objects.filter(cluster=self._cluster_id).first()
        return row.mark if row else None

    def write(self, mark: Mark) -> None:
        with database():
            WatchMark.leave(self._cluster_id, mark)


@contextmanager
def database() -> Iterator[datetime]:
    """Gives the time. A change that the database does not take in now is told again."""
    close_old_connections()
    try:
        yield timezone.now()
    except DatabaseError as error:
        raise NotTaken(f"the database: {error}") from error
