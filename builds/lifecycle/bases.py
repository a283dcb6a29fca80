"""Unpacked systems that builds and their images run on instead of the machine's own."""

import json
import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO, Any

from isal import igzip

from builds.lifecycle.archive import BadArchive, Unpacker
from builds.lifecycle.buildpack import ARCHITECTURES
from builds.lifecycle.oci import ImageStore

NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
# Programs without which nothing can be started inside.
NEEDED = ("bash", "env", "setpriv")
GZIP, ZSTANDARD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
COPY_TIMEOUT = 3600


class BaseRefused(Exception):
    """A sentence for the operator about a system that is not taken."""


def import_base(source: Path, bases: Path, name: str) -> Path:
    """Copy a directory with a root file system, or unpack an OCI layout, as `bases`/`name`.

    It appears whole or not at all, and is never changed: images say by name what they run on.
    Raises BaseRefused.
    """
    if not NAME.fullmatch(name):
        raise BaseRefused("The name may hold lower-case letters, digits, dots and hyphens.")
    target = bases / name
    if target.exists():
        raise BaseRefused(f"There is a system {name} already. Take another name, such as a date.")
    if not source.is_dir():
        raise BaseRefused(f"{source} is no directory.")
    bases.mkdir(mode=0o711, parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=bases, prefix=".new-"))
    staging.chmod(0o755)
    try:
        (_unpack if (source / "oci-layout").exists() else _copy)(source, staging)
        _check(staging)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def _copy(source: Path, target: Path) -> None:
    argv = ["cp", "--archive", "--reflink=auto", "--no-target-directory", "--"]
    done = subprocess.run(
        [*argv, source, target], capture_output=True, text=True, timeout=COPY_TIMEOUT
    )
    if done.returncode:
        raise BaseRefused(f"It cannot be copied: {done.stderr.strip()}")


def _unpack(source: Path, target: Path) -> None:
    store = ImageStore(source)
    unpacker = Unpacker(target, is_system=True)
    try:
        index = json.loads((source / "index.json").read_text())
        for layer in _manifest(store, index)["layers"]:
            with store.path_of(layer["digest"]).open("rb") as file, _plain(file) as tar:
                unpacker.unpack(tar)
    except (OSError, ValueError, KeyError, BadArchive) as error:
        raise BaseRefused(f"It is no OCI layout that can be unpacked: {error}") from error


def _manifest(store: ImageStore, index: dict[str, Any]) -> dict[str, Any]:
    """The manifest for this machine, through indexes in indexes."""
    machine = ARCHITECTURES.get(platform.machine(), platform.machine())
    for entry in index["manifests"]:
        if entry.get("platform", {}).get("architecture", machine) == machine:
            data = json.loads(store.path_of(entry["digest"]).read_text())
            return _manifest(store, data) if "manifests" in data else data
    raise BadArchive(f"it has no image for {machine}")


def _plain(file: IO[bytes]) -> IO[bytes]:
    """A layer as a tar, whether it is compressed or not."""
    magic = file.read(4)
    file.seek(0)
    if magic == ZSTANDARD:
        raise BadArchive("its layers are compressed with zstd; write it with gzip")
    return igzip.open(file, "rb") if magic.startswith(GZIP) else file  # type: ignore[no-untyped-call]


def _check(root: Path) -> None:
    folders = [root / name for name in ("bin", "usr/bin", "usr/local/bin")]
    missing = [name for name in NEEDED if not any((each / name).is_file() for each in folders)]
    if missing:
        raise BaseRefused(f"It has no {' and no '.join(missing)}: programs could not be started.")
