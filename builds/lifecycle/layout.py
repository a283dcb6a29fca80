"""Where a build's directories are: on the host, and as the buildpacks see them."""

from dataclasses import dataclass
from pathlib import Path

WORKSPACE, LAYERS, PLATFORM, PLANS = "/workspace", "/layers", "/platform", "/plans"
BUILDPACKS = "/cnb/buildpacks"


@dataclass(frozen=True)
class Layout:
    """The directory of a build on the host; inside the sandbox its parts are at the root."""

    root: Path

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

    def make(self) -> None:
        """Create what is missing."""
        for path in (self.workspace, self.layers, self.platform / "env", self.plans):
            path.mkdir(parents=True, exist_ok=True)

    def seen(self, path: Path) -> str:
        """The name that a host path below `root` has in the sandbox."""
        return "/" + str(path.relative_to(self.root))


def escaped(identifier: str) -> str:
    """A buildpack's id as the name of a directory."""
    return identifier.replace("/", "_")
