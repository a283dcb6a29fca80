"""A cluster in memory: it keeps objects as an API server does, and runs nothing.

Development and fast tests use it; who plays the controllers writes with `put` and `set_status`.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from uuid import uuid4

from portal.cluster.base import (
    Absent,
    Change,
    ClusterError,
    Conflict,
    ForeignObject,
    Listing,
    Manifest,
    Right,
    WatchExpired,
    is_ours,
    named,
)
from portal.cluster.drift import is_as_wanted, stamped
from portal.cluster.kinds import NAMESPACE, Key, Kind, key_of

_FIRST_LINE = datetime(2026, 1, 1, tzinfo=UTC)
# What the server sets itself, whatever a writer says.
_KEPT = ("uid", "creationTimestamp", "resourceVersion")


@dataclass
class MemoryCluster:
    """A Cluster that remembers."""

    objects: dict[Key, Manifest] = field(default_factory=dict)
    printed: dict[tuple[str, str, str], bytes] = field(default_factory=dict)
    # How many lines were printed before, and are gone.
    rotated: dict[tuple[str, str, str], int] = field(default_factory=dict)
    denied: set[Right] = field(default_factory=set)
    # Raised by every verb while it is set: the cluster is away, or the token ran out.
    fault: ClusterError | None = None
    # Every verb that was used, in order: (verb, kind).
    requests: list[tuple[str, str]] = field(default_factory=list)
    _applied: dict[Key, Manifest] = field(default_factory=dict)
    _history: list[Change] = field(default_factory=list)
    _forgotten: int = 0
    _version: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def _enter(self, verb: str, kind: str) -> None:
        self.requests.append((verb, kind))
        if self.fault:
            raise self.fault

    def version(self) -> str:
        self._enter("version", "")
        return "v0.0.0-memory"

    def may(self, right: Right) -> bool:
        self._enter("may", right.resource)
        return right not in self.denied

    def get(self, kind: Kind, name: str, *, namespace: str = "") -> Manifest | None:
        self._enter("get", kind.name)
        return deepcopy(self.objects.get((kind.name, namespace, name)))

    def list(
        self, kind: Kind, *, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> Listing:
        self._enter("list", kind.name)
        with self._changed:
            found = [
                deepcopy(item)
                for _key, item in sorted(self.objects.items())
                if _is_meant(item, kind, namespace, labels)
            ]
            return Listing(found, str(self._version))

    def position(self, kind: Kind, *, labels: Mapping[str, str] | None = None) -> str:
        self._enter("position", kind.name)
        return str(self._version)

    def create(self, manifest: Manifest) -> bool:
        key = key_of(manifest)
        self._enter("create", key[0])
        with self._changed:
            self._need_namespace(manifest)
            if key in self.objects:
                if not is_ours(self.objects[key]):
                    raise ForeignObject(f"{named(manifest)} is not the portal's.")
                return False
            self._store(manifest, "ADDED")
        return True

    def apply(self, manifest: Manifest, *, there: Manifest | None = None) -> Manifest:
        key = key_of(manifest)
        if there is None:
            self._enter("get", key[0])
        with self._changed:
            there = self.objects.get(key)
            manifest = stamped(manifest)
            if there and is_ours(there) and is_as_wanted(there, manifest):
                return deepcopy(there)
            self._enter("apply", key[0])
            if there is None:
                self._need_namespace(manifest)
                self._store(manifest, "ADDED")
            else:
                if not is_ours(there):
                    raise ForeignObject(f"{named(manifest)} is not the portal's.")
                wanted = _merged(_without(there, self._applied.get(key, {}), manifest), manifest)
                if wanted != there:
                    self._store(wanted, "MODIFIED")
            self._applied[key] = deepcopy(manifest)
            return deepcopy(self.objects[key])

    def merge(self, kind: Kind, name: str, changes: Manifest, *, namespace: str = "") -> Manifest:
        self._enter("merge", kind.name)
        key = (kind.name, namespace, name)
        with self._changed:
            there = self.objects.get(key)
            if there is None:
                raise Absent(f"{kind.name} {name} is not there.")
            asked = changes.get("metadata", {}).get("resourceVersion")
            if asked and asked != there["metadata"]["resourceVersion"]:
                raise Conflict(f"{kind.name} {name} was changed meanwhile.")
            self._store(_merged(there, changes), "MODIFIED")
            return deepcopy(self.objects[key])

    def delete(self, kind: Kind, name: str, *, namespace: str = "") -> None:
        self._enter("delete", kind.name)
        with self._changed:
            self._drop((kind.name, namespace, name))
            if kind == NAMESPACE:
                for key in [key for key in self.objects if key[1] == name]:
                    self._drop(key)

    def watch(
        self,
        kind: Kind,
        *,
        since: str,
        namespace: str = "",
        labels: Mapping[str, str] | None = None,
        seconds: int = 300,
    ) -> Iterator[Change]:
        self._enter("watch", kind.name)
        seen, until = int(since or 0), monotonic() + seconds
        if seen < self._forgotten:
            raise WatchExpired("too old resource version")
        while True:
            with self._changed:
                new = self._after(seen)
                if not new and not self._changed.wait(max(0.0, until - monotonic())):
                    return
            if self.fault:
                raise self.fault
            for change in new:
                seen = int(change.resource_version)
                if _is_meant(change.object, kind, namespace, labels):
                    yield deepcopy(change)

    def _after(self, version: int) -> Sequence[Change]:
        return [each for each in self._history if int(each.resource_version) > version]

    def logs(
        self,
        pod: str,
        container: str,
        *,
        namespace: str,
        limit: int,
        since: datetime | None = None,
        is_previous: bool = False,
        tail_lines: int | None = None,
        is_stamped: bool = False,
    ) -> bytes:
        self._enter("logs", "Pod")
        data = self.printed.get((namespace, pod, container), b"")
        if is_stamped:
            rotated = self.rotated.get((namespace, pod, container), 0)
            data = b"".join(_stamped_lines(data, rotated, since))
        if tail_lines is not None:
            data = b"".join(data.splitlines(keepends=True)[-tail_lines:])
        return data[:limit]

    def follow(
        self, pod: str, container: str, *, namespace: str, since: datetime | None = None
    ) -> Iterator[bytes]:
        """What there is; a connection that breaks off after it."""
        self._enter("follow", "Pod")
        data = self.printed.get((namespace, pod, container), b"")
        yield from _stamped_lines(data, self.rotated.get((namespace, pod, container), 0), since)

    # --- what others do in the cluster ------------------------------------------------------

    def put(self, manifest: Manifest) -> None:
        """Somebody else makes or replaces an object."""
        with self._changed:
            key = key_of(manifest)
            self._store(manifest, "MODIFIED" if key in self.objects else "ADDED")

    def set_status(self, kind: Kind, name: str, status: Manifest, *, namespace: str = "") -> None:
        """A controller says how an object stands."""
        with self._changed:
            there = self.objects[kind.name, namespace, name]
            self._store({**there, "status": status}, "MODIFIED")

    def forget_history(self) -> None:
        """Make every watch from an earlier version expire, as compaction does."""
        with self._changed:
            self._forgotten = self._version
            self._history.clear()

    def _need_namespace(self, manifest: Manifest) -> None:
        namespace = manifest["metadata"].get("namespace", "")
        if namespace and (NAMESPACE.name, "", namespace) not in self.objects:
            raise Absent(f'namespaces "{namespace}" not found')

    def _store(self, manifest: Manifest, change: str) -> None:
        key = key_of(manifest)
        there = self.objects.get(key, {"metadata": {}})
        self._version += 1
        metadata = {
            "uid": str(uuid4()),
            "creationTimestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            **manifest["metadata"],
            **{name: there["metadata"][name] for name in _KEPT if name in there["metadata"]},
            "resourceVersion": str(self._version),
        }
        if manifest.get("spec") != there.get("spec"):
            metadata["generation"] = there["metadata"].get("generation", 0) + 1
        self.objects[key] = {**deepcopy(manifest), "metadata": deepcopy(metadata)}
        self._note(change, self.objects[key])

    def _drop(self, key: Key) -> None:
        gone = self.objects.pop(key, None)
        self._applied.pop(key, None)
        if gone:
            self._version += 1
            gone["metadata"]["resourceVersion"] = str(self._version)
            self._note("DELETED", gone)

    def _note(self, change: str, manifest: Manifest) -> None:
        self._history.append(Change(change, deepcopy(manifest)))
        self._changed.notify_all()


def _stamped_lines(data: bytes, rotated: int, since: datetime | None) -> Iterator[bytes]:
    """Ten lines a second, from the beginning of the year on."""
    for number, line in enumerate(data.splitlines(keepends=True), start=rotated):
        at = _FIRST_LINE + timedelta(milliseconds=100 * number)
        if since is None or at >= since:
            yield at.strftime("%Y-%m-%dT%H:%M:%S.%f").encode() + b"000Z " + line


def _is_meant(
    manifest: Manifest, kind: Kind, namespace: str, labels: Mapping[str, str] | None
) -> bool:
    """Whether somebody who asks for a kind, in one namespace or in all, asks for this object."""
    name, place, _own_name = key_of(manifest)
    own = manifest["metadata"].get("labels") or {}
    is_there = name == kind.name and namespace in ("", place)
    return is_there and (labels or {}).items() <= own.items()


def _merged(there: Manifest, wanted: Manifest) -> Manifest:
    """`there` with what `wanted` says; None takes a field away, as in a merge patch."""
    result = dict(there)
    for name, value in wanted.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict) and isinstance(result.get(name), dict):
            result[name] = _merged(result[name], value)
        else:
            result[name] = deepcopy(value)
    return result


def _without(there: Manifest, before: Manifest, now: Manifest) -> Manifest:
    """`there` less the fields that were applied before and are not named now."""
    result = dict(there)
    for name, value in before.items():
        if name not in now:
            result.pop(name, None)
        elif isinstance(value, dict) and isinstance(result.get(name), dict):
            result[name] = _without(result[name], value, now[name] or {})
    return result
