"""How the lifecycle says that it cannot go on: an exit code of the platform API and a sentence."""

# Exit codes of the Cloud Native Buildpacks platform API 0.13.
FAILED = 1
BUILDPACK_API_UNSUPPORTED = 12
NOTHING_DETECTED = 20
DETECT_ERROR = 21
BUILDPACK_FAILED = 51
BUILD_ERROR = 52
EXPORT_ERROR = 62
LAUNCH_ERROR = 82


class LifecycleError(Exception):
    """A phase failed. The text is for the maintainer; `code` tells what kind of failure it is."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
