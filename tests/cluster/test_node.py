"""The lab's node runs pods as a production node would, as far as the portal relies on it."""

import http.server
import threading

import pytest

from tests.cluster.manifests import RESTRICTED, container, pod, service

pytestmark = pytest.mark.cluster
GET = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=20).read(60).decode())"


@pytest.fixture(scope="module")
def namespace(lab):
    lab.create_namespace("tool-shoe", RESTRICTED)
    yield "tool-shoe"
    lab.kubectl("delete", "namespace", "tool-shoe", "--wait=false")


@pytest.fixture
def output_of(lab, namespace):
    """What a pod wrote that ran to its end."""

    def run(name, *argv, **more):
        lab.apply(pod(name, namespace, container(lab.run_image, *argv, **more)))
        lab.wait_for_phase(name, "Succeeded", "Failed", namespace=namespace)
        return lab.kubectl("logs", name, "-n", namespace)

    return run


@pytest.fixture
def own_server(lab):
    """A server of the test's own, where pods can reach it."""
    with http.server.ThreadingHTTPServer((lab.host, 0), http.server.SimpleHTTPRequestHandler) as it:
        threading.Thread(target=it.serve_forever, daemon=True).start()
        yield f"http://{lab.host}:{it.server_port}/README.md"
        it.shutdown()


def test_a_pod_runs_as_the_user_of_its_image(output_of):
    assert output_of("whoami", "id", "-u") == "1000\n"


def test_a_pod_reaches_a_server_of_the_test(output_of, own_server):
    assert "portal" in output_of("visitor", "python3", "-c", GET, own_server)


def test_a_pod_reaches_another_through_a_service(lab, namespace, output_of):
    serve = container(lab.run_image, "python3", "-m", "http.server", "8000", "-d", "/srv")
    lab.apply(pod("shoe", namespace, serve, labels={"app": "shoe"}))
    lab.apply(service("shoe", namespace, port=80, target=8000))
    lab.kubectl("wait", "pod/shoe", "-n", namespace, "--for=condition=Ready", "--timeout=60s")
    address = lab.get("service", "shoe", "-n", namespace)["spec"]["clusterIP"]
    probe = f"import socket; print(socket.create_connection(('{address}', 80), 20).getpeername())"
    assert address in output_of("caller", "python3", "-c", probe)


def test_a_pod_that_wants_too_much_memory_is_killed(lab, namespace, output_of):
    limits = {"limits": {"memory": "48Mi", "cpu": "1"}}
    output_of("greedy", "python3", "-c", "print(len(b'x' * 10**9))", resources=limits)
    [status] = lab.get("pod", "greedy", "-n", namespace)["status"]["containerStatuses"]
    assert status["state"]["terminated"]["reason"] == "OOMKilled"


def test_a_person_can_look_into_a_pod(lab, namespace):
    lab.apply(pod("quiet", namespace, container(lab.run_image, "sleep", "300")))
    lab.kubectl("wait", "pod/quiet", "-n", namespace, "--for=condition=Ready", "--timeout=60s")
    assert lab.kubectl("exec", "quiet", "-n", namespace, "--", "id", "-un") == "cnb\n"
