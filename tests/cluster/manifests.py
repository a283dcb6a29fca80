"""Objects that tests make, as modest as Pod Security's "restricted" wants them."""

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
MODEST = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def container(image: str, *argv: str, **more: object) -> dict:
    return {
        "name": "main",
        "image": image,
        "command": list(argv),
        "securityContext": MODEST,
        **more,
    }


def pod(name: str, namespace: str, *containers: dict, labels: dict | None = None) -> dict:
    metadata = {"name": name, "namespace": namespace, "labels": labels or {}}
    spec = {"restartPolicy": "Never", "containers": list(containers)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def service(name: str, namespace: str, *, port: int, target: int) -> dict:
    """Of the pods that are labelled with its name."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": [{"port": port, "targetPort": target}]},
    }
