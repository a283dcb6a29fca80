"""Lists of what a buildpack installed (software bills of materials), as files beside its layers."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from builds.lifecycle.buildpack import Buildpack
from builds.lifecycle.errors import BUILD_ERROR, LifecycleError
from builds.lifecycle.layers import Layer
from builds.lifecycle.layout import escaped

# The end of a file's name -> the media type that the buildpack must have announced.
MEDIA_TYPES = {
    "cdx.json": "application/vnd.cyclonedx+json",
    "spdx.json": "application/spdx+json",
    "syft.json": "application/vnd.syft+json",
}
BYTES_AT_MOST = 64 * 1024**2


def read_boms(
    folder: Path, buildpack: Buildpack, layers: Sequence[Layer]
) -> list[tuple[str, Path]]:
    """Those of launch layers and of the launch itself: where they go in the image, and the files.

    Raises LifecycleError for a format that the buildpack did not announce.
    """
    launched = {layer.name for layer in layers if layer.launch}
    found: list[tuple[str, Path]] = []
    for path in sorted(folder.glob("*.sbom.*.json")):
        name, _dot, ending = path.name.partition(".sbom.")
        if ending not in MEDIA_TYPES:
            continue
        _check(path, ending, buildpack)
        owner = escaped(buildpack.id)
        if name == "launch":
            found.append((f"{owner}/sbom.{ending}", path))
        elif name in launched:
            found.append((f"{owner}/{name}/sbom.{ending}", path))
    return found


def _check(path: Path, ending: str, buildpack: Buildpack) -> None:
    wanted = MEDIA_TYPES[ending]
    announced = {each.partition(";")[0].strip() for each in buildpack.sbom_formats}
    if wanted not in announced:
        raise _invalid(buildpack, f"{path.name} is of the format {wanted}, not in `sbom-formats`")
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size > BYTES_AT_MOST:
        raise _invalid(buildpack, f"{path.name} is no file, or too large")


def _invalid(buildpack: Buildpack, message: str) -> LifecycleError:
    return LifecycleError(BUILD_ERROR, f"Buildpack {buildpack}: {message}.")
