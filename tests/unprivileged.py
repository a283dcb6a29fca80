"""Runs a program as a user who has nothing: not root, and no way to make user namespaces.

The limit on user namespaces is set inside a user namespace of its own, so the machine's stays.
"""

import ctypes
import os
import subprocess
import sys
import sysconfig
import traceback
from pathlib import Path

NOBODY = 65_534
_NEW_USER_NAMESPACE = 0x10000000
_LIMIT = Path("/proc/sys/user/max_user_namespaces")
PROJECT = Path(__file__).resolve().parent.parent


def interpreter() -> str | None:
    """A Python of this version that everybody may run; the one in use may lie in /root."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for path in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        if _is_for_everybody(Path(path).resolve()):
            return path
    return None


def _is_for_everybody(path: Path) -> bool:
    return path.is_file() and all(each.stat().st_mode & 0o005 == 0o005 for each in path.parents)


def is_possible() -> bool:
    return os.geteuid() == 0 and bool(interpreter()) and _LIMIT.exists()


def run(script: Path, *arguments: str, timeout: int = 120) -> subprocess.CompletedProcess[str]:
    """Run a Python program of the tests as nobody in particular."""
    packages = sysconfig.get_path("purelib")
    return subprocess.run(
        [sys.executable, __file__, str(interpreter()), str(script), *arguments],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{PROJECT}:{packages}", "LANG": "C.UTF-8"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def _main(argv: list[str]) -> int:
    ready, mapped = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        try:
            _become_nobody(ready[1], mapped[0])
            os.execv(argv[0], argv)
        except OSError:
            traceback.print_exc()
        finally:
            os._exit(125)
    os.read(ready[0], 1)
    for kind in ("uid", "gid"):
        Path(f"/proc/{child}/{kind}_map").write_text("0 0 65536")
    os.write(mapped[1], b"x")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _become_nobody(ready: int, mapped: int) -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_USER_NAMESPACE) < 0:
        raise OSError(ctypes.get_errno(), "unshare")
    os.write(ready, b"x")
    os.read(mapped, 1)
    _LIMIT.write_text("0")
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
