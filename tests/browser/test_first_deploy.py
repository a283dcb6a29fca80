"""From nothing to a running webservice: in a browser, and with nothing but curl."""

import os
import signal
import subprocess
import time

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import PROJECT

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.xdist_group("portal")]


def get(portal, tool):
    address = f"http://127.0.0.1:{portal.tools_port}/"
    return httpx.get(address, headers={"Host": f"{tool}.localhost"}, trust_env=False, timeout=10)


def test_a_script_with_curl_gets_there(portal):
    done = subprocess.run(
        ["examples/first-deploy.sh", "by-curl", "static-site"],
        cwd=PROJECT,
        env=portal.env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "<h1>A static site</h1>" in done.stdout


def test_a_newcomer_gets_there_in_a_browser(portal, signed_in):
    page = signed_in
    page.get_by_role("link", name="Register your first tool").or_(
        page.get_by_role("main").get_by_role("link", name="Register a tool")
    ).first.click()
    page.get_by_role("link", name="static-site").click()
    page.wait_for_url("**/?example=static-site")
    page.get_by_label("Name").fill("by-curl")
    page.get_by_text("This name is taken").or_(page.get_by_text("is free")).wait_for()
    page.get_by_label("Name").fill("by-hand")
    page.get_by_text("“by-hand” is free.").wait_for()
    page.get_by_role("button", name="Register").click()
    page.get_by_label("Deploy when the build succeeds").check()
    page.get_by_role("button", name="Build", exact=True).click()
    page.get_by_text("===> EXPORT").wait_for()
    page.get_by_role("heading", name="Build 1 Succeeded").wait_for()
    lines = page.locator(".log-line > span").all_inner_texts()
    assert [line for line in lines if line.startswith("===> ")] == [
        f"===> {step}" for step in ("CLONE", "DETECT", "RESTORE", "BUILD", "EXPORT")
    ]
    page.get_by_role("navigation", name="By-hand").or_(
        page.get_by_role("navigation", name="Static site")
    ).get_by_role("link", name="Webservice").click()
    page.get_by_role("heading", name="Webservice Running").wait_for()
    assert "A static site" in get(portal, "by-hand").text


def test_the_log_of_a_build_can_be_searched_and_survives_a_reload(portal, signed_in):
    page = signed_in
    page.goto(f"{portal.url}/tools/by-hand/builds/1/")
    page.get_by_text("===> EXPORT").wait_for()
    before = page.locator(".log-line").count()
    page.get_by_placeholder("Search").fill("===>")
    assert page.locator("[data-log-found]").inner_text() == "5"
    page.get_by_role("button", name="Next").click()
    assert page.locator("[data-log-found]").inner_text() == "1 / 5"
    page.reload()
    page.get_by_text("===> EXPORT").wait_for()
    assert page.locator(".log-line").count() == before


def test_what_a_build_prints_is_text_and_never_a_page(portal, signed_in, git_server):
    page = signed_in
    trick = "<img src=x onerror=document.title='hacked'><script>document.title='hacked'</script>"
    url, _commit = git_server.repository("trick", {"Procfile": f"web: echo \x1b[31m{trick}\n"})
    page.goto(f"{portal.url}/tools/register/")
    page.get_by_label("Name").fill("trick")
    page.get_by_label("Title").fill(trick)
    page.get_by_label("Repository").fill(url)
    page.get_by_role("button", name="Register").click()
    page.get_by_role("button", name="Build", exact=True).click()
    page.get_by_role("heading", name="Build 1 Succeeded").wait_for()
    assert page.locator(".log-line .sgr-31").first.inner_text() == trick
    page.goto(f"{portal.url}/")
    assert page.get_by_role("link", name=trick).count() >= 1
    assert "hacked" not in page.title()


@pytest.mark.parametrize(
    "path",
    ["/", "/tools/by-hand/", "/tools/by-hand/builds/1/", "/tools/by-hand/webservice/",
     "/tools/register/", "/tools/by-hand/edit/", "/tools/by-hand/variables/", "/status/",
     "/accounts/tokens/"],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_accessible(portal, signed_in, path, scheme):
    page = signed_in
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{portal.url}{path}")
    page.wait_for_load_state("load")
    found = Axe().run(page).response["violations"]
    serious = [
        f"{v['id']}: {v['nodes'][0]['html']}"
        for v in found
        if v["impact"] in ("serious", "critical")
    ]
    assert serious == problems == []


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_page_fits_on_a_phone(portal, signed_in, language):
    page = signed_in
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(f"{portal.url}/")
    page.select_option("#language", language)
    page.locator(".site-footer form button").click()
    for path in ("/", "/tools/by-hand/builds/1/", "/tools/by-hand/webservice/", "/tools/register/"):
        page.goto(f"{portal.url}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path


@pytest.mark.parametrize("part", ["worker", "beat", "web", "proxy"])
def test_a_part_that_was_killed_comes_back_and_no_webservice_stops(portal, part):
    (pid,) = portal.parts()[part]
    os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 30
    while portal.parts()[part] in ([], [pid]):
        assert time.monotonic() < end
        time.sleep(0.2)
    while True:
        assert time.monotonic() < end
        try:
            if get(portal, "by-hand").status_code == 200:
                break
        except httpx.HTTPError:
            time.sleep(0.2)


def test_a_killed_portal_leaves_the_webservices_and_takes_them_up_again(portal):
    before = get(portal, "by-hand").status_code
    keepers = subprocess.run(["pgrep", "-f", f"engines.shim {portal.state}"], capture_output=True)
    os.kill(portal.process.pid, signal.SIGKILL)
    portal.process.wait()
    time.sleep(3)
    after = subprocess.run(["pgrep", "-f", f"engines.shim {portal.state}"], capture_output=True)
    assert (before, keepers.stdout) == (200, after.stdout)
    portal.log.write_text("")
    portal.start()
    assert get(portal, "by-hand").status_code == 200


def test_two_portals_do_not_share_a_state_directory(portal):
    with pytest.raises(subprocess.CalledProcessError) as caught:
        portal.manage("up")
    assert "Stop it, or choose another PORTAL_STATE" in caught.value.stderr
