"""A small process tree in the foreground: prefixed output, restarts, one clean stop."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

# Seconds. A part that lived shorter than STABLE is restarted after a pause that doubles.
FIRST_PAUSE, LONGEST_PAUSE, STABLE = 0.5, 15.0, 10.0
# How long a part gets to end by itself.
GRACE = 8.0
POLL = 0.1
# How often is asked whether a part is needed by now.
ASKING = 3.0
PR_SET_PDEATHSIG = 1


async def _always() -> bool:
    return True


@dataclass(frozen=True)
class Part:
    """A program that is to run for as long as the tree does."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    # Called before each start.
    prepare: Callable[[], object] = lambda: None
    # The part starts once this says yes; asked again and again until then.
    is_needed: Callable[[], Awaitable[bool]] = _always


def _die_with_parent() -> None:
    """In the child: be ended by the kernel should the tree be killed outright."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Tree:
    """Runs the parts until it is told to stop; a part that ends is started again."""

    def __init__(self, parts: Sequence[Part], *, write: Callable[[str], None]) -> None:
        self._parts = parts
        self._write = write
        self._stopping = asyncio.Event()
        self._width = max(len(part.name) for part in parts)

    def stop(self) -> None:
        self._stopping.set()

    def say(self, name: str, text: str) -> None:
        self._write(f"{name:<{self._width}} | {text}")

    async def run(self) -> None:
        """Return once `stop` was called, or SIGINT or SIGTERM came, and every part has ended."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        async with asyncio.TaskGroup() as group:
            for part in self._parts:
                group.create_task(self._keep(part))

    async def _keep(self, part: Part) -> None:
        while not self._stopping.is_set() and not await part.is_needed():
            await self._sleep(ASKING)
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            started = monotonic()
            code = await self._run_once(part)
            if self._stopping.is_set():
                return
            pause = FIRST_PAUSE if monotonic() - started > STABLE else pause
            self.say(part.name, f"ended with {code}; starting it again in {pause:g} s")
            await self._sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)

    async def _run_once(self, part: Part) -> int:
        try:
            part.prepare()
            process = await asyncio.create_subprocess_exec(
                *part.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **part.environment},
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
                limit=1024 * 1024,
            )
        except OSError as error:
            self.say(part.name, str(error))
            return -1
        reading = asyncio.create_task(self._forward(part, process))
        ending = asyncio.create_task(self._end_when_stopping(process))
        # Not `wait`: it would wait for its children too, if they hold the pipe.
        while process.returncode is None:
            await asyncio.sleep(POLL)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), timeout=1)
        # asyncio has no public way to let go of a pipe that somebody else still holds.
        process._transport.close()  # type: ignore[attr-defined]
        ending.cancel()
        reading.cancel()
        await asyncio.gather(reading, ending, return_exceptions=True)
        return process.returncode

    async def _forward(self, part: Part, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        while line := await process.stdout.readline():
            self.say(part.name, line.decode("utf-8", "replace").rstrip())

    async def _end_when_stopping(self, process: asyncio.subprocess.Process) -> None:
        await self._stopping.wait()
        process.terminate()
        await asyncio.sleep(GRACE)
        process.kill()

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), timeout=seconds)
        except TimeoutError:
            return
