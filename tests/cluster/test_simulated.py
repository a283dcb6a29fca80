"""A simulated cluster takes on more pods than this machine could run."""

import pytest

from tests.cluster.processes import wait_until
from tests.cluster.simulated import start_simulation

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def simulation():
    with start_simulation(nodes=20) as cluster:
        yield cluster


def a_deployment(replicas):
    labels = {"app": "crowd"}
    pod = {"containers": [{"name": "main", "image": "nowhere.example.org/none"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "crowd", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def test_three_hundred_pods_are_placed_and_ready(simulation):
    simulation.apply(a_deployment(300))

    def is_ready():
        status = simulation.get("deployment", "crowd")["status"]
        return status.get("readyReplicas") == 300

    wait_until(is_ready, what="300 pods are ready", seconds=120)
    pods = simulation.get("pods", "-l", "app=crowd")["items"]
    assert len({pod["spec"]["nodeName"] for pod in pods}) == 20
