"""A tool's home in a cluster: two namespaces with walls, as pure functions that make manifests.

`tool-hat` holds what the tool runs, `build-hat` what builds it: neither can use up the other's
quota, and only the second has credentials that may push.
"""

import base64
from dataclasses import dataclass

from portal.cluster.base import MANAGER, OWNER_LABEL, Manifest

TOOL_LABEL = "portal.example.org/tool"
ROLE_LABEL = "portal.example.org/role"
# Of the Secret with the registry's credentials, in both namespaces.
REGISTRY_SECRET = "registry"
# Without a token and without rights: neither builds nor tools speak to the API server.
ACCOUNT = "tool"
# Addresses that are not the open internet: builds and tools cannot reach them.
PRIVATE = (
    "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.168.0.0/16", "198.18.0.0/15",
)  # fmt: skip
PRIVATE_6 = ("fc00::/7", "fe80::/10", "::1/128")


@dataclass(frozen=True)
class Room:
    """What a tool may use at once in one of its namespaces."""

    cpu: str = "4"
    memory: str = "8Gi"
    pods: int = 10
    storage: str = "20Gi"  # of ephemeral storage


@dataclass(frozen=True)
class Home:
    """What differs between homes."""

    tool: str
    # The namespace of the ingress controller, whose pods may reach the tool's.
    ingress_namespace: str = "ingress"
    # Docker's config.json with the registry's credentials; "" for a registry without any.
    push_credentials: str = ""
    pull_credentials: str = ""
    # CIDR blocks among the private ones that are open: a registry or a proxy of the platform.
    open_blocks: tuple[str, ...] = ()
    running: Room = Room()
    building: Room = Room(cpu="4", memory="12Gi", pods=6, storage="60Gi")


def namespace_of(tool: str) -> str:
    return f"tool-{tool}"


def build_namespace_of(tool: str) -> str:
    return f"build-{tool}"


def labels_of(tool: str, role: str) -> dict[str, str]:
    return {OWNER_LABEL: MANAGER, TOOL_LABEL: tool, ROLE_LABEL: role}


def home_of(home: Home) -> list[Manifest]:
    """Everything that a tool's home is made of, in the order in which it is to be applied."""
    return running_place(home) + building_place(home)


def running_place(home: Home) -> list[Manifest]:
    place = _place(home, namespace_of(home.tool), "run", home.running, home.pull_credentials)
    return [*place, _let_in(home)]


def building_place(home: Home) -> list[Manifest]:
    return _place(
        home, build_namespace_of(home.tool), "build", home.building, home.push_credentials
    )


def _place(home: Home, namespace: str, role: str, room: Room, credentials: str) -> list[Manifest]:
    labels = labels_of(home.tool, role)

    def made(api_version: str, kind: str, name: str, **fields: object) -> Manifest:
        metadata = {"namespace": namespace, "name": name, "labels": labels}
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}

    account = made("v1", "ServiceAccount", ACCOUNT, automountServiceAccountToken=False)
    place = [
        _namespace(namespace, labels),
        made("v1", "ResourceQuota", "room", spec={"hard": _quota(room, role)}),
        made("v1", "LimitRange", "defaults", spec={"limits": [_defaults()]}),
        account,
        made("networking.k8s.io/v1", "NetworkPolicy", "nothing", spec=_NOTHING),
        made("networking.k8s.io/v1", "NetworkPolicy", "outside", spec=_outside(home)),
    ]
    if credentials:
        account["imagePullSecrets"] = [{"name": REGISTRY_SECRET}]
        data = {".dockerconfigjson": base64.b64encode(credentials.encode()).decode()}
        kind = "kubernetes.io/dockerconfigjson"
        place.append(made("v1", "Secret", REGISTRY_SECRET, type=kind, data=data))
    return place


def _namespace(name: str, labels: dict[str, str]) -> Manifest:
    security = "pod-security.kubernetes.io"
    levels = {f"{security}/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {**labels, **levels}},
    }


def _quota(room: Room, role: str) -> dict[str, str]:
    # The steps of a build share a pod and run one after the other, each with the whole limit: the
    # sum of their limits says nothing, what they ask for does.
    counted = "requests" if role == "build" else "limits"
    return {
        f"{counted}.cpu": room.cpu,
        f"{counted}.memory": room.memory,
        "requests.ephemeral-storage": room.storage,
        "pods": str(room.pods),
        # What a tool has no need of: ways around the ingress, and disks.
        "services.nodeports": "0",
        "services.loadbalancers": "0",
        "persistentvolumeclaims": "0",
    }


def _defaults() -> dict[str, object]:
    """For containers that say nothing themselves, such as those that Tekton adds."""
    return {
        "type": "Container",
        "default": {"cpu": "500m", "memory": "256Mi", "ephemeral-storage": "1Gi"},
        "defaultRequest": {"cpu": "20m", "memory": "32Mi", "ephemeral-storage": "64Mi"},
    }


_NOTHING = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def _outside(home: Home) -> Manifest:
    """Names can be looked up, and the open internet is reached on the web's ports."""
    names = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    web = [{"protocol": "TCP", "port": port} for port in (80, 443)]
    open_internet = [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(PRIVATE)}},
        {"ipBlock": {"cidr": "::/0", "except": list(PRIVATE_6)}},
    ]
    rules: list[Manifest] = [{"ports": names}, {"ports": web, "to": open_internet}]
    if home.open_blocks:
        rules.append({"to": [{"ipBlock": {"cidr": block}} for block in home.open_blocks]})
    return {"podSelector": {}, "policyTypes": ["Egress"], "egress": rules}


def _let_in(home: Home) -> Manifest:
    """Requests come from the ingress controller only."""
    metadata = {
        "namespace": namespace_of(home.tool),
        "name": "ingress",
        "labels": labels_of(home.tool, "run"),
    }
    source = {"kubernetes.io/metadata.name": home.ingress_namespace}
    spec = {
        "podSelector": {},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"namespaceSelector": {"matchLabels": source}}]}],
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": spec,
    }
