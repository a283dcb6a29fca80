"""What the portal asks of whatever runs its builds: four verbs that can be repeated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

# Output not older than this counts as lively.
RECENT = timedelta(seconds=5)


class EngineError(Exception):
    """The engine could not be asked, or did not understand; asking again later is right."""


class OrderRefused(EngineError):
    """The engine will not run this order, however often it is asked."""

    def __init__(self, reason: str, *, code: str) -> None:
        super().__init__(reason)
        self.reason, self.code = reason, code


class Phase(StrEnum):
    """Where an order stands, as the engine sees it."""

    MISSING = "missing"  # never submitted, or removed
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LOST = "lost"  # it was started and is gone without a result: killed, or the machine restarted


@dataclass(frozen=True)
class Order:
    """A build as the engine is told of it. `name` is the lock: the same name is the same build."""

    name: str
    tool: str
    # A small number that is unique to the tool: engines derive an isolated user id from it.
    tool_id: int
    source_url: str
    ref: str = ""
    subdirectory: str = ""
    # Empty until resolved; an order with a commit builds just that commit.
    commit: str = ""
    builder: str = ""
    # The maintainer's build-time variables; values may be secret.
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One step of a build, such as `clone`, `detect`, `build`, `export`."""

    name: str
    started_at: datetime
    finished_at: datetime | None = None
    # None while it runs.
    succeeded: bool | None = None


@dataclass(frozen=True)
class BuiltImage:
    """What a successful build made."""

    digest: str  # "sha256:..." of the manifest
    reference: str  # where it can be got, such as "oci:hat:17" or "host/tool-hat:17@sha256:..."
    size: int  # bytes of the compressed layers and the configuration
    # Process type -> its command line as a list; the one that starts by default is named apart.
    processes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default_process: str = ""
    # "id@version" of each buildpack that took part, in order.
    buildpacks: tuple[str, ...] = ()
    run_image: str = ""
    # Bytes of what later builds of the tool find again; 0 where nothing is kept.
    cache_size: int = 0


@dataclass(frozen=True)
class Observation:
    """What the engine knows of an order at this moment."""

    phase: Phase
    # A value of builds.states.Reason, and a sentence for the maintainer; empty unless it failed.
    reason_code: str = ""
    reason: str = ""
    commit: str = ""
    steps: tuple[Step, ...] = ()
    image: BuiltImage | None = None


@dataclass(frozen=True)
class Pace:
    """How often it is worth looking: while output comes in, and while nothing is heard."""

    lively: timedelta
    quiet: timedelta
    # After a long silence, where the end of a build makes itself known; None where it does not.
    longest: timedelta | None = None

    def after(self, silence: timedelta) -> timedelta:
        """The pause until the next look at a build that was last heard so long ago."""
        if silence < RECENT:
            return self.lively
        return max(self.quiet, min(silence / 6, self.longest or self.quiet))


@dataclass(frozen=True)
class Output:
    """What a build printed from some place on."""

    data: bytes
    # The place after it, where lines are known by their times; None where bytes are counted.
    until: int | None = None


class BuildEngine(Protocol):
    """Runs builds. Each verb may be called again at any time and returns within milliseconds."""

    pace: Pace

    @property
    def output_limit(self) -> int | None:
        """Bytes that a build may print; None if the engine itself ends one that prints more."""

    def submit(self, order: Order) -> None:
        """Start the build unless it was started before. Raises EngineError, or OrderRefused."""

    def observe(self, order: Order) -> Observation:
        """How the build stands now. Raises EngineError."""

    def logs(self, order: Order, *, since: int, limit: int) -> Output:
        """Raw output from the place `since` on; 0 is the beginning.

        Fewer bytes than `limit` are all that there are. Where lines are known by their times, only
        complete ones are told of, and the last may go beyond the limit.
        """

    def remove(self, order: Order) -> bool:
        """Stop the build's processes and delete its working files; images and caches stay.

        Stopping may take a moment: it is done when this says that nothing is left, or `observe`
        says MISSING.
        """
