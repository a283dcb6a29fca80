"""TOML files that a buildpack wrote: hostile until read."""

import os
import stat
import tomllib
from pathlib import Path
from typing import Any

# Bytes; the largest real ones hold some kilobytes.
SIZE_LIMIT = 1024 * 1024


class UnreadableToml(Exception):
    """A sentence about what is wrong with a file."""


def read_toml(path: Path) -> dict[str, Any]:
    """The file's content, {} where there is none. Follows no links. Raises UnreadableToml."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UnreadableToml(f"{path.name} cannot be read: {error.strerror}") from error
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UnreadableToml(f"{path.name} is not a regular file")
        data = file.read(SIZE_LIMIT + 1)
    if len(data) > SIZE_LIMIT:
        raise UnreadableToml(f"{path.name} is larger than {SIZE_LIMIT} bytes")
    try:
        return tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UnreadableToml(f"{path.name} is not valid TOML: {error}") from error
