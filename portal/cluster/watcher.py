"""Hold a cluster's lease, and tell of what happens there for as long as it is held."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from portal.cluster.base import MANAGER, OWNER_LABEL, Change, Cluster, ClusterError
from portal.cluster.informer import Informer, pause_after
from portal.cluster.kinds import Kind
from portal.cluster.lease import SECONDS, Lease, Stamp

log = logging.getLogger(__name__)
# One watch; a watcher that is told to stop waits for no longer than this.
WATCH_SECONDS = 60


@dataclass(frozen=True)
class Mark:
    """How far a watcher had told of everything, when the lease stood so."""

    lease: Stamp
    # By the plural of each kind.
    positions: Mapping[str, str]


class Marks(Protocol):
    """Where a watcher leaves its mark for the next one. Both raise ClusterError."""

    def read(self) -> Mark | None: ...

    def write(self, mark: Mark) -> None: ...


class Watcher:
    """Of several for the same cluster one works, and the others stand by.

    `begin` is called when it is not known what was missed, `tell` for each change after that, and
    `tend` every few seconds with whether this one works; not while it works and hears nothing.
    Where marks are kept, whoever takes over goes on where the last one was, and need not begin.
    """

    def __init__(
        self,
        cluster: Cluster,
        kinds: Iterable[Kind],
        *,
        namespace: str,
        identity: str,
        begin: Callable[[], None],
        tell: Callable[[Change], None],
        tend: Callable[[bool], None] = lambda is_working: None,
        marks: Marks | None = None,
        seconds: int = SECONDS,
        watch_seconds: int = WATCH_SECONDS,
    ) -> None:
        self._cluster, self._kinds = cluster, tuple(kinds)
        self._begin, self._tell, self._tend = begin, tell, tend
        self._marks = marks
        self._watch_seconds, self._renew_every = watch_seconds, seconds / 3
        self._lease = Lease(
            cluster, "watcher", namespace=namespace, identity=identity, seconds=seconds
        )
        # Set to end the informers at work; None while another watcher works.
        self._lost: threading.Event | None = None
        self._informers: list[Informer] = []

    @property
    def is_working(self) -> bool:
        return self._lost is not None

    def run(self, stop: threading.Event) -> None:
        faults = 0
        while not stop.is_set():
            try:
                self._work(is_held=self._lease.hold())
                # One that stands by has no informers, and left nothing in the lease.
                if all(each.is_well for each in self._informers):
                    self._tend(self.is_working)
                    self._leave_mark({each.kind.plural: each.since for each in self._informers})
                faults = 0
            except ClusterError as error:
                # Whoever cannot renew does not know whether it still holds the lease. Waking a
                # row twice costs nothing, so the watches go on and come back by themselves.
                faults += 1
                log.warning("a watcher's lease: %s", error)
                stop.wait(pause_after(faults))
                continue
            stop.wait(self._renew_every)
        if self._lost:
            self._cease()
            with suppress(ClusterError):
                self._tend(False)
            with suppress(ClusterError):
                self._lease.release()

    def _work(self, *, is_held: bool) -> None:
        if self._lost and (not is_held or self._lease.was_undone):
            self._cease()
        if is_held and not self._lost:
            self._lost = self._follow()

    def _cease(self) -> None:
        if self._lost:
            self._lost.set()
        self._lost = None
        self._informers = []

    def _follow(self) -> threading.Event:
        """Start to follow every kind; the event ends it."""
        lost, positions = threading.Event(), self._positions()
        for kind in self._kinds:
            informer = Informer(
                self._cluster,
                kind,
                begin=self._begin,
                tell=self._tell,
                labels={OWNER_LABEL: MANAGER},
                watch_seconds=self._watch_seconds,
                since=positions.get(kind.plural, ""),
            )
            self._informers.append(informer)
            threading.Thread(target=partial(informer.run, lost), daemon=True).start()
        return lost

    def _leave_mark(self, positions: Mapping[str, str]) -> None:
        if self._marks and self._lease.left:
            self._marks.write(Mark(self._lease.left, positions))

    def _positions(self) -> Mapping[str, str]:
        """Where the last one was, if this is the same cluster and it was not put back since."""
        mark = self._marks.read() if self._marks else None
        if mark is None:
            return {}
        found = self._lease.found
        if found and found.follows(mark.lease):
            return mark.positions
        # Should this one end before it knows of everything, the next must not trust the old mark.
        self._leave_mark({})
        return {}
