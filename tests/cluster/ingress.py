"""An ingress controller in the cluster: Skipper, on port 80 of the node."""

from tests.cluster.components import SKIPPER
from tests.cluster.images import add_image, layer_of

NAMESPACE = "ingress"
CLASS = "skipper"
IMAGE = "skipper"
RBAC = "rbac.authorization.k8s.io"
RULES = (
    ("", ("namespaces", "services", "endpoints", "pods")),
    ("discovery.k8s.io", ("endpointslices",)),
    ("networking.k8s.io", ("ingresses",)),
    ("zalando.org", ("routegroups",)),
)
ARGUMENTS = (
    "-kubernetes",
    "-kubernetes-in-cluster",
    f"-kubernetes-ingress-class={CLASS}",
    "-kubernetes-https-redirect=false",
    "-enable-kubernetes-endpointslices",
    # As other controllers do by themselves: applications look at the name that was asked for.
    "-proxy-preserve-host",
    "-wait-first-route-load",
    "-source-poll-timeout=500",
    "-address=:80",
)


def make_image() -> str:
    layer = layer_of({"/skipper": SKIPPER.program("skipper")})
    return add_image(IMAGE, [layer], Entrypoint=["/skipper"], User="0:0")


def manifests(image: str) -> list[dict]:
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _named("skipper")},
        _role(),
        _binding(),
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": CLASS},
            "spec": {"controller": "zalando.org/skipper"},
        },
        _deployment(image),
    ]


def _named(name: str) -> dict:
    return {"name": name, "namespace": NAMESPACE}


def _role() -> dict:
    verbs = ["get", "list"]
    rules = [
        {"apiGroups": [group], "resources": list(names), "verbs": verbs} for group, names in RULES
    ]
    metadata = {"name": "skipper"}
    return {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules}


def _binding() -> dict:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "skipper"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "skipper"},
        "subjects": [{"kind": "ServiceAccount", **_named("skipper")}],
    }


def _deployment(image: str) -> dict:
    labels = {"app": "skipper"}
    ready = {"httpGet": {"path": "/kube-system/healthz", "port": 80}, "periodSeconds": 1}
    container = {
        "name": "skipper",
        "image": image,
        "args": list(ARGUMENTS),
        "readinessProbe": ready,
    }
    pod = {
        "serviceAccountName": "skipper",
        "hostNetwork": True,
        "containers": [container],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _named("skipper"),
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
