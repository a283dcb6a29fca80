"""A Deployment behind a Service and an Ingress is seen from outside."""

import pytest

from tests.cluster import ingress
from tests.cluster.manifests import RESTRICTED, container, service
from tests.cluster.processes import wait_until

pytestmark = pytest.mark.cluster
HOST = "cap.tools.example.org"


@pytest.fixture(scope="module")
def namespace(lab):
    lab.create_namespace("tool-cap", RESTRICTED)
    yield "tool-cap"
    lab.kubectl("delete", "namespace", "tool-cap", "--wait=false")


def a_deployment(lab, namespace):
    server = container(lab.run_image, "python3", "-m", "http.server", "8000", "-d", "/etc/apt")
    labels = {"app": "cap"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [server]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "cap", "namespace": namespace},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def an_ingress(namespace):
    backend = {"service": {"name": "cap", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "cap", "namespace": namespace},
        "spec": {
            "ingressClassName": ingress.CLASS,
            "rules": [{"host": HOST, "http": {"paths": [path]}}],
        },
    }


def test_a_deployment_answers_under_its_host_and_no_other(lab, namespace):
    lab.apply(
        a_deployment(lab, namespace),
        service("cap", namespace, port=80, target=8000),
        an_ingress(namespace),
    )
    wait_until(lambda: lab.visit(HOST).status_code == 200, what="the page is there", seconds=90)
    assert "sources.list" in lab.visit(HOST).text
    assert lab.visit("other.tools.example.org").status_code == 404
