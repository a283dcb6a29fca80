"""Processes that outlive the one that starts them."""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
# Kept so that those that end while this process lives are reaped, and do not stay as zombies.
_started: list["subprocess.Popen[bytes]"] = []


def start(
    *command: str, output: Path | None = None, lock: int | None = None, told: bytes = b""
) -> None:
    """Start a program in a session of its own, without pipes to this process. Raises OSError.

    `lock` is a file descriptor that it inherits and so holds until it ends. What it is `told` it
    reads from its standard input: that is in memory only, so it may be secret.
    """
    _started[:] = [process for process in _started if process.poll() is None]
    with (
        open(output or "/dev/null", "ab") as file,
        open(os.memfd_create("told"), "w+b", buffering=0) as memory,
    ):
        memory.write(told)
        memory.seek(0)
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            stdin=memory,
            stdout=file,
            stderr=file,
            pass_fds=() if lock is None else (lock,),
            start_new_session=True,
        )
    _started.append(process)


def start_module(module: str, *arguments: str, output: Path, lock: int, told: bytes = b"") -> None:
    """The same for a module of ours, run by the Python that runs this process."""
    start(sys.executable, "-m", module, *arguments, output=output, lock=lock, told=told)
