"""Control groups: limits on memory and processes, and a way to end all of them at once.

Version 1 or 2, made with mkdir where that is allowed; where it is not, nothing is limited here and
`Cgroup.make` says so by returning None.
"""

import contextlib
import os
import signal
import zlib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PARENT = "portal"


@dataclass(frozen=True)
class Cgroup:
    """One group; with version 1 it is a directory in each controller's hierarchy."""

    folders: tuple[Path, ...]

    @classmethod
    def make(cls, name: str, *, memory_bytes: int, pids: int) -> "Cgroup | None":
        """A group of this name, new or there already; None where the machine allows none."""
        is_unified = (ROOT / "cgroup.controllers").exists()
        wanted = {"memory": memory_bytes, "pids": pids}
        try:
            if is_unified:
                folders: tuple[Path, ...] = (ROOT / PARENT / name,)
                folders[0].parent.mkdir(exist_ok=True)
                _write(ROOT / "cgroup.subtree_control", "+memory +pids")
                _write(ROOT / PARENT / "cgroup.subtree_control", "+memory +pids")
            else:
                folders = tuple(ROOT / controller / PARENT / name for controller in wanted)
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
            _set_limits(folders, is_unified=is_unified, **wanted)
        except OSError:
            return None
        return cls(folders)

    @classmethod
    def of(cls, folder: Path, *, memory_bytes: int, pids: int) -> "Cgroup | None":
        """The group of what works in a directory: another portal's has another name."""
        name = f"{folder.name}-{zlib.crc32(str(folder.resolve()).encode()):08x}"
        return cls.make(name, memory_bytes=memory_bytes, pids=pids)

    def add(self, pid: int) -> None:
        """Move a process into the group; its future children are born there. Raises OSError."""
        for folder in self.folders:
            _write(folder / "cgroup.procs", str(pid))

    def pids(self) -> set[int]:
        found: set[int] = set()
        for folder in self.folders:
            with contextlib.suppress(OSError):
                found |= {int(line) for line in (folder / "cgroup.procs").read_text().split()}
        return found

    def kill(self) -> bool:
        """Send SIGKILL to all of them; True if nobody was there any more."""
        pids = self.pids()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        return not pids

    def had_oom(self) -> bool:
        """Whether the kernel ended a process here because the memory limit was reached."""
        for folder in self.folders:
            for file in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError):
                    for line in (folder / file).read_text().splitlines():
                        name, _space, value = line.partition(" ")
                        if name == "oom_kill" and int(value) > 0:
                            return True
        return False

    def remove(self) -> None:
        """Does nothing while processes are left in it, or when it is gone."""
        for folder in self.folders:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _set_limits(folders: tuple[Path, ...], *, is_unified: bool, memory: int, pids: int) -> None:
    if is_unified:
        _write(folders[0] / "memory.max", str(memory))
        _write(folders[0] / "pids.max", str(pids))
        with contextlib.suppress(OSError):
            _write(folders[0] / "memory.swap.max", "0")
        return
    by_controller = {folder.parent.parent.name: folder for folder in folders}
    _write(by_controller["memory"] / "memory.limit_in_bytes", str(memory))
    _write(by_controller["pids"] / "pids.max", str(pids))


def _write(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
