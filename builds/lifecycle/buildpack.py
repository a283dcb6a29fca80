"""Buildpacks as they lie on disk, and the order in which groups of them are tried."""

import platform
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builds.lifecycle.errors import BUILDPACK_API_UNSUPPORTED, FAILED, LifecycleError
from builds.lifecycle.layout import Inside, escaped

SUPPORTED_APIS = tuple(f"0.{minor}" for minor in range(7, 13))
# Buildpacks made of buildpacks made of buildpacks ...
DEPTH_AT_MOST = 20
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Target:
    """What an image is built for; empty fields match anything."""

    os: str = ""
    arch: str = ""
    distro_name: str = ""
    distro_version: str = ""

    def matches(self, wanted: Mapping[str, Any]) -> bool:
        """Whether a `[[targets]]` entry of a buildpack fits."""
        pairs = [(self.os, wanted.get("os")), (self.arch, wanted.get("arch"))]
        if not all(not a or not b or a == b for a, b in pairs):
            return False
        distros = wanted.get("distros") or []
        return not distros or any(self._is(distro) for distro in distros)

    def _is(self, distro: Mapping[str, Any]) -> bool:
        return distro.get("name", "") in ("", self.distro_name) and distro.get("version", "") in (
            "",
            self.distro_version,
        )


def target_of(base: Path | None) -> Target:
    """What is built on this machine, on an unpacked system or on the machine's own."""
    release = _release(base or Path("/"))
    machine = platform.machine()
    return Target(
        os="linux",
        arch=ARCHITECTURES.get(machine, machine),
        distro_name=release.get("ID", ""),
        distro_version=release.get("VERSION_ID", ""),
    )


def host_target() -> Target:
    """This machine, which is the base of what is built on it."""
    return target_of(None)


def _release(root: Path) -> dict[str, str]:
    """What an os-release file says."""
    try:
        text = (root / "etc/os-release").read_text(errors="replace")
    except OSError:
        return {}
    pairs = (line.partition("=")[::2] for line in text.splitlines())
    return {name: value.strip().strip("\"'") for name, value in pairs}


@dataclass(frozen=True)
class Buildpack:
    id: str
    version: str
    api: str
    path: Path
    homepage: str = ""
    clear_env: bool = False
    targets: tuple[Mapping[str, Any], ...] = ()
    sbom_formats: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.id}@{self.version}"

    @property
    def minor(self) -> int:
        """The second number of the Buildpack API: 0.10 is newer than 0.9."""
        return int(self.api.split(".")[1])

    def seen(self, inside: Inside) -> str:
        """Its directory, as the programs of a build see it."""
        return f"{inside.cnb}/buildpacks/{escaped(self.id)}/{self.version}"

    def fits(self, target: Target) -> bool:
        return not self.targets or any(target.matches(wanted) for wanted in self.targets)


def load(path: Path) -> Buildpack:
    """Read a buildpack's directory. Raises LifecycleError for an API that is not supported."""
    data = tomllib.loads((path / "buildpack.toml").read_text())
    about = data["buildpack"]
    api = str(data.get("api", ""))
    if api not in SUPPORTED_APIS:
        raise LifecycleError(
            BUILDPACK_API_UNSUPPORTED,
            f"Buildpack {about['id']} speaks Buildpack API {api or 'unknown'}; supported are "
            f"{SUPPORTED_APIS[0]} to {SUPPORTED_APIS[-1]}.",
        )
    return Buildpack(
        id=about["id"],
        version=about["version"],
        api=api,
        path=path,
        homepage=about.get("homepage", ""),
        clear_env=about.get("clear-env", False),
        targets=tuple(data.get("targets", ())),
        sbom_formats=tuple(about.get("sbom-formats", ())),
    )


@dataclass(frozen=True)
class Member:
    """A buildpack in a group."""

    buildpack: Buildpack
    is_optional: bool = False


Group = Sequence[Member]


def load_order(folder: Path) -> list[list[Member]]:
    """The groups of `order.toml` in a folder of buildpacks. Raises LifecycleError."""
    shelf = Shelf(folder)
    order = tomllib.loads((folder / "order.toml").read_text())["order"]
    return [list(group) for entry in order for group in shelf.groups(entry["group"])]


class Shelf:
    """The buildpacks in a folder, those that are made of others among them."""

    def __init__(self, folder: Path) -> None:
        self._known: dict[tuple[str, str], Buildpack] = {}
        self._orders: dict[tuple[str, str], Sequence[Mapping[str, Any]]] = {}
        for path in sorted(folder.glob("*/buildpack.toml")):
            buildpack, data = load(path.parent), tomllib.loads(path.read_text())
            key = buildpack.id, buildpack.version
            self._known[key] = buildpack
            if "order" in data:
                self._orders[key] = data["order"]

    def groups(
        self, entries: Sequence[Mapping[str, Any]], *, depth: int = 0
    ) -> Iterator[tuple[Member, ...]]:
        """The group with each buildpack that is made of others replaced by those, in their order.

        An optional one is, at last, replaced by nothing. Raises LifecycleError.
        """
        if depth > DEPTH_AT_MOST:
            raise LifecycleError(FAILED, "Buildpacks of the order are made of each other.")
        for at, entry in enumerate(entries):
            key = self._key(entry)
            if key in self._orders:
                choices = [each["group"] for each in self._orders[key]]
                choices += [[]] if entry.get("optional", False) else []
                for choice in choices:
                    flat = [*entries[:at], *choice, *entries[at + 1 :]]
                    yield from self.groups(flat, depth=depth + 1)
                return
        members = (Member(self._known[self._key(e)], e.get("optional", False)) for e in entries)
        if group := tuple(members):
            yield group

    def _key(self, entry: Mapping[str, Any]) -> tuple[str, str]:
        key = entry["id"], entry["version"]
        if key not in self._known:
            raise LifecycleError(FAILED, f"Buildpack {'@'.join(key)} of the order is not there.")
        return key
