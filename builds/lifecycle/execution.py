"""What the phases need in order to run a buildpack's programs."""

from collections.abc import Mapping, Sequence
from typing import BinaryIO, Protocol


class Executor(Protocol):
    """Runs programs in the sandbox; names of files are those of the inside."""

    def __call__(
        self,
        argv: Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str],
        network: bool,
        output: BinaryIO | None = None,
    ) -> int:
        """Run to the end, with no environment but `env`; the exit status, negative for a signal.

        Output goes into the build's log, or into `output`. Raises LifecycleError when the program
        cannot be started.
        """
