"""Control groups: limits on memory, processes and processor time, and an end to all at once.

Version 1 or 2, made with mkdir where that is allowed; where it is not, nothing is limited here and
`Cgroup.make` says so by returning None. Processor time is limited where the machine has a
controller for it; `limits_cpu` tells.
"""

import contextlib
import os
import signal
import zlib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PARENT = "portal"
# Microseconds: in each such period a group gets its share of time.
CPU_PERIOD = 100_000


@dataclass(frozen=True)
class Cgroup:
    """One group; with version 1 it is a directory in each controller's hierarchy."""

    folders: tuple[Path, ...]
    limits_cpu: bool = False

    @classmethod
    def make(
        cls, name: str, *, memory_bytes: int, pids: int, cpu_millis: int = 0
    ) -> "Cgroup | None":
        """A group of this name, new or there already; None where the machine allows none.

        A `cpu_millis` of 1000 is one processor, 0 as many as there are.
        """
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
        cpu = _cpu_folder(name, folders, is_unified=is_unified) if cpu_millis else None
        if cpu and _set_cpu(cpu, cpu_millis, is_unified=is_unified):
            return cls(tuple(dict.fromkeys((*folders, cpu))), limits_cpu=True)
        return cls(folders)

    @classmethod
    def of(
        cls, folder: Path, *, memory_bytes: int, pids: int, cpu_millis: int = 0
    ) -> "Cgroup | None":
        """The group of what works in a directory: another portal's has another name."""
        name = f"{folder.name}-{zlib.crc32(str(folder.resolve()).encode()):08x}"
        return cls.make(name, memory_bytes=memory_bytes, pids=pids, cpu_millis=cpu_millis)

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


def _cpu_folder(name: str, folders: tuple[Path, ...], *, is_unified: bool) -> Path | None:
    """Where the group's processor time is limited, if it can be."""
    folder = folders[0] if is_unified else ROOT / "cpu" / PARENT / name
    try:
        if is_unified:
            _write(ROOT / "cgroup.subtree_control", "+cpu")
            _write(ROOT / PARENT / "cgroup.subtree_control", "+cpu")
        else:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder


def _set_cpu(folder: Path, cpu_millis: int, *, is_unified: bool) -> bool:
    quota = cpu_millis * CPU_PERIOD // 1000
    try:
        if is_unified:
            _write(folder / "cpu.max", f"{quota} {CPU_PERIOD}")
        else:
            _write(folder / "cpu.cfs_period_us", str(CPU_PERIOD))
            _write(folder / "cpu.cfs_quota_us", str(quota))
    except OSError:
        return False
    return True


def _write(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
