"""Follow what happens to the objects of one kind."""

import logging
import random
import threading
from collections.abc import Callable, Mapping

from portal.cluster.base import Change, Cluster, ClusterError, WatchExpired
from portal.cluster.kinds import Kind

log = logging.getLogger(__name__)
# Seconds to wait after a fault; doubles with each, less a random part so that not all come at once.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
# How long one watch lasts at most; the next one goes on where it ended.
WATCH_SECONDS = 300


class NotTaken(ClusterError):
    """Whoever was told could not take it in, such as a database that is away: tell it again."""


class Informer:
    """Says at the start that anything may have happened, and tells of every change after that.

    A connection that breaks off is taken up again where it was. When the cluster has forgotten
    that place, everything begins anew: what was missed is not known, what was removed least of all.
    One that is given a place, `since`, takes up there what another one left.
    """

    def __init__(
        self,
        cluster: Cluster,
        kind: Kind,
        *,
        begin: Callable[[], None],
        tell: Callable[[Change], None],
        labels: Mapping[str, str] | None = None,
        watch_seconds: int = WATCH_SECONDS,
        since: str = "",
    ) -> None:
        self.kind, self._cluster, self._labels = kind, cluster, labels
        self._begin, self._tell = begin, tell
        self._seconds = watch_seconds
        # Whether it hears of what happens.
        self.is_well = False
        # From where to watch on; "" when it has to begin.
        self.since = since

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set; a watch under way ends at its next event or its time."""
        faults = 0
        while not stop.is_set():
            try:
                self.step(stop)
                faults = 0
            except WatchExpired:
                self.since, self.is_well = "", False
            except Exception as error:
                # Also what nobody thought of: this thread's end would go unnoticed.
                faults += 1
                self.is_well = False
                pause, is_strange = pause_after(faults), not isinstance(error, ClusterError)
                text = "watching %s: %s; again in %.1f s"
                log.warning(text, self.kind.plural, error, pause, exc_info=is_strange)
                stop.wait(pause)

    def step(self, stop: threading.Event) -> None:
        """Begin if need be, and watch once. Raises ClusterError."""
        if not self.since:
            # First the place, then the beginning: nothing is lost between the two.
            since = self._cluster.position(self.kind, labels=self._labels)
            self._begin()
            self.since = since
        self.is_well = True
        changes = self._cluster.watch(
            self.kind, since=self.since, labels=self._labels, seconds=self._seconds
        )
        for change in changes:
            # A bookmark says only how far the watch has come.
            if change.type != "BOOKMARK":
                self._tell(change)
            self.since = change.resource_version
            if stop.is_set():
                return


def pause_after(faults: int) -> float:
    """Seconds to wait after so many faults in a row."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(faults - 1, 10))
    return longest * random.uniform(0.5, 1.0)
