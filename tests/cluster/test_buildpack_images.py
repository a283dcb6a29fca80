"""The builder builds an image with the upstream lifecycle, and the node runs it."""

import json

import pytest

from tests.cluster.manifests import RESTRICTED, container, pod
from tests.cluster.processes import run

pytestmark = pytest.mark.cluster
PAGE = "<title>Beret</title>"
# As a build does it: an application, then all phases of the lifecycle as an ordinary user.
CREATE = """
mkdir -p /tmp/app /tmp/layers /tmp/platform
echo '{page}' >/tmp/app/index.html
cd /tmp
CNB_PLATFORM_API=0.13 /cnb/lifecycle/creator -app=/tmp/app -layers=/tmp/layers \
    -platform=/tmp/platform -skip-restore -run-image={run_image} {image}
"""


@pytest.fixture(scope="module")
def namespace(lab):
    lab.create_namespace("tool-beret", RESTRICTED)
    yield "tool-beret"
    lab.kubectl("delete", "namespace", "tool-beret", "--wait=false")


@pytest.fixture(scope="module")
def image(lab, namespace):
    image = lab.image("beret")
    script = CREATE.format(page=PAGE, run_image=lab.run_image, image=image)
    lab.apply(pod("build", namespace, container(lab.builder_image, "sh", "-ec", script)))
    lab.wait_for_phase("build", "Succeeded", "Failed", namespace=namespace, seconds=300)
    status = lab.get("pod", "build", "-n", namespace)["status"]["phase"]
    assert status == "Succeeded", lab.kubectl("logs", "build", "-n", namespace)
    return image


def test_the_image_says_what_built_it(image):
    about = run("skopeo", "inspect", "--tls-verify=false", "--config", f"docker://{image}")
    labels = json.loads(about)["config"]["Labels"]
    built = json.loads(labels["io.buildpacks.build.metadata"])
    assert [each["id"] for each in built["buildpacks"]] == ["portal/static"]
    assert built["launcher"]["version"] == "0.21.0"


def test_the_image_runs_and_serves_its_page(lab, namespace, image):
    server = container(image, "/cnb/process/web", env=[{"name": "PORT", "value": "8000"}])
    lab.apply(pod("beret", namespace, server))
    lab.kubectl("wait", "pod/beret", "-n", namespace, "--for=condition=Ready", "--timeout=60s")
    get = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/').read().decode())"
    fetch = ("exec", "beret", "-n", namespace, "--", "python3", "-c", get)
    assert PAGE in lab.kubectl(*fetch)
