"""The metrics server in the cluster, from its module's own manifests: autoscaling needs it."""

from tests.cluster.components import METRICS
from tests.cluster.images import add_image, layer_of
from tests.cluster.lab import Lab
from tests.cluster.registry import push

NAMESPACE = "kube-system"
NAME = "metrics-server"
RELEASED = "gcr.io/k8s-staging-metrics-server/metrics-server:master"


def install(lab: Lab) -> None:
    """Returns when the cluster measures."""
    program = f"/{NAME}"
    add_image(NAME, [layer_of({program: METRICS.program(NAME)})], Entrypoint=[program])
    push(lab.registry, [NAME])
    text = lab.kubectl("kustomize", str(METRICS.source() / "manifests" / "base"))
    text = text.replace(RELEASED, lab.image(NAME))
    # The kubelet's certificate is of an authority that lives as long as the lab.
    text = text.replace("- --cert-dir=/tmp", "- --cert-dir=/tmp\n        - --kubelet-insecure-tls")
    lab.kubectl("apply", "--server-side", "-f", "-", stdin=text)
    available = ("--for=condition=Available", "--timeout=180s")
    lab.kubectl("wait", "apiservice", "v1beta1.metrics.k8s.io", *available, timeout=200)
