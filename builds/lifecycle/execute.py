"""Runs a build's programs in the sandbox and stops them when they use too much."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import IO, BinaryIO

from builds.lifecycle.errors import FAILED, LifecycleError
from builds.lifecycle.sandbox import Sandbox
from builds.lifecycle.source import size_of
from builds.lifecycle.work import Limits
from builds.states import Reason

# Seconds between looks at what a program used.
TICK, DISK_TICK = 0.1, 2.0
CAPTURE_LIMIT = 1024 * 1024


class Stopped(Exception):
    """The build was ended by a rule of the platform; the text is for the maintainer."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class SandboxExecutor:
    """An Executor whose programs see the machine as `sandbox` says."""

    def __init__(self, sandbox: Sandbox, *, log: BinaryIO, watched: Path, limits: Limits) -> None:
        self._sandbox = sandbox
        self._log = log
        # The directory whose size is the build's.
        self._watched = watched
        self._limits = limits

    def __call__(
        self,
        argv: Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str],
        network: bool,
        output: BinaryIO | None = None,
    ) -> int:
        if output is None:
            return self._run(argv, cwd=cwd, env=env, network=network, output=self._log)
        with tempfile.TemporaryFile(dir=self._watched) as captured:
            status = self._run(argv, cwd=cwd, env=env, network=network, output=captured)
            captured.seek(0)
            output.write(captured.read(CAPTURE_LIMIT))
        return status

    def _run(
        self,
        argv: Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str],
        network: bool,
        output: IO[bytes],
    ) -> int:
        sandbox = replace(self._sandbox, cwd=cwd, network=network)
        try:
            process = sandbox.start(argv, env, output=output)
        except (OSError, subprocess.SubprocessError) as error:
            raise LifecycleError(FAILED, f"{argv[0]} cannot be started: {error}") from error
        try:
            return self._wait(process, output)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _wait(self, process: "subprocess.Popen[bytes]", output: IO[bytes]) -> int:
        next_disk_look = monotonic()
        while True:
            try:
                return process.wait(timeout=TICK)
            except subprocess.TimeoutExpired:
                self._check_output(output)
            if monotonic() >= next_disk_look:
                self.check_disk()
                next_disk_look = monotonic() + DISK_TICK

    def _check_output(self, output: IO[bytes]) -> None:
        limit = self._limits.log_bytes
        if os.fstat(output.fileno()).st_size > limit:
            raise Stopped(
                Reason.LOG_TOO_LARGE,
                f"The build printed more than {limit // 1024**2} MB. Have it print less.",
            )

    def check_disk(self) -> None:
        """Raises Stopped when the build's files are too many or too large."""
        used = size_of(self._watched)
        if used.bytes > self._limits.disk_bytes or used.files > self._limits.files:
            raise Stopped(
                Reason.DISK_FULL,
                f"The build's files grew to {used.bytes // 1024**2} MB in {used.files} files; "
                f"{self._limits.disk_bytes // 1024**2} MB in {self._limits.files} are allowed.",
            )
        if shutil.disk_usage(self._watched).free < LEAST_FREE:
            raise Stopped(
                Reason.DISK_FULL, "The platform's disk is full. Its operator has to make room."
            )


# Bytes that are left to the platform on its disk.
LEAST_FREE = 64 * 1024**2
