"""Layer tars: written so that the same files give the same bytes, read as hostile input."""

import io
import os
import shutil
import stat
import tarfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

# The Cloud Native Buildpacks' date for every file: 1980-01-01T00:00:01Z.
MTIME = 315532801
BUILD_UID = BUILD_GID = 1000
WHITEOUT = ".wh."


@dataclass(frozen=True)
class Limits:
    """What one archive may hold."""

    entries: int = 500_000
    bytes: int = 16 * 1024**3


DEFAULT_LIMITS = Limits()


class BadArchive(Exception):
    """A sentence about an archive that is not unpacked, or a tree that is not packed."""


class _Writable(io.RawIOBase):
    """A file that tarfile may ask for its place, over one that can only be written to."""

    def __init__(self, file: Any) -> None:  # noqa: ANN401
        self._file = file
        self._place = 0

    def write(self, data: Any) -> int:  # noqa: ANN401
        self._place += len(data)
        self._file.write(data)
        return len(data)

    def tell(self) -> int:
        return self._place


class TarWriter:
    """Writes entries with fixed times and owners; parents are made as root's."""

    def __init__(self, file: Any, limits: Limits = DEFAULT_LIMITS) -> None:  # noqa: ANN401
        self._tar = tarfile.TarFile(fileobj=_Writable(file), mode="w", format=tarfile.PAX_FORMAT)
        self._made: set[str] = set()
        self._limits = limits
        self._entries = self._bytes = 0

    def close(self) -> None:
        self._tar.close()

    def add_tree(self, path: Path, name: str) -> None:
        """All of a directory, in order of names; sockets, pipes and devices are left out."""
        self.add_parents(name)
        self._add(path, name, path.lstat())
        for inner, status in _walk(path):
            self._add(inner, f"{name}/{os.path.relpath(inner, path)}", status)

    def add_some(self, path: Path, name: str, wanted: Collection[str]) -> None:
        """Those of a directory's files whose paths in it are wanted, with the directories above."""
        self.add_parents(name)
        for inner, status in _walk(path):
            relative = os.path.relpath(inner, path)
            if relative in wanted:
                for parent in reversed(PurePosixPath(relative).parents[:-1]):
                    self._add_folder(path / parent, f"{name}/{parent}")
                self._add(inner, f"{name}/{relative}", status)

    def _add_folder(self, path: Path, name: str) -> None:
        if name not in self._made:
            self._add(path, name, path.lstat())

    def add_parents(self, name: str) -> None:
        for parent in reversed(PurePosixPath(name).parents):
            text = str(parent)
            if text not in (".", "/") and text not in self._made:
                self._made.add(text)
                self._write(_info(text, tarfile.DIRTYPE, 0o755, owner=0), None)

    def add_file(self, name: str, data: bytes, *, mode: int = 0o644) -> None:
        self.add_parents(name)
        info = _info(name, tarfile.REGTYPE, mode, owner=0)
        info.size = len(data)
        self._write(info, io.BytesIO(data))

    def add_link(self, name: str, target: str) -> None:
        self.add_parents(name)
        info = _info(name, tarfile.SYMTYPE, 0o777, owner=0)
        info.linkname = target
        self._write(info, None)

    def _add(self, path: Path, name: str, status: os.stat_result) -> None:
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISDIR(status.st_mode):
            self._made.add(name)
            self._write(_info(name, tarfile.DIRTYPE, mode), None)
        elif stat.S_ISLNK(status.st_mode):
            info = _info(name, tarfile.SYMTYPE, 0o777)
            info.linkname = os.readlink(path)
            self._write(info, None)
        elif stat.S_ISREG(status.st_mode):
            info = _info(name, tarfile.REGTYPE, mode)
            with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                info.size = os.fstat(file.fileno()).st_size
                self._write(info, file)

    def _write(self, info: tarfile.TarInfo, file: IO[bytes] | None) -> None:
        self._entries += 1
        self._bytes += info.size
        if self._entries > self._limits.entries or self._bytes > self._limits.bytes:
            raise BadArchive("The image would hold too many files or bytes.")
        self._tar.addfile(info, file)


def paths_in(folder: Path) -> list[str]:
    """Everything below a directory, as paths in it."""
    return [os.path.relpath(path, folder) for path, _status in _walk(folder)]


def _info(name: str, kind: bytes, mode: int, *, owner: int = BUILD_UID) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name.lstrip("/"))
    info.type, info.mode, info.mtime = kind, mode, MTIME
    info.uid = info.gid = owner
    return info


def _walk(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything below a directory, links unfollowed, parents before what is in them."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        status = entry.stat(follow_symlinks=False)
        yield Path(entry.path), status
        if stat.S_ISDIR(status.st_mode):
            yield from _walk(Path(entry.path))


class Unpacker:
    """Unpacks layers onto each other; nothing is ever written outside of `root`."""

    def __init__(
        self,
        root: Path,
        *,
        owner: int | None = None,
        limits: Limits = DEFAULT_LIMITS,
        is_system: bool = False,
    ) -> None:
        self._root = root
        # A whole system has hard links, and devices that are left out; our layers have neither.
        self._is_system = is_system
        # The user that non-root files are given to, if the process may do so.
        self._owner = owner
        self._limits = limits
        self._entries = self._bytes = 0
        self._folders: set[Path] = {root}

    def unpack(self, file: IO[bytes]) -> None:
        """Raises BadArchive; what was unpacked until then stays."""
        try:
            with tarfile.open(fileobj=file, mode="r|") as tar:
                for info in tar:
                    self._take(tar, info)
        except (tarfile.TarError, EOFError) as error:
            raise BadArchive(f"A layer is damaged: {error}") from error

    def _take(self, tar: tarfile.TarFile, info: tarfile.TarInfo) -> None:
        self._count(info)
        name = PurePosixPath(info.name)
        if name.is_absolute() or ".." in name.parts:
            raise BadArchive(f"{info.name!r} points outside of the image.")
        if not name.parts:
            return  # The root itself.
        path = self._root / name
        self._make_folder(path.parent)
        if name.name.startswith(WHITEOUT):
            self._remove(path.with_name(name.name.removeprefix(WHITEOUT)))
        else:
            self._place(tar, info, path)

    def _count(self, info: tarfile.TarInfo) -> None:
        self._entries += 1
        self._bytes += info.size
        if self._entries > self._limits.entries or self._bytes > self._limits.bytes:
            raise BadArchive("The image holds too many files or bytes.")

    def _place(self, tar: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> None:
        """Make what the entry is, by its kind."""
        if info.isdir():
            self._make_folder(path, mode=info.mode)
            self._give(path, info)
        elif info.isreg():
            self._write(tar, info, path)
        elif info.issym():
            self._remove(path)
            path.symlink_to(info.linkname)
            self._give(path, info)
        elif info.islnk() and self._is_system:
            self._link(info, path)
        elif not self._is_system:
            raise BadArchive(f"{info.name!r} is neither a file, a directory nor a symbolic link.")

    def _make_folder(self, path: Path, *, mode: int | None = None) -> None:
        """Make a directory; a link where one should be is refused, never followed."""
        if path not in self._folders:
            self._make_folder(path.parent)
            try:
                path.mkdir(mode=0o755)
            except FileExistsError:
                if path.is_symlink() or not path.is_dir():
                    raise BadArchive(
                        f"{path.name!r} is used as a directory, but is none."
                    ) from None
            self._folders.add(path)
        if mode is not None:
            path.chmod(mode & 0o777 | 0o700)

    def _write(self, tar: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> None:
        self._remove(path)
        source = tar.extractfile(info)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            if source:
                shutil.copyfileobj(source, file, 1024 * 1024)
            # No set-user-id bits come out of an image.
            os.fchmod(file.fileno(), info.mode & 0o777)
        self._give(path, info)

    def _link(self, info: tarfile.TarInfo, path: Path) -> None:
        """Another name for a file that was unpacked before."""
        target = PurePosixPath(info.linkname.lstrip("/"))
        source = self._root / target
        if ".." in target.parts:
            raise BadArchive(f"{info.name!r} points outside of the image.")
        self._make_folder(source.parent)
        if source.is_symlink() or not source.is_file():
            raise BadArchive(f"{info.name!r} is a link to {info.linkname!r}, which is no file.")
        self._remove(path)
        os.link(source, path)

    def _give(self, path: Path, info: tarfile.TarInfo) -> None:
        if self._owner is not None and info.uid:
            os.chown(path, self._owner, self._owner, follow_symlinks=False)

    def _remove(self, path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
            self._folders = {each for each in self._folders if path not in (each, *each.parents)}
        else:
            path.unlink(missing_ok=True)
