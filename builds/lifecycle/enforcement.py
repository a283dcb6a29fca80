"""What this machine really enforces, found out by trying; for the status page and the engines."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from builds.lifecycle import landlock, seccomp
from builds.lifecycle.cgroups import Cgroup
from builds.lifecycle.sandbox import DEFAULT_PATH, Mode, Sandbox, landlock_ports, uid_of

PROBE_TIMEOUT = 10
AUTO = "auto"
MEMORY_LIMIT, CPU_LIMIT = "memory and process limits", "processor limit"
GROUPS = "control groups"
NO_GROUP = "no control group can be made here: limits are per process, and per user id"


@dataclass(frozen=True)
class Means:
    """One thing that keeps programs in, for the status page."""

    name: str
    enforced: bool
    detail: str


@dataclass(frozen=True)
class Enforcement:
    mode: Mode
    means: tuple[Means, ...]


@cache
def probe(choice: str = AUTO, *, trusts_all: bool = False) -> Enforcement:
    """The strongest means that works; `choice` names the only one to try.

    Where nothing works, the mode is NONE, unless the operator trusts everybody.
    """
    tried: list[Means] = []
    mode = Mode.TRUST if trusts_all else Mode.NONE
    for candidate, attempt in ((Mode.NAMESPACES, _namespaces), (Mode.LANDLOCK, _landlock)):
        if choice in (AUTO, candidate):
            tried.append(attempt())
            if tried[-1].enforced:
                mode = candidate
                break
    return Enforcement(mode, (*tried, *_of_mode(mode), *_always()))


def _of_mode(mode: Mode) -> list[Means]:
    if mode is Mode.NAMESPACES:
        version = f"Landlock version {landlock.abi()}; {landlock.NETWORK_ABI} is needed"
        return [Means("ports", landlock_ports(), version)]
    if mode is Mode.LANDLOCK:
        version = f"Landlock version {landlock.abi()}; {landlock.SIGNAL_ABI} is needed"
        return [
            Means("signals to other programs", landlock.abi() >= landlock.SIGNAL_ABI, version),
            Means("kinds of sockets", seccomp.is_known(), "a filter on system calls"),
        ]
    return []


def _always() -> list[Means]:
    is_root = os.geteuid() == 0
    own = "each tool's programs have a user id of their own"
    shared = "the portal is not root, so all tools share its user id in the sandbox"
    return [
        Means("user id per tool", is_root, own if is_root else shared),
        *_limits(),
        Means("disk", True, "the size of a build's directory is watched"),
    ]


def _limits() -> list[Means]:
    """What is limited for all processes together."""
    group = Cgroup.make(f"probe-{os.getpid()}", memory_bytes=64 * 1024**2, pids=16, cpu_millis=1000)
    if group:
        group.remove()
    has_cpu = group is not None and group.limits_cpu
    return [
        Means(MEMORY_LIMIT, bool(group), GROUPS if group else NO_GROUP),
        Means(CPU_LIMIT, has_cpu, GROUPS if has_cpu else "no control group can limit its time"),
    ]


def _namespaces() -> Means:
    sandbox = Sandbox(binds=(), cwd="/", uid=uid_of(0))
    argv = sandbox.command(["sh", "-c", "test ! -e /etc/shadow && test ! -e /var/lib"])
    try:
        done = subprocess.run(
            argv, capture_output=True, timeout=PROBE_TIMEOUT, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Means("namespaces", False, f"bubblewrap cannot be run: {error}")
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        return Means("namespaces", False, f"bubblewrap: {said or 'the probe failed'}")
    return Means("namespaces", True, "bubblewrap: files, processes, network")


def _landlock() -> Means:
    """Whether a program can be kept from a file that everybody may read."""
    name, version = "files and ports", f"Landlock version {landlock.abi()}"
    if landlock.abi() < landlock.NETWORK_ABI:
        return Means(name, False, f"{version}; {landlock.NETWORK_ABI} is needed")
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(folder, "secret")
        secret.write_text("secret")
        Path(folder).chmod(0o755)
        sandbox = Sandbox(binds=(), cwd="/", uid=uid_of(0), mode=Mode.LANDLOCK)
        script = f"cat {secret} 2>/dev/null; echo ran"
        try:
            process = sandbox.start(
                ["sh", "-c", script], {"PATH": DEFAULT_PATH}, output=subprocess.PIPE
            )
            output, _none = process.communicate(timeout=PROBE_TIMEOUT)
        except (OSError, subprocess.SubprocessError) as error:
            return Means(name, False, f"{version}: {error}")
    works = output == b"ran\n"
    detail = version if works else f"{version}: {output.decode('utf-8', 'replace').strip()}"
    return Means(name, works, detail)
