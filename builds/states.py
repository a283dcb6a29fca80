"""Where a build can stand, how it may move, and the closed list of reasons why."""

from enum import StrEnum


class Status(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed-out"


FINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.TIMED_OUT})
MOVES: dict[str, frozenset[str]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.FAILED, Status.CANCELLED, Status.TIMED_OUT}),
    Status.RUNNING: FINAL,
}


class Reason(StrEnum):
    """Why a build did not succeed. The first group is the maintainer's to mend."""

    SOURCE_REFUSED = "source-refused"
    SOURCE_NOT_FOUND = "source-not-found"
    SOURCE_TOO_LARGE = "source-too-large"
    REF_NOT_FOUND = "ref-not-found"
    NOTHING_DETECTED = "nothing-detected"
    DETECT_ERROR = "detect-error"
    BUILD_FAILED = "build-failed"
    INVALID_BUILDPACK_OUTPUT = "invalid-buildpack-output"
    OUT_OF_MEMORY = "out-of-memory"
    DISK_FULL = "disk-full"
    LOG_TOO_LARGE = "log-too-large"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed-out"
    SILENT = "silent"
    # The platform's own faults.
    QUEUE_TIMED_OUT = "queue-timed-out"
    EXPORT_FAILED = "export-failed"
    ENGINE_LOST = "engine-lost"
    ENGINE_ERROR = "engine-error"
    SANDBOX_MISSING = "sandbox-missing"
    NO_ROOM = "no-room"
    QUOTA_EXCEEDED = "quota-exceeded"
    IMAGE_NOT_PULLED = "image-not-pulled"
    EVICTED = "evicted"
    ADMISSION_REFUSED = "admission-refused"
    REGISTRY_FAILED = "registry-failed"
    REGISTRY_FULL = "registry-full"
