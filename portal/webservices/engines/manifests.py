"""The manifests of a webservice in a cluster, as pure functions."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from portal.cluster.base import Manifest
from portal.cluster.home import ACCOUNT, labels_of, namespace_of

APP_LABEL = "app.kubernetes.io/name"
RELEASE_LABEL = "portal.example.org/release"
CONTAINER = "web"
PORT = 8000
# Per cent of the processor that replicas may use; above it the cluster starts another one.
BUSY = 70
# On a Deployment whose number of replicas the cluster chooses.
AUTOSCALED = "portal.example.org/autoscaled"
# Seconds that a replica goes on answering after it was taken out of the routes.
DRAIN = 5


@dataclass(frozen=True)
class ServiceOrder:
    """A release as it is to run in a cluster."""

    tool: str
    # Releases that differ in the number of replicas alone share the number of their pods.
    release: int
    image: str  # by digest
    process_type: str
    replicas: int
    host: str
    # The cluster chooses a number between these two; 0 for just `replicas`.
    max_replicas: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    health_check_path: str = "/"
    memory_bytes: int = 512 * 1024**2
    cpu_millis: int = 1000
    user_id: int = 1000
    group_id: int = 1000
    # Seconds to get ready in.
    start_limit: int = 60
    ingress_class: str = ""
    # The Secret with the certificate; "" where the ingress has its own.
    tls_secret: str = ""
    has_tls: bool = True

    @property
    def namespace(self) -> str:
        return namespace_of(self.tool)

    @property
    def environment_secret(self) -> str:
        return f"{self.tool}-r{self.release}"


def _labels(order: ServiceOrder) -> dict[str, str]:
    """Of what is made for a release; what all releases share is the same for each of them."""
    return {**_shared_labels(order), RELEASE_LABEL: str(order.release)}


def _shared_labels(order: ServiceOrder) -> dict[str, str]:
    return {**labels_of(order.tool, "run"), APP_LABEL: order.tool}


def _made(
    order: ServiceOrder,
    api_version: str,
    kind: str,
    name: str,
    labels: Mapping[str, str],
    **fields: object,
) -> Manifest:
    metadata = {"namespace": order.namespace, "name": name, "labels": dict(labels)}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def environment(order: ServiceOrder) -> Manifest:
    """One for each release: pods of the release before still read theirs."""
    data = {
        name: base64.b64encode(value.encode("utf-8", "surrogateescape")).decode()
        for name, value in order.environment.items()
    }
    labels = _labels(order)
    return _made(order, "v1", "Secret", order.environment_secret, labels, type="Opaque", data=data)


def deployment(order: ServiceOrder, *, running: int = 0) -> Manifest:
    """`running` is how many replicas there are; an autoscaled one keeps them."""
    spec = {
        "replicas": _within(order, running) if order.max_replicas else order.replicas,
        "revisionHistoryLimit": 2,
        "progressDeadlineSeconds": order.start_limit,
        # A new replica is ready before one of the old ones goes.
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        },
        "selector": {"matchLabels": {APP_LABEL: order.tool}},
        "template": {"metadata": {"labels": _labels(order)}, "spec": _pod(order)},
    }
    made = _made(order, "apps/v1", "Deployment", order.tool, _labels(order), spec=spec)
    if order.max_replicas:
        made["metadata"]["annotations"] = {AUTOSCALED: "true"}
    return made


def _within(order: ServiceOrder, running: int) -> int:
    return min(max(running, order.replicas), order.max_replicas)


def autoscaler(order: ServiceOrder) -> Manifest:
    # Of what a replica may use: a percentage would be one of what it asks for, a tenth of that.
    busy = {"type": "AverageValue", "averageValue": f"{order.cpu_millis * BUSY // 100}m"}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": order.tool},
        "minReplicas": order.replicas,
        "maxReplicas": order.max_replicas,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": busy}}],
    }
    labels = _shared_labels(order)
    kind = "HorizontalPodAutoscaler"
    return _made(order, "autoscaling/v2", kind, order.tool, labels, spec=spec)


def _pod(order: ServiceOrder) -> Manifest:
    return {
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": order.user_id,
            "runAsGroup": order.group_id,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {APP_LABEL: order.tool}},
            }
        ],
        "containers": [_container(order)],
    }


def _container(order: ServiceOrder) -> Manifest:
    get = {"path": order.health_check_path, "port": PORT}
    memory = str(order.memory_bytes)
    return {
        "name": CONTAINER,
        "image": order.image,
        "command": [f"/cnb/process/{order.process_type}"],
        # Requests come from outside of the pod.
        "env": [
            {"name": "PORT", "value": str(PORT)},
            {"name": "HOST", "value": "0.0.0.0"},  # nosec B104 - within its own pod
        ],
        "envFrom": [{"secretRef": {"name": order.environment_secret}}],
        "ports": [{"name": "http", "containerPort": PORT}],
        "readinessProbe": {"httpGet": get, "periodSeconds": 3, "timeoutSeconds": 3},
        "startupProbe": {
            "httpGet": get,
            "periodSeconds": 1,
            "timeoutSeconds": 3,
            "failureThreshold": order.start_limit,
        },
        "livenessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 10, "failureThreshold": 6},
        "resources": {
            "requests": {"cpu": f"{max(10, order.cpu_millis // 10)}m", "memory": memory},
            "limits": {"cpu": f"{order.cpu_millis}m", "memory": memory},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        # Requests that are under way end; without a shell, which an image may not have.
        "lifecycle": {"preStop": {"sleep": {"seconds": DRAIN}}},
    }


def service(order: ServiceOrder) -> Manifest:
    spec = {
        "selector": {APP_LABEL: order.tool},
        "ports": [{"name": "http", "port": 80, "targetPort": PORT}],
    }
    return _made(order, "v1", "Service", order.tool, _shared_labels(order), spec=spec)


def ingress(order: ServiceOrder) -> Manifest:
    backend = {"service": {"name": order.tool, "port": {"name": "http"}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    spec: Manifest = {"rules": [{"host": order.host, "http": {"paths": paths}}]}
    if order.ingress_class:
        spec["ingressClassName"] = order.ingress_class
    if order.has_tls:
        tls: Manifest = {"hosts": [order.host]}
        if order.tls_secret:
            tls["secretName"] = order.tls_secret
        spec["tls"] = [tls]
    labels = _shared_labels(order)
    return _made(order, "networking.k8s.io/v1", "Ingress", order.tool, labels, spec=spec)
