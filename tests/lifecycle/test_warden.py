"""What a program can and cannot do without namespaces, tried for real."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from builds.lifecycle import enforcement
from builds.lifecycle.sandbox import Bind, Mode, Sandbox, uid_of

pytestmark = pytest.mark.skipif(
    enforcement.probe("landlock").mode != "landlock", reason="no Landlock with ports here"
)
# So long that no other test's programs are mistaken for it.
SLEEP = f"sleep {200_000 + os.getpid()}"


@pytest.fixture
def scratch():
    """Reachable for other users, which pytest's own directories are not."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def start(scratch):
    def start(script, *, env=None, **options):
        options.setdefault("binds", ())
        sandbox = Sandbox(cwd="/", uid=uid_of(7), mode=Mode.LANDLOCK, scratch=scratch, **options)
        variables = {"PATH": sandbox.path, **(env or {})}
        return sandbox.start(["bash", "-c", script], variables, output=subprocess.PIPE)

    return start


@pytest.fixture
def run(start):
    def run(script, **options):
        process = start(script, **options)
        output, _none = process.communicate(timeout=30)
        return process.returncode, output.decode()

    return run


@pytest.mark.parametrize(
    "script",
    [
        "cat /etc/shadow",
        "ls /root",
        "ls /tmp",
        "touch /tmp/x",
        "cat /proc/1/cmdline",
        "kill -0 $PPID",
        "kill -KILL $PPID",
        "prlimit --pid $PPID --nofile=3",
        "unshare --user --map-root-user --mount mount -t tmpfs none /mnt",
        "exec 3<>/dev/tcp/127.0.0.1/80",
        "python3 -c 'import socket; socket.socket(socket.AF_UNIX)'",
        "python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)'",
    ],
)
def test_what_is_not_the_tools_own_is_out_of_reach(run, script):
    status, output = run(script)
    assert status not in (0, 127), output


def test_it_has_an_empty_home_and_a_place_for_files(run):
    script = 'cd "$HOME" && test -z "$(ls -A)" && touch mine && mktemp && cat <<< here'
    assert run(script)[0] == 0
    assert run(script)[0] == 0


def test_a_directory_can_be_written_to_only_if_it_was_said(run, scratch):
    folder = scratch / "data"
    folder.mkdir()
    folder.chmod(0o777)
    name = str(scratch / "other-name")
    assert run(f"echo hi > {name}/x", binds=[Bind(folder, name, is_writable=True)])[0] == 0
    assert (folder / "x").read_text() == "hi\n"
    assert run(f"cat {name}/x && echo hi > {name}/y", binds=[Bind(folder, name)]) == (
        1,
        f"hi\nbash: line 1: {name}/y: Permission denied\n",
    )


def test_only_named_ports_can_be_reached(run):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = f"exec 3<>/dev/tcp/127.0.0.1/{port}"
        assert run(script, network=True, connect=(port,))[0] == 0
        assert run(script, network=True, connect=(443,))[0] != 0


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -TERM $$", 143)])
def test_the_program_s_end_is_told(run, script, code):
    assert run(script)[0] == code


def test_what_cannot_be_started_says_so(scratch):
    sandbox = Sandbox(binds=(), cwd="/", uid=uid_of(7), mode=Mode.LANDLOCK, scratch=scratch)
    process = sandbox.start(["no-such-program"], {"PATH": "/usr/bin"}, output=subprocess.PIPE)
    output, _none = process.communicate(timeout=30)
    assert process.returncode == 127
    assert b"no-such-program cannot be started" in output


@pytest.mark.parametrize("value", ["plain", "a\nb\n", "'\"$(id)`", "ünï", "", "\udc80x"])
def test_a_variable_arrives_byte_for_byte(start, value):
    output, _none = start('printf %s "$V"', env={"V": value}).communicate(timeout=30)
    assert output == value.encode("utf-8", "surrogateescape")


def is_gone():
    return subprocess.run(["pgrep", "-f", f"^{SLEEP}"], capture_output=True).returncode == 1


def wait_until_gone(seconds=10):
    end = time.monotonic() + seconds
    while not is_gone():
        assert time.monotonic() < end, "something is left"
        time.sleep(0.05)


def test_what_it_leaves_behind_ends_with_it(run):
    assert run(f"setsid {SLEEP} > /dev/null & (setsid {SLEEP} > /dev/null &) ; echo on") == (
        0,
        "on\n",
    )
    wait_until_gone()


def test_killing_the_outside_ends_the_inside(start):
    process = start(f"echo on; setsid {SLEEP} & trap '' TERM HUP; {SLEEP}; {SLEEP}")
    assert process.stdout.readline() == b"on\n"
    process.kill()
    process.communicate(timeout=10)
    wait_until_gone()


def test_a_fork_bomb_is_ended_by_the_limit_on_processes(start):
    process = start(f"while :; do {SLEEP} & done", pids=40)
    time.sleep(2)
    count = subprocess.run(["pgrep", "-c", "-f", f"^{SLEEP}"], capture_output=True, text=True)
    process.kill()
    process.communicate(timeout=30)
    wait_until_gone()
    # The limit counts what a user id runs; other processes of the machine are allowed for.
    assert int(count.stdout) < 3000


def test_memory_is_limited_for_each_process(run):
    status, output = run("python3 -c 'x = bytearray(300_000_000)'", memory_bytes=100 * 1024**2)
    assert status == 1
    assert "MemoryError" in output
