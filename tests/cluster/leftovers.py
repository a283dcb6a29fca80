"""What labs left behind whose owner died: found by the names that a lab gives to its things."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from tests.cluster.processes import MARK

PREFIX = "portal-lab-"
CGROUPS = Path("/sys/fs/cgroup")
# The file in a lab's folder that names its network interface.
CABLE = "cable"


def own(folder: Path) -> None:
    (folder / "owner").write_text(_identity(os.getpid()))


def clean() -> list[Path]:
    """Ends and removes every lab whose owner is gone; says which."""
    folders = Path(tempfile.gettempdir()).glob(f"{PREFIX}*")
    left = [folder for folder in folders if not _is_owned(folder)]
    for folder in left:
        remove(folder)
    return left


def remove(folder: Path) -> None:
    """All that a lab has outside of its machine; the rest went with the machine."""
    end_processes(folder)
    _disconnect(folder)
    # One hierarchy, or one for each controller.
    for group in (*CGROUPS.glob(folder.name), *CGROUPS.glob(f"*/{folder.name}")):
        _remove_cgroup(group)
    shutil.rmtree(folder, ignore_errors=True)


def _disconnect(folder: Path) -> None:
    """A connection that was never closed can keep the machine's network alive for minutes."""
    if (note := folder / CABLE).exists():
        subprocess.run(["ip", "link", "delete", note.read_text()], capture_output=True, check=False)


def _remove_cgroup(group: Path) -> None:
    """From the inside out. The kernel says it is busy until its last process is gone."""
    for path, _names, _files in os.walk(group, topdown=False):
        for _attempt in range(50):
            try:
                os.rmdir(path)
                break
            except OSError:
                time.sleep(0.1)


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
