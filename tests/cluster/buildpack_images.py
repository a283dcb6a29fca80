"""The builder, the run image and the pause image: one Debian underneath."""

import tomllib
from pathlib import Path

from portal.settings import BUILD_ENVIRONMENT
from tests.cluster.components import LIFECYCLE
from tests.cluster.images import USER, add_image, base_layer, layer_of, tree

BUILDPACKS = Path(__file__).resolve().parents[2] / "builds" / "buildpacks"
PHASES = ("analyzer", "builder", "creator", "detector", "exporter", "rebaser", "restorer")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
DISTRIBUTION = {
    "io.buildpacks.base.distro.name": "debian",
    "io.buildpacks.base.distro.version": "12",
    "io.buildpacks.base.maintainer": "the portal's tests",
}
BUILDER, RUN, PAUSE = "builder", "run", "pause"


def make_images() -> tuple[str, ...]:
    base = base_layer()
    owner = {"Env": [f"CNB_USER_ID={USER}", f"CNB_GROUP_ID={USER}"], "User": f"{USER}:{USER}"}
    return (
        add_image(PAUSE, [base], Entrypoint=["sleep", "infinity"], User="65535:65535"),
        add_image(RUN, [base], Labels=DISTRIBUTION, **owner),
        add_image(BUILDER, [base, _builder_layer()], Labels=DISTRIBUTION, **owner),
    )


def _builder_layer():
    """The lifecycle, our buildpacks, and what builds get of this machine's environment."""
    files = {
        "/cnb/lifecycle/lifecycle": LIFECYCLE.program("lifecycle"),
        "/cnb/lifecycle/launcher": LIFECYCLE.program("launcher"),
        "/cnb/order.toml": BUILDPACKS / "order.toml",
    }
    for folder in BUILDPACKS.iterdir():
        if folder.is_dir():
            files |= tree(folder, _place_of(folder))
    for name, value in BUILD_ENVIRONMENT.items():
        files[f"/cnb/build-config/env/{name}"] = value.encode()
    if CERTIFICATES.exists():
        files[str(CERTIFICATES)] = CERTIFICATES.read_bytes()
    return layer_of(files, {f"/cnb/lifecycle/{phase}": "lifecycle" for phase in PHASES})


def _place_of(folder: Path) -> str:
    about = tomllib.loads((folder / "buildpack.toml").read_text())["buildpack"]
    return f"/cnb/buildpacks/{about['id'].replace('/', '_')}/{about['version']}"
