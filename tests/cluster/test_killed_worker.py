"""A real worker that is killed again and again while a tool moves into a cluster."""

import os
import signal
import subprocess
import time
from contextlib import suppress

import httpx
import pytest

from builds.lifecycle import enforcement
from tests.browser.conftest import Portal
from tests.cluster.operator import DOMAIN
from tests.cluster.test_first_deploy import account, forge  # noqa: F401 - fixtures
from tests.cluster.test_pages import api  # noqa: F401 - fixture

pytestmark = pytest.mark.cluster
OVER = {"done", "failed", "cancelled"}


@pytest.fixture
def portal(lab, account, forge, tmp_path):  # noqa: F811
    if enforcement.probe().mode != "namespaces":
        pytest.skip(f"no sandbox here: {enforcement.probe().means[0]}")
    portal = Portal(tmp_path / "state", git_url=forge.url)
    portal.env |= {
        "PORTAL_MOVE_GRACE_SECONDS": "0",
        "PORTAL_WEBSERVICE_START_LIMIT": "240",
        "PORTAL_RATE_USER": "100000/min",
    }
    portal.start()
    yield portal
    portal.stop()
    subprocess.run(["pkill", "-f", f"engines.shim {portal.state}"], check=False)


def wait(api, path, until, seconds=400):  # noqa: F811
    end = time.monotonic() + seconds
    while not until(seen := api.get(path).json()):
        assert time.monotonic() < end, seen
        time.sleep(0.3)
    return seen


def answers(lab, portal):
    """Where the page is served: in the cluster, on this machine."""
    local = f"http://127.0.0.1:{portal.tools_port}/"
    found = set()
    with suppress(httpx.HTTPError):
        if "Felt" in lab.visit(f"felt.{DOMAIN}").text:
            found.add("cluster")
    with suppress(httpx.HTTPError):
        host = {"Host": f"felt.localhost:{portal.tools_port}"}
        if "Felt" in httpx.get(local, headers=host, trust_env=False, timeout=5).text:
            found.add("machine")
    return found


def move(lab, portal, api, to):  # noqa: F811
    """Move felt, and kill the worker in every state; the page is served all the time."""
    answer = api.post("/api/v1/tools/felt/moves/", json={"cluster": to})
    assert answer.status_code == 202, answer.text
    killed, end = [], time.monotonic() + 400
    while (seen := api.get("/api/v1/tools/felt/moves/").json()["results"][0])["status"] not in OVER:
        assert time.monotonic() < end, seen
        if seen["status"] not in killed and (found := portal.parts()["worker"]):
            os.kill(found[0], signal.SIGKILL)
            killed.append(seen["status"])
        assert answers(lab, portal), f"{seen['status']} after {killed}"
    assert seen["status"] == "done", (seen["reason"], killed)
    return killed


def test_a_move_survives_the_end_of_its_worker_in_every_state(lab, portal, api, forge):  # noqa: F811
    api.patch("/api/v1/clusters/tools/", json={"is_default": False}).raise_for_status()
    url, commit = forge.repository("felt", {"index.html": "<h1>Felt</h1>"})
    about = {"name": "felt", "title": "Felt", "repository": url}
    api.post("/api/v1/tools/", json=about).raise_for_status()
    sent = {"source_url": url, "deploy": True}
    api.post("/api/v1/tools/felt/builds/", json=sent).raise_for_status()
    here = "/api/v1/tools/felt/webservice/"
    wait(api, here, lambda seen: seen["status"] == "running")
    while "machine" not in answers(lab, portal):
        time.sleep(0.5)
    wait(api, "/api/v1/clusters/tools/", lambda seen: seen["is_reachable"])
    killed = move(lab, portal, api, "tools")
    assert {"building", "deploying", "cleaning"} <= set(killed)
    assert answers(lab, portal) == {"cluster"}
    builds = api.get("/api/v1/tools/felt/builds/").json()["results"]
    assert [(each["status"], each["commit"]) for each in builds] == [("succeeded", commit)] * 2
    assert len(lab.get("pipelineruns", "-n", "build-felt")["items"]) <= 1
    live = wait(api, here, lambda seen: seen["status"] == "running")["live"]
    assert (live["number"], live["commit"]) == (2, commit)
