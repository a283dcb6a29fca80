"""Where a build's directories are: on the host, and as the buildpacks see them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Inside:
    """The names that the programs of a build, and later those of its image, see.

    `root` is empty where directories can be mounted at the root of the file system. Elsewhere it is
    a directory of the host, the same while building and while running, as paths are baked in.
    """

    root: str = ""

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> "Inside":
        """As an image's variables tell it."""
        return cls(variables.get("CNB_LAYERS_DIR", "").removesuffix("/layers"))

    @property
    def workspace(self) -> str:
        return f"{self.root}/workspace"

    @property
    def layers(self) -> str:
        return f"{self.root}/layers"

    @property
    def platform(self) -> str:
        return f"{self.root}/platform"

    @property
    def plans(self) -> str:
        return f"{self.root}/plans"

    @property
    def source(self) -> str:
        return f"{self.root}/source"

    @property
    def cnb(self) -> str:
        return f"{self.root}/cnb"

    @property
    def launcher(self) -> str:
        return f"{self.cnb}/lifecycle/launcher"

    @property
    def processes(self) -> str:
        return f"{self.cnb}/process"


@dataclass(frozen=True)
class Layout:
    """The directory of a build on the host, and how its parts are called inside."""

    root: Path
    inside: Inside = field(default_factory=Inside)

    @property
    def workspace(self) -> Path:
        return self.root / "workspace"

    @property
    def layers(self) -> Path:
        return self.root / "layers"

    @property
    def platform(self) -> Path:
        return self.root / "platform"

    @property
    def plans(self) -> Path:
        return self.root / "plans"

    @property
    def source(self) -> Path:
        return self.root / "source"

    def make(self) -> None:
        """Create what is missing."""
        for path in (self.workspace, self.layers, self.platform / "env", self.plans):
            path.mkdir(parents=True, exist_ok=True)

    def seen(self, path: Path) -> str:
        """The name that a host path below `root` has inside."""
        return f"{self.inside.root}/{path.relative_to(self.root)}"


def escaped(identifier: str) -> str:
    """A buildpack's id as the name of a directory."""
    return identifier.replace("/", "_")
