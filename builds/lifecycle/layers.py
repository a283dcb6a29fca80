"""What a buildpack left in its layers directory, read as the hostile input that it is."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builds.lifecycle.buildpack import Buildpack
from builds.lifecycle.errors import BUILD_ERROR, LifecycleError
from builds.lifecycle.toml import UnreadableToml, read_toml

NOT_LAYERS = ("launch", "build", "store")
LAYER_NAME = re.compile(r"[^/\x00-\x1f]{1,100}")
PROCESS_TYPE = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True)
class Layer:
    """A layer directory: its name, what it is for, and what the buildpack noted about it."""

    buildpack: str  # id
    name: str
    path: Path
    launch: bool = False
    build: bool = False
    cache: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.buildpack}:{self.name}"

    @property
    def has_contents(self) -> bool:
        return self.path.is_dir() and not self.path.is_symlink()


@dataclass(frozen=True)
class Process:
    """A way to start the image."""

    type: str
    command: tuple[str, ...]
    args: tuple[str, ...] = ()
    working_dir: str = ""
    is_default: bool = False
    is_direct: bool = True
    buildpack: str = ""
    # The Buildpack API's minor version decides whether a user's arguments replace `args`.
    minor: int = 10

    @property
    def line(self) -> tuple[str, ...]:
        return self.command + self.args


def _invalid(buildpack: Buildpack, message: str) -> LifecycleError:
    return LifecycleError(BUILD_ERROR, f"Buildpack {buildpack}: {message}.")


def _read(path: Path, buildpack: Buildpack) -> dict[str, Any]:
    try:
        return read_toml(path)
    except UnreadableToml as error:
        raise _invalid(buildpack, str(error)) from error


def read_layers(folder: Path, buildpack: Buildpack) -> list[Layer]:
    """The layers in order of their names; those that are for nothing are renamed out of the way."""
    layers = []
    for path in sorted(folder.glob("*.toml")):
        if path.stem in NOT_LAYERS:
            continue
        layer = _read_layer(path, buildpack)
        if layer.launch or layer.build or layer.cache:
            layers.append(layer)
        elif layer.has_contents:
            layer.path.rename(layer.path.with_name(f"{layer.name}.ignore"))
    return layers


def _read_layer(path: Path, buildpack: Buildpack) -> Layer:
    data = _read(path, buildpack)
    if not LAYER_NAME.fullmatch(path.stem):
        raise _invalid(buildpack, f"{path.name!r} is no name for a layer")
    flags = ("launch", "build", "cache")
    types = data.get("types", {})
    if any(flag in data for flag in flags) or not isinstance(types, dict):
        raise _invalid(buildpack, f"{path.name} has its flags outside of [types]")
    if not all(isinstance(types.get(flag, False), bool) for flag in flags):
        raise _invalid(buildpack, f"{path.name} has flags that are not true or false")
    return Layer(
        buildpack=buildpack.id,
        name=path.stem,
        path=path.with_suffix(""),
        launch=types.get("launch", False),
        build=types.get("build", False),
        cache=types.get("cache", False),
        data=data.get("metadata", {}),
    )


def read_unmet(folder: Path, buildpack: Buildpack, names: Sequence[str]) -> set[str]:
    """The plan entries that the buildpack hands on to the next provider."""
    unmet = {
        entry.get("name") for entry in _read(folder / "build.toml", buildpack).get("unmet", [])
    }
    if stray := unmet - set(names):
        raise _invalid(buildpack, f"build.toml names {sorted(map(str, stray))}, not in its plan")
    return {str(name) for name in unmet}


@dataclass(frozen=True)
class Launch:
    """The content of a launch.toml."""

    processes: tuple[Process, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    # Each is a list of patterns for files of the application that get a layer of their own.
    slices: tuple[tuple[str, ...], ...] = ()


def read_launch(folder: Path, buildpack: Buildpack) -> Launch:
    """Raises LifecycleError for what the buildpack's API does not allow."""
    data = _read(folder / "launch.toml", buildpack)
    processes = tuple(_process(entry, buildpack) for entry in data.get("processes", []))
    if sum(process.is_default for process in processes) > 1:
        raise _invalid(buildpack, "launch.toml has more than one default process")
    labels = {str(each["key"]): str(each["value"]) for each in data.get("labels", [])}
    slices = tuple(tuple(map(str, each.get("paths", []))) for each in data.get("slices", []))
    return Launch(processes, labels, slices)


def _process(entry: Mapping[str, Any], buildpack: Buildpack) -> Process:
    kind = str(entry.get("type", ""))
    if not PROCESS_TYPE.fullmatch(kind):
        raise _invalid(buildpack, f"{kind!r} is no name for a process type")
    is_new = buildpack.minor >= 9
    if is_new and "direct" in entry:
        raise _invalid(buildpack, f"process {kind} has the key `direct`, which its API forbids")
    command = entry.get("command")
    if isinstance(command, str) and not is_new:
        command = [command]
    if not command or not _is_texts(command):
        raise _invalid(buildpack, f"process {kind} has no command as a list of strings")
    return Process(
        type=kind,
        command=tuple(command),
        args=tuple(map(str, entry.get("args", []))),
        working_dir=str(entry.get("working-dir", "")),
        is_default=bool(entry.get("default", False)),
        is_direct=is_new or bool(entry.get("direct", False)),
        buildpack=buildpack.id,
        minor=buildpack.minor,
    )


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
