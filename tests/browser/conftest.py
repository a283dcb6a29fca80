"""A whole portal, started as the README says, and a real browser."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from builds.lifecycle import enforcement

PROJECT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
FLAGS += ["--disable-component-update", "--disable-quic", "--no-first-run"]


def two_free_ports():
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        return one.getsockname()[1], two.getsockname()[1]


class Portal:
    """`manage.py up` in a state directory of its own."""

    def __init__(self, state, *, git_url=""):
        self.state = state
        self.port, self.tools_port = two_free_ports()
        self.url = f"http://localhost:{self.port}"
        self.env = {
            **{k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "CACHE_URL")},
            "PORTAL_DEBUG": "true",
            "PORTAL_STATE": str(state),
            "PORTAL_PORT": str(self.port),
            "PORTAL_TOOLS_PORT": str(self.tools_port),
            "PORTAL_GIT_TRUSTED_PREFIXES": f"http://127.0.0.1:{self.port}/examples/,{git_url}",
        }
        self.log = state.parent / "up.log"

    def manage(self, *words):
        argv = [sys.executable, "manage.py", *words]
        return subprocess.run(
            argv, cwd=PROJECT, env=self.env, check=True, capture_output=True, text=True
        ).stdout

    def start(self):
        self.manage("migrate", "--verbosity", "0")
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=PROJECT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.wait_for_line(f"ready: {self.url}/")

    def wait_for_line(self, text, seconds=60):
        end = time.monotonic() + seconds
        while text not in self.log.read_text():
            assert time.monotonic() < end, self.log.read_text()[-3000:]
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            time.sleep(0.1)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def parts(self):
        """Process ids by the name of the part."""
        words = {
            "web": "uvicorn",
            "worker": "celery.* worker --pool",
            "beat": "celery.* beat --sched",
            "watch": "manage.py watch",
            "proxy": "caddy",
        }
        found = {}
        for name, word in words.items():
            argv = ["pgrep", "-P", str(self.process.pid), "-f", word]
            done = subprocess.run(argv, capture_output=True, text=True)
            found[name] = [int(line) for line in done.stdout.split()]
        return found


@pytest.fixture(scope="session")
def portal(tmp_path_factory, git_server):
    if enforcement.probe().mode != "namespaces":
        pytest.skip(f"no sandbox here: {enforcement.probe().means[0]}")
    portal = Portal(tmp_path_factory.mktemp("portal") / "state", git_url=git_server.url)
    portal.start()
    yield portal
    portal.stop()
    subprocess.run(["pkill", "-f", f"engines.shim {portal.state}"])


@pytest.fixture(scope="package")
def playwright():
    """Ended with these tests: its event loop would be in the way of others in this process."""
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
def browser(playwright):
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed, for example: apt install chromium")
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield chromium
    chromium.close()


@pytest.fixture(scope="package")
def browser_context_args():
    return {}


@pytest.fixture
def signed_in(portal, page):
    """A page of alice's."""
    page.set_default_timeout(30_000)
    page.goto(f"{portal.url}/accounts/login/")
    page.get_by_role("button", name="alice").click()
    page.wait_for_url(f"{portal.url}/")
    return page
