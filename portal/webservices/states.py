"""Where webservices and their releases can stand, how they may move, and why."""

from enum import StrEnum


class Status(StrEnum):
    """Of a webservice."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    DEGRADED = "degraded"
    STOPPING = "stopping"
    FAILED = "failed"


# The status of a webservice is read off what runs, so it may change to any other.
MOVES: dict[str, frozenset[str]] = {
    status: frozenset(other for other in Status if other != status) for status in Status
}


class ReleaseStatus(StrEnum):
    STARTING = "starting"
    LIVE = "live"
    RETIRED = "retired"
    FAILED = "failed"


RELEASE_MOVES: dict[str, frozenset[str]] = {
    ReleaseStatus.STARTING: frozenset(
        {ReleaseStatus.LIVE, ReleaseStatus.RETIRED, ReleaseStatus.FAILED}
    ),
    ReleaseStatus.LIVE: frozenset({ReleaseStatus.RETIRED}),
}


class Cause(StrEnum):
    """What a release was made for."""

    DEPLOYED = "deployed"
    BUILT = "built"
    CONFIGURED = "configured"
    STARTED = "started"
    RESTARTED = "restarted"
    ROLLED_BACK = "rolled-back"
    MOVED = "moved"


class Reason(StrEnum):
    """Why a release is not live, or a webservice not as it should be."""

    NEVER_HEALTHY = "never-healthy"
    CRASHED = "crashed"
    REPLACED = "replaced"
    STOPPED = "stopped"
    UNHEALTHY = "unhealthy"
    REFUSED = "refused"
