"""The installed program, in an environment of its own, against a whole portal."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.browser.conftest import PROJECT, Portal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def portal(tmp_path_factory):
    portal = Portal(tmp_path_factory.mktemp("cli") / "state")
    portal.start()
    yield portal
    portal.stop()


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """`portal`, made by pip from the local directory, with nothing of Django beside it."""
    folder = tmp_path_factory.mktemp("program")
    ignored = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    shutil.copytree(PROJECT / "portal" / "cli", folder / "source", ignore=ignored)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    pip = [folder / "venv" / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", folder / "source"], check=True)
    listed = subprocess.run([*pip, "list"], check=True, capture_output=True, text=True).stdout
    assert "django" not in listed.lower()
    return folder / "venv" / "bin" / "portal"


@pytest.fixture(scope="module")
def env(portal, program, tmp_path_factory):
    """alice's environment: the program on the path, her token stored by signing in."""
    token = portal.manage("create_token", "alice", "--name", "cli").split()[-1]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    env |= {
        "PATH": f"{program.parent}:{env['PATH']}",
        "XDG_CONFIG_HOME": str(tmp_path_factory.mktemp("home")),
        "PORTAL_URL": portal.url,
    }
    done = run(env, "login", "--token", stdin=f"{token}\n")
    assert (done.returncode, token in done.stdout + done.stderr) == (0, False)
    return env


def run(env, *words, stdin=None):
    argv = ["portal", *words]
    return subprocess.run(argv, env=env, input=stdin, capture_output=True, text=True, timeout=300)


def test_the_whole_story_of_a_first_deploy(portal, env):
    script = [PROJECT / "examples" / "first-deploy-cli.sh", "hat", "static-site"]
    done = subprocess.run(script, env=env, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "===> EXPORT" in done.stdout
    assert "<html" in done.stdout
    assert re.search(r"^3 +live +1 ", done.stdout, re.MULTILINE)
    assert re.search(r"^status +stopped", done.stdout, re.MULTILINE)


def test_a_build_that_fails_ends_with_1_and_its_reason(portal, env):
    source = f"http://127.0.0.1:{portal.port}/examples/fails-to-build.git"
    run(env, "tools", "register", "scarf", "--title", "Scarf", "--repository", source)
    done = run(env, "build", "start", "scarf", "--wait")
    assert done.returncode == 1
    assert "clone: done after" in done.stderr
    assert "Build 1 of scarf failed." in done.stderr


def test_an_interrupted_wait_ends_cleanly_and_the_build_goes_on(portal, env):
    run(env, "tools", "register", "glove", "--title", "Glove")
    source = f"http://127.0.0.1:{portal.port}/examples/flask-hello.git"
    argv = ["portal", "build", "start", "glove", "--source-url", source, "--wait"]
    # Who runs the tests in the background has this signal ignored, and so would the child.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    waiting = subprocess.Popen(argv, env=env, stderr=subprocess.PIPE, text=True)
    assert "Build 1 of glove" in waiting.stderr.readline()
    time.sleep(1)
    waiting.send_signal(signal.SIGINT)
    said = waiting.communicate(timeout=30)[1]
    assert waiting.returncode == 130
    assert "goes on" in said
    assert "Traceback" not in said
    shown = run(env, "build", "cancel", "glove", "1", "--wait")
    assert shown.returncode == 0
    assert re.search(r"^status +(cancelled|succeeded)", shown.stdout, re.MULTILINE)


def test_a_reader_that_has_seen_enough_is_no_error(portal, env):
    portal.manage("load_catalogue", "--verbosity", "0")
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as gone:
        argv = ["portal", "stories", "list", "--kind", "all", "--limit", "200"]
        done = subprocess.run(argv, env=env, stdout=gone, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")
