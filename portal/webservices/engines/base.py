"""What the portal asks of whatever runs its webservices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class EngineError(Exception):
    """The engine could not be asked, or did not understand; asking again later is right."""


class Phase(StrEnum):
    """Where a replica stands, as the engine sees it."""

    MISSING = "missing"  # never submitted, removed, or gone with a restart of the machine
    STARTING = "starting"  # its process runs, its health check did not answer yet
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"  # it was healthy; now its health check fails or its process restarts
    STOPPING = "stopping"


@dataclass(frozen=True)
class ReplicaOrder:
    """One replica of a release. `name`, such as `hat-r3-0`, is the lock."""

    name: str
    tool: str
    tool_id: int
    image_reference: str
    image_digest: str
    process_type: str
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    # The values in `environment` that must never be shown.
    secrets: tuple[str, ...] = ()
    health_check_path: str = "/"
    memory_bytes: int = 512 * 1024 * 1024
    # 1000 is one processor.
    cpu_millis: int = 1000


@dataclass(frozen=True)
class Probe:
    """The last health check: what was asked when, and what came back."""

    at: datetime
    ok: bool
    # For people: "HTTP 200", "HTTP 500: <start of the body>", "connection refused on port 20001".
    answer: str


@dataclass(frozen=True)
class ReplicaObservation:
    """What the engine knows of a replica at this moment."""

    phase: Phase
    started_at: datetime | None = None
    restarts: int = 0
    # Of the last process that ended by itself; negative for a signal, None when none did.
    exit_code: int | None = None
    probe: Probe | None = None


class WebserviceEngine(Protocol):
    """Runs replicas and leads requests to them. Each verb may be repeated and returns soon."""

    def submit(self, order: ReplicaOrder) -> None:
        """Start the replica unless it runs. Raises EngineError."""

    def observe(self, order: ReplicaOrder) -> ReplicaObservation:
        """How the replica stands now. Raises EngineError."""

    def logs(self, order: ReplicaOrder, *, since: int, limit: int) -> tuple[bytes, int]:
        """At most `limit` bytes of cleaned output from byte `since` on, and where they begin.

        The offset is larger than `since` where older output was rotated away. Output outlives the
        process until `remove`; a negative `since` counts from the end.
        """

    def remove(self, order: ReplicaOrder) -> None:
        """Stop the replica (SIGTERM, then SIGKILL) and delete its files. Done when MISSING."""

    def route(self, routes: Mapping[str, Sequence[int]]) -> None:
        """Make these the only routes: tool name -> ports of the replicas that get its requests.

        A tool with an empty list is known but not running: it answers 503. Repeating is cheap.
        """
