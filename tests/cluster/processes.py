"""The programs of a lab: started in the background, each with a log, stopped in reverse order."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

MARK = "PORTAL_LAB"


class LabError(Exception):
    """Why a lab cannot be had here, in a sentence with what to do."""


def run(*argv: str | Path, stdin: str | None = None, timeout: float = 600) -> str:
    """The output of a program that must succeed."""
    done = subprocess.run(
        [str(word) for word in argv],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    if done.returncode:
        said = (done.stderr or done.stdout)[-3000:]
        raise LabError(f"{' '.join(map(str, argv))[:300]} ended with {done.returncode}: {said}")
    return done.stdout


def wait_until(check: Callable[[], bool], *, what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {seconds:.0f} seconds")
        time.sleep(0.1)


class Processes:
    def __init__(self, folder: Path):
        self.folder = folder
        self.enter: tuple[str, ...] = ()
        self.logs = folder / "logs"
        self.logs.mkdir(exist_ok=True)
        self._started: dict[str, subprocess.Popen] = {}
        self._how: dict[str, Callable[[], None]] = {}

    def again(self, name: str) -> None:
        """Start a program that was stopped or killed as it was started before."""
        self._how[name]()

    def start(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        ready: Callable[[], bool] = lambda: True,
        environment: Mapping[str, str] | None = None,
        seconds: float = 60,
    ) -> None:
        """Returns when it is ready. The mark lets a later run find what was left of this one.

        Once `enter` is set, programs start in the machine that it leads into.
        """
        self._how[name] = partial(
            self.start, name, argv, ready=ready, environment=environment, seconds=seconds
        )
        with (self.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*self.enter, *map(str, argv)],
                env={**os.environ, **(environment or {}), MARK: str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        self._started[name] = process
        wait_until(lambda: self._is_up(name, ready), what=f"{name} is ready", seconds=seconds)

    def _is_up(self, name: str, ready: Callable[[], bool]) -> bool:
        if (code := self._started[name].poll()) is not None:
            raise LabError(f"{name} ended with {code}:\n{self.tail(name)}")
        return ready()

    def pid_of(self, name: str) -> int:
        return self._started[name].pid

    def tail(self, name: str, size: int = 3000) -> str:
        return (self.logs / f"{name}.log").read_text(errors="replace")[-size:]

    def last_words(self) -> str:
        """The end of each log, for whoever must find out why a lab did not start."""
        names = sorted(path.stem for path in self.logs.glob("*.log"))
        return "\n".join(f"--- {name}\n{self.tail(name, 1000)}" for name in names)

    def stop(self, name: str, *, seconds: float = 10) -> None:
        process = self._started.pop(name, None)
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)

    def kill(self, name: str) -> None:
        """At once, for what has nothing to finish."""
        if process := self._started.pop(name, None):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)

    def stop_all(self) -> None:
        for name in reversed(list(self._started)):
            self.stop(name)
