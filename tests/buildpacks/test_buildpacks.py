"""The buildpacks that we ship, on the examples: built for real, run for real, asked over HTTP."""

import re
import shutil
import socket
import time
from pathlib import Path

import httpx
import pytest

from builds.engines.base import Order, Phase
from builds.engines.local import LocalEngine, LocalSettings
from builds.lifecycle import enforcement
from portal.settings import BUILD_ENVIRONMENT
from portal.webservices.engines.base import Phase as ReplicaPhase
from portal.webservices.engines.base import ReplicaOrder
from portal.webservices.engines.local import LocalSettings as WebserviceSettings
from portal.webservices.engines.local import LocalWebserviceEngine

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        enforcement.probe().mode != "namespaces",
        reason=f"no sandbox here: {enforcement.probe().means[0]}",
    ),
]


def files_of(example):
    folder = EXAMPLES / example
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    return tmp_path_factory.mktemp("buildpacks") / "state"


@pytest.fixture(scope="module")
def build(state, git_server):
    engine = LocalEngine(
        LocalSettings(state=state, trusted_prefixes=(git_server.url,), operator=BUILD_ENVIRONMENT)
    )
    numbers = iter(range(1, 100))

    def build(tool, files):
        url, _commit = git_server.repository(f"bp-{tool}", files)
        order = Order(name=f"bp-{tool}-{next(numbers)}", tool=tool, tool_id=9, source_url=url)
        engine.submit(order)
        while (seen := engine.observe(order)).phase is Phase.RUNNING:
            time.sleep(0.05)
        return seen, engine.logs(order, since=0, limit=10**7).data.decode()

    return build


@pytest.fixture
def visit(state):
    """Runs an image until it is healthy, and gets a page of it."""
    engine = LocalWebserviceEngine(WebserviceSettings(state=state))
    running = []

    def get(tool, image, path="/"):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        order = ReplicaOrder(f"{tool}-r1-0", tool, 9, "", image.digest, "web", port)
        engine.submit(order)
        running.append(order)
        for _number in range(200):
            if engine.observe(order).phase is ReplicaPhase.HEALTHY:
                return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False)
            time.sleep(0.1)
        raise AssertionError(engine.logs(order, since=0, limit=10**5)[0].decode())

    yield get
    for order in running:
        while engine.observe(order).phase is not ReplicaPhase.MISSING:
            engine.remove(order)
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("example", "buildpacks", "text"),
    [
        ("flask-hello", ["python"], "Hello from a tool"),
        ("static-site", ["static"], "A static site"),
        ("node-hello", ["nodejs"], "Hello from Node.js"),
        ("python-with-frontend", ["nodejs", "python"], "Built by Node.js"),
    ],
)
def test_an_example_is_built_and_answers(build, visit, example, buildpacks, text):
    if "nodejs" in buildpacks and not shutil.which("npm"):
        pytest.skip("the machine has no npm; the wheel with Node.js is not fetched in tests")
    seen, log = build(example, files_of(example))
    assert seen.phase is Phase.SUCCEEDED, log
    assert list(seen.image.buildpacks) == [f"portal/{name}@0.1.0" for name in buildpacks]
    assert text in visit(example, seen.image).text


def test_static_files_of_a_django_project_are_collected_and_served(build, visit):
    seen, log = build("django-hello", files_of("django-hello"))
    assert "1 static file copied" in log, log
    page = visit("django-hello", seen.image)
    [address] = re.findall(r'href="(/static/hello\.\w+\.css)"', page.text)
    assert "max-width" in httpx.get(page.url.join(address), trust_env=False).text


def test_a_django_project_whose_static_files_cannot_be_collected_is_built(build):
    files = files_of("django-hello")
    files["hello/settings.py"] = "import os\nos.environ['NOT_GIVEN']\n"
    seen, log = build("django-hello", files)
    assert seen.phase is Phase.SUCCEEDED
    assert "KeyError: 'NOT_GIVEN'" in log
    assert "the build goes on without them" in log.replace("\n", " ")


def test_unchanged_packages_are_not_installed_again(build):
    first, _log = build("warm", files_of("flask-hello"))
    second, log = build("warm", {**files_of("flask-hello"), "VERSION": "2\n"})
    assert "unchanged: reusing them" in log
    assert first.image.digest != second.image.digest


def test_a_change_of_an_included_file_installs_anew(build):
    files = files_of("flask-hello")
    files["requirements.txt"] = "-r requirements/run.txt\n"
    files["requirements/run.txt"] = "flask\ngunicorn\n"
    first, _log = build("included", files)
    second, log = build("included", files | {"requirements/run.txt": "flask\ngunicorn\nidna\n"})
    assert first.phase is second.phase is Phase.SUCCEEDED
    assert "Installing packages of requirements.txt" in log


def test_a_version_that_does_not_exist_fails_with_pips_words(build):
    seen, log = build("fails-to-build", files_of("fails-to-build"))
    assert seen.reason_code == "build-failed"
    assert "No matching distribution" in log


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"requirements.txt": "", ".python-version": "2.7\n"}, "asks for Python 2.7"),
        ({"requirements.txt": ""}, "Procfile is needed"),
        ({"package.json": "{"}, "not valid JSON"),
    ],
)
def test_what_a_maintainer_can_mend_is_said(build, files, words):
    seen, log = build(f"mend-{len(words)}", files)
    assert seen.reason_code == "build-failed"
    assert words in log


@pytest.fixture
def site(build, visit):
    files = {
        **files_of("static-site"),
        "about.html": "about",
        ".git-credentials": "hidden",
        "folder/x.txt": "x",
    }
    image = build("pages", files)[0].image
    return lambda path: visit("pages", image, path)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/style.css", 200),
        ("/about", 200),
        ("/nothing", 404),
        ("/.git-credentials", 404),
        ("/folder/", 404),
        ("/%2e%2e/%2e%2e/etc/passwd", 404),
    ],
)
def test_a_static_site_gives_its_pages_and_nothing_else(site, path, status):
    answer = site(path)
    assert answer.status_code == status
    assert status == 200 or "no such page" in answer.text
