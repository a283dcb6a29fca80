"""What people see of a cluster in a real browser: its page, and a build that fails there."""

import os
from pathlib import Path

import httpx
import pytest

from tests.browser.conftest import Portal, browser, playwright  # noqa: F401 - fixtures
from tests.browser.test_records import sign_in, violations
from tests.cluster.operator import fields_of
from tests.cluster.test_first_deploy import account, forge  # noqa: F401 - fixtures

pytestmark = [pytest.mark.cluster, pytest.mark.browser]
# Where pictures go, for whoever wants to look.
PICTURES = os.environ.get("PORTAL_PICTURES")
SOON = 240_000
LOOKS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 320, "height": 800}},
}


@pytest.fixture
def portal(lab, account, forge, tmp_path):  # noqa: F811
    portal = Portal(tmp_path / "state", git_url=forge.url)
    portal.start()
    yield portal
    portal.stop()


@pytest.fixture
def api(portal, lab, account):  # noqa: F811
    """ada's, with a cluster that new tools are put on."""
    token = portal.manage("create_token", "ada").split()[-1]
    portal.manage("appoint", "ada", "admin")
    with httpx.Client(base_url=portal.url, headers={"Authorization": f"Bearer {token}"}) as client:
        answer = client.post(
            "/api/v1/clusters/",
            json={
                "name": "tools",
                "way": "kubeconfig",
                "kubeconfig": str(account),
                **fields_of(lab),
                "is_default": True,
            },
        )
        assert answer.status_code == 201, answer.text
        yield client


@pytest.fixture
def look(browser, portal):  # noqa: F811
    """Sees a page in every look: axe finds nothing, nothing is wider than the screen."""

    def see(path, name, ready, also):
        for kind, options in LOOKS.items():
            page = sign_in(browser.new_page(**options), portal, "ada")
            page.goto(f"{portal.url}{path}")
            page.get_by_text(ready).first.wait_for(timeout=SOON)
            page.get_by_text(also).first.wait_for(timeout=SOON)
            assert violations(page) == []
            width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert width <= 0
            if PICTURES:
                page.screenshot(path=str(Path(PICTURES) / f"{name}-{kind}.png"), full_page=True)
            page.close()

    return see


def test_the_pages_of_a_cluster_and_of_a_build_that_fails_there(api, forge, look):  # noqa: F811
    url, _commit = forge.repository("bonnet", {"requirements.txt": "flask==0.0.0.1\n"})
    about = {"name": "bonnet", "title": "Bonnet", "repository": url}
    assert api.post("/api/v1/tools/", json=about).status_code == 201
    answer = api.post("/api/v1/tools/bonnet/builds/", json={"source_url": url})
    assert answer.status_code == 202, answer.text
    look("/tools/bonnet/builds/1/", "build", "A buildpack failed.", "Analyze")
    look("/clusters/tools/", "cluster", "Tekton Pipelines", "reachable")
    api.patch("/api/v1/clusters/tools/", json={"kubeconfig": "/nowhere"}).raise_for_status()
    assert api.post("/api/v1/tools/bonnet/builds/", json={"source_url": url}).is_success
    look("/tools/bonnet/builds/2/", "away", "Not up to date", "since")
    look("/status/", "status", "Late looks", "Clusters")
