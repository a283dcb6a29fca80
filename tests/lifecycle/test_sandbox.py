"""What a program in the sandbox can and cannot do, tried for real."""

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from builds.lifecycle import enforcement, landlock, sandbox
from builds.lifecycle.cgroups import Cgroup
from builds.lifecycle.sandbox import Bind, Sandbox, uid_of

pytestmark = pytest.mark.skipif(
    enforcement.probe().mode != "namespaces",
    reason=f"no sandbox here: {enforcement.probe().means[0]}",
)
PATH = {"PATH": f"{sys.base_prefix}/bin:/usr/bin:/bin"}


def run(script, *, env=PATH, **options):
    options.setdefault("binds", ())
    process = Sandbox(cwd="/", uid=uid_of(7), **options).start(
        ["bash", "-c", script], env, output=subprocess.PIPE
    )
    output, _none = process.communicate(timeout=30)
    return process.returncode, output.decode()


@pytest.mark.parametrize(
    "script",
    [
        "cat /etc/shadow",
        "ls /root/.ssh",
        "touch /usr/x",
        "touch /x",
        "ls /var",
        "kill -0 1000000",
        "mount -t tmpfs none /mnt",
        "exec 3<>/dev/tcp/127.0.0.1/80",
    ],
)
def test_what_is_not_the_tools_own_is_out_of_reach(script):
    assert run(script)[0] != 0


def test_it_is_nobody_in_particular():
    _status, output = run("id -u; grep CapEff /proc/self/status; grep NoNewPrivs /proc/self/status")
    uid, capabilities, privileges = output.splitlines()
    assert uid == str(uid_of(7) or 1000)
    assert capabilities.split()[1] == "0" * 16
    assert privileges.split()[1] == "1"


def test_the_portals_environment_is_not_passed_on(monkeypatch):
    monkeypatch.setenv("PORTAL_SECRET_KEY", "hidden")
    assert "hidden" not in run("env; cat /proc/*/environ")[1]


@pytest.mark.parametrize("value", ["plain", "a\nb\n", "'\"$(id)`", "ünï", "", "x" * 100_000])
def test_a_variable_arrives_byte_for_byte(value):
    _status, output = run('printf %s "$V"', env={**PATH, "V": value})
    assert output == value


def test_variables_are_not_on_the_command_line():
    _status, output = run("cat /proc/*/cmdline | tr '\\0' ' '", env={**PATH, "V": "hidden-value"})
    assert "hidden-value" not in output


def test_a_library_cannot_be_slipped_into_the_programs_that_shut_in():
    status, output = run("id -u", env={**PATH, "LD_PRELOAD": "/no/such.so"})
    assert status == 0
    assert str(uid_of(7) or 1000) in output


def test_the_portals_python_works_inside():
    assert run("python3 -c 'import ssl, sqlite3; print(1)'") == (0, "1\n")


def test_a_bound_directory_can_be_written_to_only_if_it_was_said(tmp_path):
    tmp_path.chmod(0o777)
    open_bind = Bind(tmp_path, "/data", is_writable=True)
    assert run("echo hi > /data/x", binds=[open_bind])[0] == 0
    assert (tmp_path / "x").read_text() == "hi\n"
    assert run("echo hi > /data/y", binds=[Bind(tmp_path, "/data")])[0] != 0


def listener():
    server = socket.create_server(("127.0.0.1", 0))
    return server, server.getsockname()[1]


@pytest.mark.skipif(not sandbox.landlock_ports(), reason="no Landlock with ports here")
def test_only_named_ports_can_be_reached():
    server, port = listener()
    with server:
        script = f"exec 3<>/dev/tcp/127.0.0.1/{port}"
        assert run(script, network=True, connect=(port,))[0] == 0
        assert run(script, network=True, connect=(443,))[0] != 0


@pytest.mark.skipif(not sandbox.landlock_ports(), reason="no Landlock with ports here")
def test_only_the_own_port_can_be_listened_on():
    server, port = listener()
    server.close()
    script = f"python3 -c 'import socket; socket.create_server((\"127.0.0.1\", {port}))'"
    assert run(script, network=True, bind=(port,))[0] == 0
    assert run(script, network=True, bind=(port + 1,))[0] != 0


def test_killing_the_outside_ends_the_inside():
    process = Sandbox(binds=(), cwd="/", uid=uid_of(7)).start(
        ["bash", "-c", "setsid sleep 987654 & sleep 987654"], PATH, output=subprocess.DEVNULL
    )
    time.sleep(0.5)
    process.kill()
    process.wait()
    time.sleep(0.5)
    assert subprocess.run(["pgrep", "-f", "sleep 987654"], capture_output=True).returncode == 1


def test_the_probe_says_what_is_enforced():
    means = {each.name: each for each in enforcement.probe().means}
    assert means["namespaces"].enforced
    assert means["ports"].enforced == (landlock.abi() >= 4)
    assert all(each.detail for each in means.values())


@pytest.fixture
def cgroup():
    group = Cgroup.make(f"test-{os.getpid()}", memory_bytes=64 * 1024**2, pids=20)
    if group is None:
        pytest.skip("no control group can be made here")
    yield group
    while not group.kill():
        time.sleep(0.05)
    group.remove()


def test_a_fork_bomb_hits_the_limit(cgroup):
    script = "for i in $(seq 100); do sleep 5 & done; wait"
    status, output = run(script, cgroup=cgroup)
    assert "Resource temporarily unavailable" in output or status != 0


def test_too_much_memory_is_told_apart(cgroup):
    status, _output = run("python3 -c 'x = b\"x\" * 300_000_000'", cgroup=cgroup)
    assert status != 0
    assert cgroup.had_oom()


def test_a_group_can_be_ended_as_a_whole(cgroup):
    process = Sandbox(binds=(), cwd="/", uid=uid_of(7), cgroup=cgroup).start(
        ["sleep", "60"], PATH, output=subprocess.DEVNULL
    )
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=0.3)
    assert cgroup.kill() is False
    assert process.wait(timeout=5) != 0


def test_two_portals_do_not_share_a_group(tmp_path):
    limits = {"memory_bytes": 64 * 1024**2, "pids": 20}
    groups = [Cgroup.of(tmp_path / state / "hat-1", **limits) for state in ("a", "b")]
    if None in groups:
        pytest.skip("no control group can be made here")
    for group in groups:
        group.remove()
    assert groups[0].folders != groups[1].folders


def test_without_a_group_each_process_has_its_memory_limited():
    script = "python3 -c 'x = bytearray(300_000_000)'"
    assert run(script)[0] == 0
    status, output = run(script, memory_bytes=100_000_000)
    assert (status, "MemoryError" in output) == (1, True)
