"""Buildpacks as they lie on disk, and the order in which groups of them are tried."""

import platform
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builds.lifecycle.errors import BUILDPACK_API_UNSUPPORTED, FAILED, LifecycleError
from builds.lifecycle.layout import Inside, escaped

SUPPORTED_APIS = tuple(f"0.{minor}" for minor in range(7, 13))
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
    known = {
        (found.id, found.version): found
        for found in (load(path.parent) for path in sorted(folder.glob("*/buildpack.toml")))
    }
    order = tomllib.loads((folder / "order.toml").read_text())["order"]
    return [[_member(entry, known) for entry in group["group"]] for group in order]


def _member(entry: Mapping[str, Any], known: Mapping[tuple[str, str], Buildpack]) -> Member:
    key = entry["id"], entry["version"]
    if key not in known:
        raise LifecycleError(FAILED, f"Buildpack {'@'.join(key)} of the order is not there.")
    return Member(known[key], is_optional=entry.get("optional", False))
