"""The environment that buildpacks run in, and the files by which they change it."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from builds.lifecycle.buildpack import Buildpack, Target
from builds.lifecycle.layout import Inside

PATH_LIKE = ("PATH", "LD_LIBRARY_PATH", "LIBRARY_PATH", "CPATH", "PKG_CONFIG_PATH")
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# A layer's directory -> the variables that it is put before: while building, and at launch.
BUILD_ROOTS = {
    "bin": ("PATH",),
    "lib": ("LD_LIBRARY_PATH", "LIBRARY_PATH"),
    "include": ("CPATH",),
    "pkgconfig": ("PKG_CONFIG_PATH",),
}
VALUE_LIMIT = 1024 * 1024
Environment = dict[str, str]


def _prepend(env: Environment, name: str, value: str) -> None:
    env[name] = f"{value}:{env[name]}" if env.get(name) else value


def add_roots(env: Environment, layer: Path, *, seen: str) -> None:
    """Let later buildpacks find the programs and libraries of a build layer."""
    for folder, names in BUILD_ROOTS.items():
        if (layer / folder).is_dir() and not (layer / folder).is_symlink():
            for name in names:
                _prepend(env, name, f"{seen}/{folder}")


def read_folder(folder: Path) -> dict[str, str]:
    """File name -> content, byte for byte, in the order of names. Regular files only."""
    files: dict[str, str] = {}
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return files
    for entry in entries:
        # A link is not followed: it was made by the build and could point anywhere.
        if not entry.is_file(follow_symlinks=False):
            continue
        descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                data = file.read(VALUE_LIMIT)
                files[entry.name] = data.decode("utf-8", "surrogateescape")
    return files


def apply_files(
    env: Environment, files: Mapping[str, str], *, without_suffix: str = "override"
) -> None:
    """Change `env` as the files `NAME[.action]` say; what an unknown action says is ignored."""
    for file, value in files.items():
        name, _dot, action = file.partition(".")
        current, delimiter = env.get(name, ""), files.get(f"{name}.delim", "")
        match action or without_suffix:
            case "override":
                env[name] = value
            case "default":
                env[name] = current or value
            case "append":
                env[name] = current + delimiter + value if current else value
            case "prepend":
                env[name] = value + delimiter + current if current else value


def add_user_values(env: Environment, values: Mapping[str, str]) -> None:
    """The maintainer's variables: they go before paths and replace everything else."""
    for name, value in values.items():
        if name in PATH_LIKE:
            _prepend(env, name, value)
        else:
            env[name] = value


def for_buildpack(
    buildpack: Buildpack,
    inside: Inside,
    *,
    base: Mapping[str, str],
    user: Mapping[str, str],
    operator: Mapping[str, str],
    target: Target,
) -> Environment:
    """What one buildpack's programs get; `base` holds what earlier ones left."""
    env = dict(base)
    if not buildpack.clear_env:
        add_user_values(env, user)
    apply_files(env, operator, without_suffix="default")
    env |= {
        "CNB_BUILDPACK_DIR": buildpack.seen(inside),
        "CNB_PLATFORM_DIR": inside.platform,
        "CNB_STACK_ID": "*",
        "CNB_EXEC_ENV": "production",
        "CNB_TARGET_OS": target.os,
        "CNB_TARGET_ARCH": target.arch,
        "CNB_TARGET_DISTRO_NAME": target.distro_name,
        "CNB_TARGET_DISTRO_VERSION": target.distro_version,
    }
    return env
