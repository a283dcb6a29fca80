"""One of several: whoever holds the Lease does the work, the others wait for it to run out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from portal.cluster.base import MANAGER, OWNER_LABEL, Absent, Cluster, Conflict, Manifest, below
from portal.cluster.kinds import LEASE

SECONDS = 10


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Stamp:
    """A lease at some time: each cluster has its own, and nobody but watchers writes it."""

    uid: str
    # Versions are integers that grow: https://kubernetes.io/docs/reference/using-api/api-concepts/
    version: int

    def follows(self, earlier: "Stamp") -> bool:
        """False in another cluster, and in this one after it was put back to an older state."""
        return self.uid == earlier.uid and self.version >= earlier.version


class Lease:
    """Call `hold` well within every `seconds`."""

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        *,
        namespace: str,
        identity: str,
        seconds: int = SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._cluster, self._name, self._namespace = cluster, name, namespace
        self._identity, self._seconds, self._clock = identity, seconds, clock
        # What another holder wrote last, and when this process saw it first: clocks may differ.
        self._seen: tuple[str, float] = ("", 0.0)
        # When this process renewed it last, as written there; "" before it ever held it.
        self._renewed = ""
        # Nobody took the lease, and yet what this process wrote last is not there: the cluster is
        # back at an earlier state, and what was known of it does not hold.
        self.was_undone = False
        # What the last call of `hold` found, and left; None if there was none, or nobody knows.
        self.found: Stamp | None = None
        self.left: Stamp | None = None

    def hold(self) -> bool:
        """Take or keep the lease; False while another holds it. Raises ClusterError."""
        there = self._cluster.get(LEASE, self._name, namespace=self._namespace)
        found = below(there or {}, "spec")
        self.found, self.left = _stamp(there), None
        self.was_undone = bool(self._renewed) and found.get("renewTime") != self._renewed
        if there is None:
            return self._make()
        if not self._is_free(there):
            self._renewed = ""
            return False
        spec = self._spec()
        changes: Manifest = {
            "metadata": {"resourceVersion": there["metadata"]["resourceVersion"]},
            "spec": spec,
        }
        try:
            left = self._cluster.merge(LEASE, self._name, changes, namespace=self._namespace)
        except Conflict:
            self._renewed = ""
            return False
        self.left = _stamp(left)
        self._renewed = spec["renewTime"]
        return True

    def _is_free(self, there: Manifest) -> bool:
        spec = below(there, "spec")
        if spec.get("holderIdentity") in (self._identity, "", None):
            return True
        written, now = f"{spec['holderIdentity']} {spec.get('renewTime')}", self._clock()
        if written != self._seen[0]:
            self._seen = (written, now)
        return now - self._seen[1] > spec.get("leaseDurationSeconds", self._seconds)

    def _spec(self) -> Manifest:
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": self._seconds,
            "renewTime": _now().isoformat(timespec="microseconds").replace("+00:00", "Z"),
        }

    def _make(self) -> bool:
        labels, spec = {OWNER_LABEL: MANAGER}, self._spec()
        metadata = {"namespace": self._namespace, "name": self._name, "labels": labels}
        lease = {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.name,
            "metadata": metadata,
            "spec": spec,
        }
        try:
            is_held = self._cluster.create(lease)
        except Absent:
            place = {"name": self._namespace, "labels": labels}
            self._cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": place})
            is_held = self._cluster.create(lease)
        self._renewed = spec["renewTime"] if is_held else ""
        return is_held

    def release(self) -> None:
        """Let another take over at once. Raises ClusterError."""
        there = self._cluster.get(LEASE, self._name, namespace=self._namespace)
        if there and below(there, "spec").get("holderIdentity") == self._identity:
            changes = {"spec": {"holderIdentity": ""}}
            self._cluster.merge(LEASE, self._name, changes, namespace=self._namespace)


def _stamp(lease: Manifest | None) -> Stamp | None:
    metadata = below(lease or {}, "metadata")
    version = str(metadata.get("resourceVersion"))
    return Stamp(str(metadata.get("uid")), int(version)) if version.isdecimal() else None
