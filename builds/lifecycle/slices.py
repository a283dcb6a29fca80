"""The application in several layers, so that what seldom changes is stored and fetched once."""

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

Paths = frozenset[str]


def split(paths: Iterable[str], slices: Sequence[Sequence[str]]) -> Iterator[Paths]:
    """The paths of each slice, then what is left; each path once, a directory with all in it."""
    left = set(paths)
    for patterns in slices:
        taken = {path for path in left if _is_in(path, patterns)}
        left -= taken
        yield frozenset(taken)
    yield frozenset(left)


def _is_in(path: str, patterns: Sequence[str]) -> bool:
    parts = PurePosixPath(path).parts
    return any(_matches(parts, PurePosixPath(pattern).parts) for pattern in patterns)


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the path or a directory that it is in fits; `*` does not reach over a slash."""
    return 0 < len(pattern) <= len(parts) and all(map(fnmatchcase, parts, pattern))
