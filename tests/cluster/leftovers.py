"""What labs left behind whose owner died: found by the names that a lab gives to its things."""

import contextlib
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

from tests.cluster.processes import MARK

PREFIX = "portal-lab-"


def own(folder: Path) -> None:
    (folder / "owner").write_text(_identity(os.getpid()))


def clean() -> list[Path]:
    """Ends and removes every lab whose owner is gone; says which."""
    folders = Path(tempfile.gettempdir()).glob(f"{PREFIX}*")
    left = [folder for folder in folders if not _is_owned(folder)]
    for folder in left:
        end_processes(folder)
        shutil.rmtree(folder, ignore_errors=True)
    return left


def end_processes(folder: Path) -> None:
    """Kills what carries the lab's mark, and waits until the kernel has forgotten it."""
    for _attempt in range(50):
        if not (marked := processes_of(folder)):
            return
        for pid in marked:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def processes_of(folder: Path) -> list[int]:
    mark = f"{MARK}={folder}".encode()
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if mark in _environment(path)]


def _environment(process: Path) -> list[bytes]:
    try:
        return (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _is_owned(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        written = (folder / "owner").read_text()
        return written == _identity(int(written.partition(" ")[0]))
    return False


def _identity(pid: int) -> str:
    """A pid is used again; a pid with its start time is not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return f"{pid} {stat.rpartition(')')[2].split()[19]}"
