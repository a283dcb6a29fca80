"""Builds where nothing can be mounted: as a user who is nobody, with user namespaces off."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from builds.engines.base import EngineError, Order
from builds.engines.local import LocalEngine, LocalSettings
from builds.lifecycle import landlock
from tests import unprivileged

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not unprivileged.is_possible(), reason="needs root and a Python for all"),
    pytest.mark.skipif(landlock.abi() < landlock.SIGNAL_ABI, reason="no such Landlock here"),
]
# Tries everything that it must not do, and tells how each try ended.
SERVER = r"""
import http.server, os, signal, socket, sys
STATE = sys.prefix.partition("/places/")[0]

def outcome(what):
    try:
        return str(what())
    except OSError as error:
        return type(error).__name__

def unix():
    return socket.socket(socket.AF_UNIX).connect(STATE + "/socket")

TRIES = {
    "secret": lambda: open(STATE + "/secret").read(),
    "write": lambda: open("app.txt", "w"),
    "elsewhere": lambda: open("/tmp/elsewhere", "w"),
    "signal": lambda: os.kill(int(os.environ["KEEPER"]), signal.SIGTERM),
    "unix": unix,
    "port": lambda: socket.create_server(("127.0.0.1", 0)),
    "environ": lambda: open("/proc/1/environ").read(),
}
PAGE = "\n".join([f"{name}: {outcome(what)}" for name, what in TRIES.items()] + [sys.prefix])

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(PAGE.encode())

http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
FILES = {
    "requirements.txt": "",
    "server.py": SERVER,
    # $PPID is the process that keeps this one in: it must be out of its reach.
    "Procfile": "web: KEEPER=$PPID python server.py\n",
}
# So long that no other test's programs are mistaken for it.
SLEEP = f"sleep {100_000 + os.getpid()}"
SLOW = {
    "package.json": json.dumps({"scripts": {"build": f"echo started; setsid {SLEEP} & {SLEEP}"}}),
    "Procfile": "web: true\n",
}


@pytest.fixture(scope="module")
def seen(git_server):
    """What a portal saw that is nobody."""
    git_server.repository("nobody", FILES)
    git_server.repository("nobody-slow", SLOW)
    state = Path(tempfile.mkdtemp(prefix="portal-of-nobody-", dir="/tmp"))
    os.chown(state, unprivileged.NOBODY, unprivileged.NOBODY)
    state.chmod(0o711)
    script = Path(__file__).with_name("portal_of_nobody.py")
    try:
        done = unprivileged.run(script, str(state), git_server.url, SLEEP)
        assert done.returncode == 0, done.stdout + done.stderr
        yield json.loads(done.stdout)
    finally:
        shutil.rmtree(state, ignore_errors=True)


def test_landlock_is_found_by_itself_and_a_repository_becomes_an_image(seen):
    assert seen["mode"] == "landlock"
    assert seen["phase"] == "succeeded", seen["log"]


def test_a_virtual_environment_runs_where_it_was_built(seen):
    assert seen["page"].endswith("/places/hat-1/layers/portal_python/venv"), seen["page"]


@pytest.mark.parametrize(
    "attempt", ["secret", "write", "elsewhere", "signal", "unix", "port", "environ"]
)
def test_the_application_is_kept_in(seen, attempt):
    assert f"{attempt}: PermissionError" in seen["page"]


def test_what_runs_is_kept_and_what_ended_is_cleaned_away(seen):
    assert (seen["deleted_while_running"], seen["deleted"]) == (0, 1)
    assert seen["places"] == []


def test_a_cancelled_build_leaves_no_process(seen):
    assert seen["left"] == ""


def order():
    return Order(name="hat-1", tool="hat", tool_id=7, source_url="https://git.example.org/hat.git")


def test_where_nothing_works_builds_are_refused(tmp_path):
    engine = LocalEngine(LocalSettings(state=tmp_path, sandbox="none"))
    assert engine.enforcement().mode == "none"
    with pytest.raises(EngineError, match="No sandbox"):
        engine.submit(order())
    assert not (tmp_path / "builds").exists()


def test_an_operator_may_trust_everybody(tmp_path):
    settings = LocalSettings(state=tmp_path, sandbox="none", trusts_all=True)
    assert LocalEngine(settings).enforcement().mode == "trust"


def test_trust_changes_nothing_where_a_sandbox_works(tmp_path):
    settings = LocalSettings(state=tmp_path, sandbox="landlock", trusts_all=True)
    assert LocalEngine(settings).enforcement().mode == "landlock"
