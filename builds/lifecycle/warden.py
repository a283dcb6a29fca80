"""Shuts a program in where nothing can be mounted.

`python -m builds.lifecycle.warden DESCRIPTOR PARENT` becomes three processes, so that killing the
first ends everything, as it does with bubblewrap:

    the outer one    waits, and ends with the process that started it, which is PARENT
    the middle one   is told by the kernel when the outer one ends; adopts whatever the program
                     leaves behind, and kills all of it in the end
    the program      under Landlock, a filter on sockets and limits, as the tool's user
"""

import ctypes
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from builds.lifecycle import landlock, seccomp

_SET_PARENT_DEATH_SIGNAL, _SET_CHILD_SUBREAPER = 1, 36
CANNOT_START = 127


@dataclass(frozen=True)
class Terms:
    """What the program is, and under which terms it runs."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    uid: int | None
    # Whether Landlock and the filter are to be used; else there are limits alone.
    is_confined: bool
    readable: list[str]
    writable: list[str]
    devices: list[str]
    connect: list[int]
    bind: list[int]
    has_network: bool
    limits: dict[str, int]

    def dump(self) -> bytes:
        return json.dumps(asdict(self)).encode()


def main(descriptor: int, parent: int) -> int:
    _prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        return CANNOT_START
    with open(descriptor, "rb") as file:
        terms = Terms(**json.load(file))
    outer = os.getpid()
    middle = os.fork()
    if not middle:
        os._exit(_supervise(terms, outer))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return _code(os.waitpid(middle, 0)[1])


def _supervise(terms: Terms, outer: int) -> int:
    """Run the program; when it or the outer process ends, nothing of it is left."""
    signal.signal(signal.SIGHUP, lambda *_: os._exit(_end_all()))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _prctl(_SET_CHILD_SUBREAPER, 1)
    _prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGHUP)
    if os.getppid() != outer:
        return CANNOT_START
    child = os.fork()
    if not child:
        _become(terms)
    while True:
        pid, status = os.wait()
        if pid == child:
            _end_all()
            return _code(status)


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _end_all() -> int:
    """Kill what is left of the program: all stop first, for what is stopped has no children."""
    stopped: set[int] = set()
    while new := _descendants(os.getpid()) - stopped:
        _signal(new, signal.SIGSTOP)
        stopped |= new
    while left := _descendants(os.getpid()):
        _signal(left, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, 0)[0]:
                _signal(_descendants(os.getpid()), signal.SIGKILL)
    return 128 + signal.SIGKILL


def _signal(pids: set[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _descendants(pid: int) -> set[int]:
    found: set[int] = set()
    with suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in map(int, children):
            found |= {child, *_descendants(child)}
    return found


def _become(terms: Terms) -> None:
    """Turn into the program; does not come back."""
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for name, value in terms.limits.items():
            resource.setrlimit(getattr(resource, name), (value, value))
        if terms.uid is not None:
            os.setgroups([])
            os.setresgid(terms.uid, terms.uid, terms.uid)
            os.setresuid(terms.uid, terms.uid, terms.uid)
        # After the change of the user, which clears it.
        _prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        os.chdir(terms.cwd)
        if terms.is_confined:
            _confine(terms)
        os.execvpe(terms.argv[0], terms.argv, terms.env)
    except OSError as error:
        print(f"{terms.argv[0]} cannot be started: {error}", flush=True)
    finally:
        os._exit(CANNOT_START)


def _confine(terms: Terms) -> None:
    # What this user cannot reach anyway needs no rule.
    readable = filter(os.path.exists, terms.readable)
    files = [(path, landlock.READ) for path in readable]
    files += [(path, landlock.write_rights()) for path in terms.writable]
    files += [(path, landlock.DEVICE) for path in terms.devices]
    landlock.restrict(files, connect=terms.connect, bind=terms.bind)
    if seccomp.is_known():
        seccomp.restrict_sockets(seccomp.NETWORK if terms.has_network else ())


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    os._exit(main(int(sys.argv[1]), int(sys.argv[2])))
