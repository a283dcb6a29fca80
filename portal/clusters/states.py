"""Where a tool's relocation can stand, how it may move on, and why it ended."""

from enum import StrEnum


class RelocationStatus(StrEnum):
    # Waits for what is under way in the old place.
    REQUESTED = "requested"
    BUILDING = "building"
    DEPLOYING = "deploying"
    # The new place serves; the old one still answers those who have its address.
    SWITCHED = "switched"
    CLEANING = "cleaning"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


# The old place serves, and nothing else is built or deployed.
UNDER_WAY = frozenset({
    RelocationStatus.REQUESTED, RelocationStatus.BUILDING, RelocationStatus.DEPLOYING
})  # fmt: skip
FINAL = frozenset({
    RelocationStatus.DONE, RelocationStatus.FAILED, RelocationStatus.CANCELLED
})  # fmt: skip
_GIVEN_UP = frozenset({RelocationStatus.FAILED, RelocationStatus.CANCELLED})
RELOCATION_MOVES: dict[str, frozenset[str]] = {
    # A tool of which nothing ever ran has nothing to build.
    RelocationStatus.REQUESTED: _GIVEN_UP | {RelocationStatus.BUILDING, RelocationStatus.SWITCHED},
    # Nor is a webservice that is stopped deployed.
    RelocationStatus.BUILDING: _GIVEN_UP | {RelocationStatus.DEPLOYING, RelocationStatus.SWITCHED},
    RelocationStatus.DEPLOYING: _GIVEN_UP | {RelocationStatus.SWITCHED},
    RelocationStatus.SWITCHED: frozenset({RelocationStatus.CLEANING, RelocationStatus.DONE}),
    RelocationStatus.CLEANING: frozenset({RelocationStatus.DONE}),
}


class RelocationReason(StrEnum):
    CANCELLED = "cancelled"
    NOT_ACTIVE = "not-active"
    SAME_CLUSTER = "same-cluster"
    TARGET_GONE = "target-gone"
    TIMED_OUT = "timed-out"
    BUILD_REFUSED = "build-refused"
    BUILD_FAILED = "build-failed"
    RELEASE_REFUSED = "release-refused"
    RELEASE_FAILED = "release-failed"
    STOPPED = "stopped"
    MOVED_BACK = "moved-back"
    NOT_CLEANED = "not-cleaned"
