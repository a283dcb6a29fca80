"""Images unpacked for running: once per digest, shared by all that run it, held while they do."""

import fcntl
import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import IO

from isal import igzip

from builds.lifecycle.archive import BadArchive, Unpacker
from builds.lifecycle.layout import Inside
from builds.lifecycle.oci import ImageStore

# In an unpacked image: a link to where its files were moved.
PLACE = ".place"


def unpack(store: ImageStore, digest: str, folder: Path, *, owner: int | None = None) -> Path:
    """The directory with the image's files, made if it is not there yet.

    Two processes may call it at once. `owner` gets what is not root's, where this process may give
    it. Raises FileNotFoundError when the image is gone, BadArchive when it is not one of ours.
    """
    root, lock = hold(store, digest, folder, owner=owner)
    lock.close()
    return root


def hold(
    store: ImageStore, digest: str, folder: Path, *, owner: int | None = None
) -> tuple[Path, IO[bytes]]:
    """The same, with a lock: until it is closed, `remove_unpacked` leaves the directory alone."""
    root = folder / digest.removeprefix("sha256:")
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        lock = _open(_lock_of(root))
        fcntl.flock(lock, fcntl.LOCK_SH)
        if root.is_dir() and _is_current(lock, _lock_of(root)):
            return root, lock
        lock.close()
        _unpack_once(store, digest, root, owner=owner)


def settle(root: Path, inside: Inside, places: Path) -> None:
    """Move an unpacked image to where its paths say that it is, unless it is there.

    For where nothing can be mounted. Raises BadArchive for an image that was made for mounting.
    """
    place = Path(inside.root or "/")
    if place.parent != places:
        raise BadArchive(
            "it was built on a platform with namespaces, which this one does not have. "
            "Build it again"
        )
    places.mkdir(mode=0o711, exist_ok=True)
    with _open(_lock_of(places / place.name)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / PLACE).is_symlink():
            shutil.rmtree(place, ignore_errors=True)
            os.rename(root / inside.root.lstrip("/"), place)
            (root / PLACE).symlink_to(place)


def files_of(root: Path, inside: Inside) -> Path:
    """The directory with the layers and the application of an unpacked image."""
    place = root / PLACE
    return place.readlink() if place.is_symlink() else root / inside.root.lstrip("/")


def _unpack_once(store: ImageStore, digest: str, root: Path, *, owner: int | None) -> None:
    with _open(_lock_of(root)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if root.is_dir() or not _is_current(lock, _lock_of(root)):
            return
        staging = root.with_suffix(".new")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode=0o755)
        unpacker = Unpacker(staging, owner=owner)
        for layer in store.read(digest).layers:
            with igzip.open(store.path_of(layer.blob.digest), "rb") as tar:  # type: ignore[no-untyped-call]
                unpacker.unpack(tar)
        os.rename(staging, root)


def remove_unpacked(folder: Path, *, kept: Collection[str]) -> int:
    """Delete what no process holds and no digest in `kept` names; how many directories went."""
    names = {digest.removeprefix("sha256:") for digest in kept}
    found = {path.stem for path in folder.glob("*.lock")} - names
    return sum(_remove(folder / name) for name in sorted(found))


def _remove(root: Path) -> bool:
    with _open(_lock_of(root)) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        was_there = root.is_dir()
        if (root / PLACE).is_symlink():
            place = (root / PLACE).readlink()
            shutil.rmtree(place, ignore_errors=True)
            _lock_of(place).unlink(missing_ok=True)
        # Out of the way at once: half a tree must not look like a whole one.
        doomed = root.with_suffix(".gone")
        shutil.rmtree(doomed, ignore_errors=True)
        with suppress(FileNotFoundError):
            root.rename(doomed)
        for path in (doomed, root.with_suffix(".new")):
            shutil.rmtree(path, ignore_errors=True)
        _lock_of(root).unlink(missing_ok=True)
    return was_there


def _lock_of(root: Path) -> Path:
    return root.with_suffix(".lock")


def _open(path: Path) -> IO[bytes]:
    return path.open("ab")


def _is_current(lock: IO[bytes], path: Path) -> bool:
    """Whether the locked file is still the one of that name: it may have been deleted meanwhile."""
    try:
        return os.path.samestat(os.fstat(lock.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
