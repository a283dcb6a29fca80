"""Watch every cluster, and have the rows looked at whose objects changed."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import close_old_connections
from django.utils import timezone

from portal.cluster.base import MANAGER, OWNER_LABEL, Change, Cluster, ClusterError
from portal.cluster.informer import Informer, pause_after
from portal.cluster.kinds import DEPLOYMENT, PIPELINE_RUN, POD
from portal.cluster.lease import SECONDS, Lease
from portal.clusters.connections import connect
from portal.clusters.models import Cluster as ClusterRow
from portal.waking import wake

log = logging.getLogger(__name__)
KINDS = (PIPELINE_RUN, POD, DEPLOYMENT)
# Seconds: how often the lease is renewed, and how often new clusters are looked for.
RENEW_EVERY, LOOK_EVERY = SECONDS / 3, 10.0
GRACE = 5.0
# One watch; a watcher that is told to stop waits for no longer than this.
WATCH_SECONDS = 60


class Command(BaseCommand):
    help = "Watch every cluster; of several watchers one works and the others stand by."

    def handle(self, *_words: object, **_options: object) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_args: stop.set())
        watched: dict[int, threading.Thread] = {}
        while not stop.is_set():
            close_old_connections()
            for row in ClusterRow.objects.exclude(way=ClusterRow.Way.MEMORY):
                if row.pk not in watched:
                    log.info("watching %s", row)
                    watched[row.pk] = _start(partial(watch_cluster, row, stop))
            stop.wait(LOOK_EVERY)
        # Each lets go of its lease, so that another watcher takes over at once.
        for thread in watched.values():
            thread.join(timeout=GRACE)


def _start(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def watch_cluster(row: ClusterRow, stop: threading.Event) -> None:
    """Hold the cluster's lease, and follow its objects for as long as it is held."""
    cluster = connect(row)
    identity = f"{socket.gethostname()}-{os.getpid()}"
    lease = Lease(cluster, "watcher", namespace=settings.CLUSTER_NAMESPACE, identity=identity)
    faults = 0
    lost: threading.Event | None = None
    while not stop.is_set():
        try:
            is_held = lease.hold()
            faults = 0
        except ClusterError as error:
            # Whoever cannot renew does not know whether it still holds the lease. Waking a row
            # twice costs nothing, so the watches go on and come back by themselves.
            faults += 1
            log.warning("the lease of %s: %s", row, error)
            stop.wait(pause_after(faults))
            continue
        if is_held and lost is None:
            lost = follow(row, cluster)
        elif not is_held and lost is not None:
            lost.set()
            lost = None
        stop.wait(RENEW_EVERY)
    if lost is not None:
        lost.set()
        with suppress(ClusterError):
            lease.release()


def follow(row: ClusterRow, cluster: Cluster) -> threading.Event:
    """Start to follow every kind; the event ends it."""
    lost = threading.Event()
    for kind in KINDS:
        informer = Informer(
            cluster,
            kind,
            tell=partial(_tell, row.pk),
            labels={OWNER_LABEL: MANAGER},
            watch_seconds=WATCH_SECONDS,
        )
        _start(partial(informer.run, lost))
    return lost


def _tell(cluster_id: int, change: Change) -> None:
    close_old_connections()
    wake(change.object, cluster_id=cluster_id, now=timezone.now())
