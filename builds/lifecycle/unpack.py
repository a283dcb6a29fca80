"""An image unpacked for running: once per digest, shared by all that run it."""

import fcntl
import os
import shutil
from pathlib import Path

from isal import igzip

from builds.lifecycle.archive import Unpacker
from builds.lifecycle.oci import ImageStore


def unpack(store: ImageStore, digest: str, folder: Path, *, owner: int | None = None) -> Path:
    """The directory with the image's files, made if it is not there yet.

    Two processes may call it at once. `owner` gets what is not root's, where this process may give
    it. Raises FileNotFoundError when the image is gone, BadArchive when it is not one of ours.
    """
    root = folder / digest.removeprefix("sha256:")
    if root.is_dir():
        return root
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{root.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.is_dir():
            staging = root.with_suffix(".new")
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir(mode=0o755)
            unpacker = Unpacker(staging, owner=owner)
            for layer in store.read(digest).layers:
                with igzip.open(store.path_of(layer.blob.digest), "rb") as tar:  # type: ignore[no-untyped-call]
                    unpacker.unpack(tar)
            os.rename(staging, root)
    return root
