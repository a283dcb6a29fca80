"""What the portal asks of a cluster: verbs that can be repeated, each with a time-out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from portal.cluster.kinds import Kind

Manifest = dict[str, Any]
# Who writes: the field manager of server-side apply, and the label that marks what is the portal's.
MANAGER = "portal"
OWNER_LABEL = "app.kubernetes.io/managed-by"


class ClusterError(Exception):
    """The cluster did not do what was asked; the message says why, for people."""


class ClusterUnavailable(ClusterError):
    """Nobody answered, or not in time, or with a fault of the cluster's own: ask again later."""


class CredentialsRefused(ClusterUnavailable):
    """The cluster does not know the portal: its token ran out, or was taken away."""


class NotAllowed(ClusterUnavailable):
    """The portal's account lacks a right. Nothing is wrong with what was asked: ask again later."""


class ClusterRefused(ClusterError):
    """The cluster understood and said no: a quota, an admission rule."""

    def __init__(self, message: str, *, status: int = 422) -> None:
        super().__init__(message)
        self.status = status


class Conflict(ClusterError):
    """Somebody else changed the object since it was read."""


class ForeignObject(ClusterError):
    """An object of this name belongs to somebody else; the portal leaves it alone."""


class Absent(ClusterError):
    """What the object needs is not there: its namespace, or the kind itself."""


class WatchExpired(ClusterError):
    """What happened since is forgotten (410): list again."""


@dataclass(frozen=True)
class Listing:
    """Objects as they were at a moment, and the version from which to watch on."""

    items: Sequence[Manifest]
    resource_version: str


@dataclass(frozen=True)
class Change:
    """Something that happened to an object: ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: Manifest

    @property
    def resource_version(self) -> str:
        return str(self.object["metadata"].get("resourceVersion", ""))


@dataclass(frozen=True)
class Right:
    """Something that the portal needs to be allowed to do."""

    verb: str
    group: str
    resource: str  # may name a subresource, such as "pods/log"
    namespace: str = ""


@dataclass(frozen=True)
class Access:
    """How a cluster is reached: a context of a kubeconfig, from inside, or an address and token."""

    kubeconfig: str = ""
    context: str = ""
    server: str = ""
    token_file: str = ""
    ca_file: str = ""
    is_inside: bool = False
    # Which made-up cluster, for development.
    memory: str = ""
    # Seconds: to connect, and to wait for an answer.
    timeouts: tuple[float, float] = field(default=(3.05, 10.0))


class Cluster(Protocol):
    """A cluster's API server."""

    def version(self) -> str:
        """Such as "v1.36.0". Raises ClusterError, as every verb does."""

    def may(self, right: Right) -> bool:
        """Whether the portal is allowed to."""

    def get(self, kind: Kind, name: str, *, namespace: str = "") -> Manifest | None: ...

    def list(
        self, kind: Kind, *, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> Listing:
        """All objects of a kind, in one namespace or in all, that have these labels."""

    def position(self, kind: Kind, *, labels: Mapping[str, str] | None = None) -> str:
        """The version from which to watch to hear of everything that happens from now on."""

    def create(self, manifest: Manifest) -> bool:
        """Make the object; False if it was made before. Raises ForeignObject."""

    def apply(self, manifest: Manifest, *, there: Manifest | None = None) -> Manifest:
        """Have the object be as the manifest says, as far as the manifest says anything.

        What others set beside it stays; what was set before and is no longer named goes. Nothing
        is written where it is so already; `there` is the object as just read, {} if it was not
        there, which saves reading it again. Raises ForeignObject if it is there and does not have
        the portal's label.
        """

    def merge(self, kind: Kind, name: str, changes: Manifest, *, namespace: str = "") -> Manifest:
        """Change some fields. Raises Conflict if `changes` names a resourceVersion that is old."""

    def delete(self, kind: Kind, name: str, *, namespace: str = "") -> None:
        """Have the object and what it owns go; its being gone already is success."""

    def watch(
        self,
        kind: Kind,
        *,
        since: str,
        namespace: str = "",
        labels: Mapping[str, str] | None = None,
        seconds: int = 300,
    ) -> Iterator[Change]:
        """What happens from a version on, for `seconds` at most. Raises WatchExpired."""

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
        """What a container printed, at most `limit` bytes; empty if there is nothing (yet).

        `since` counts in whole seconds. With `is_stamped` each line begins with its time.
        """

    def follow(
        self, pod: str, container: str, *, namespace: str, since: datetime | None = None
    ) -> Iterator[bytes]:
        """What a container prints, as it does; each line begins with its time.

        It ends with the container, or after a long silence; goes on over a rotation of the log.
        """


def below(manifest: Manifest, *names: str) -> Manifest:
    """What stands in an object below these names; {} where one of them is left out, or null."""
    for name in names:
        manifest = manifest.get(name) or {}
    return manifest


def condition(manifest: Manifest, kind: str) -> Manifest:
    """What an object's status says about one thing; {} while it says nothing."""
    conditions = below(manifest, "status").get("conditions") or []
    return next((each for each in conditions if each.get("type") == kind), {})


def has_ended(pod: Manifest) -> bool:
    return below(pod, "status").get("phase") in ("Succeeded", "Failed")


def is_ours(manifest: Manifest) -> bool:
    return below(manifest, "metadata", "labels").get(OWNER_LABEL) == MANAGER


def selector(labels: Mapping[str, str] | None) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted((labels or {}).items()))


def named(manifest: Manifest) -> str:
    """An object in words, such as "Deployment tool-hat/hat"."""
    metadata = manifest["metadata"]
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{manifest['kind']} {place}{metadata['name']}"
