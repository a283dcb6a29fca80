"""Which API versions a version of Kubernetes no longer has, and what of it is used."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

Version = tuple[int, int]


@dataclass(frozen=True)
class Removal:
    api_version: str
    kind: str  # "*" for all kinds of the version
    deprecated_in: Version
    removed_in: Version | None
    replacement: str


REMOVALS = (
    Removal("extensions/v1beta1", "*", (1, 14), (1, 22), "apps/v1 or networking.k8s.io/v1"),
    Removal("networking.k8s.io/v1beta1", "*", (1, 19), (1, 22), "networking.k8s.io/v1"),
    Removal("apiextensions.k8s.io/v1beta1", "*", (1, 16), (1, 22), "apiextensions.k8s.io/v1"),
    Removal(
        "admissionregistration.k8s.io/v1beta1", "*", (1, 16), (1, 22),
        "admissionregistration.k8s.io/v1",
    ),
    Removal("coordination.k8s.io/v1beta1", "Lease", (1, 19), (1, 22), "coordination.k8s.io/v1"),
    Removal(
        "rbac.authorization.k8s.io/v1beta1", "*", (1, 17), (1, 22), "rbac.authorization.k8s.io/v1"
    ),
    Removal("batch/v1beta1", "CronJob", (1, 21), (1, 25), "batch/v1"),
    Removal("discovery.k8s.io/v1beta1", "EndpointSlice", (1, 21), (1, 25), "discovery.k8s.io/v1"),
    Removal("events.k8s.io/v1beta1", "Event", (1, 19), (1, 25), "events.k8s.io/v1"),
    Removal("autoscaling/v2beta1", "*", (1, 22), (1, 25), "autoscaling/v2"),
    Removal("policy/v1beta1", "*", (1, 21), (1, 25), "policy/v1; Pod Security Admission"),
    Removal("autoscaling/v2beta2", "*", (1, 23), (1, 26), "autoscaling/v2"),
    Removal(
        "flowcontrol.apiserver.k8s.io/v1beta1", "*", (1, 23), (1, 26),
        "flowcontrol.apiserver.k8s.io/v1",
    ),
    Removal("storage.k8s.io/v1beta1", "CSIStorageCapacity", (1, 24), (1, 27), "storage.k8s.io/v1"),
    Removal(
        "flowcontrol.apiserver.k8s.io/v1beta2", "*", (1, 26), (1, 29),
        "flowcontrol.apiserver.k8s.io/v1",
    ),
    Removal(
        "flowcontrol.apiserver.k8s.io/v1beta3", "*", (1, 29), (1, 32),
        "flowcontrol.apiserver.k8s.io/v1",
    ),
    Removal("v1", "ComponentStatus", (1, 19), None, "the health endpoints of the components"),
    Removal("v1", "Endpoints", (1, 33), None, "discovery.k8s.io/v1 EndpointSlice"),
    Removal("tekton.dev/v1beta1", "*", (1, 26), None, "tekton.dev/v1"),
)  # fmt: skip


@dataclass(frozen=True)
class Use:
    """An API version that somebody uses: the portal's manifests, or a manager of an object."""

    api_version: str
    kind: str
    by: str


@dataclass(frozen=True)
class Finding:
    use: Use
    removal: Removal
    is_gone: bool  # in the target version; otherwise only deprecated


def version_of(text: str) -> Version | None:
    """(1, 36) of "v1.36.2+k3s1"; None if it is not a version."""
    found = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def findings(uses: Iterable[Use], target: Version) -> list[Finding]:
    """What of the uses is deprecated or gone in the target version; the gone first."""
    found = [
        Finding(use, removal, bool(removal.removed_in and removal.removed_in <= target))
        for use in sorted(set(uses), key=lambda use: (use.api_version, use.kind, use.by))
        for removal in REMOVALS
        if removal.api_version == use.api_version
        and removal.kind in ("*", use.kind)
        and removal.deprecated_in <= target
    ]
    return sorted(found, key=lambda finding: not finding.is_gone)
