"""The build phase: each buildpack of the group in turn, with what the earlier ones left."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from builds.lifecycle.bom import read_boms
from builds.lifecycle.buildpack import Buildpack
from builds.lifecycle.detect import Detected, Settings
from builds.lifecycle.environment import add_roots, apply_files, for_buildpack, read_folder
from builds.lifecycle.errors import BUILDPACK_FAILED, LifecycleError
from builds.lifecycle.execution import Executor
from builds.lifecycle.layers import Launch, Layer, Process, read_launch, read_layers, read_unmet
from builds.lifecycle.layout import Layout, escaped
from builds.lifecycle.plan import Entry

NO_PROCESS = (
    "Nothing says how to start the application. Add a file named Procfile with a line such as "
    "`web: ./serve --port $PORT`."
)


@dataclass
class Built:
    """What all buildpacks made together."""

    buildpacks: tuple[Buildpack, ...]
    layers: list[Layer] = field(default_factory=list)
    processes: dict[str, Process] = field(default_factory=dict)
    default_process: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    slices: list[tuple[str, ...]] = field(default_factory=list)
    # Lists of what was installed, as (path below /layers/sbom/launch, path on the host).
    boms: list[tuple[str, Path]] = field(default_factory=list)

    def add(self, launch: Launch) -> None:
        """Later buildpacks win; redefining the default process undoes the default."""
        for process in launch.processes:
            self.processes[process.type] = process
            if process.is_default:
                self.default_process = process.type
            elif process.type == self.default_process:
                self.default_process = ""
        self.labels |= launch.labels
        self.slices += launch.slices


class Builder:
    """Runs bin/build of each buildpack; `say` gets a heading before each."""

    def __init__(
        self,
        layout: Layout,
        settings: Settings,
        *,
        execute: Executor,
        own: Callable[[Any], None],
        say: Callable[[str], None],
    ) -> None:
        self._layout = layout
        self._settings = settings
        self._execute = execute
        # Makes a host path the property of the user that the buildpacks run as.
        self._own = own
        self._say = say
        self._base = dict(settings.base)

    def build(self, detected: Detected) -> Built:
        """Raises LifecycleError when a buildpack fails or leaves something invalid."""
        built = Built(detected.buildpacks)
        unmet: Sequence[Entry] = detected.plan.entries
        for buildpack in detected.buildpacks:
            self._say(f"---> {buildpack}")
            unmet = self._build_one(buildpack, unmet, built)
        if not built.processes:
            raise LifecycleError(BUILDPACK_FAILED, NO_PROCESS)
        return built

    def _build_one(self, buildpack: Buildpack, unmet: Sequence[Entry], built: Built) -> list[Entry]:
        folder = self._layout.layers / escaped(buildpack.id)
        folder.mkdir(exist_ok=True)
        self._own(folder)
        mine = [entry for entry in unmet if str(buildpack) in entry.providers]
        self._run(buildpack, mine)
        names = [entry.name for entry in mine]
        handed_on = read_unmet(folder, buildpack, names)
        layers = read_layers(folder, buildpack)
        for layer in layers:
            if layer.build:
                self._extend_base(layer)
        built.layers += layers
        built.add(read_launch(folder, buildpack))
        built.boms += read_boms(folder, buildpack, layers)
        met = set(names) - handed_on
        return [entry for entry in unmet if entry.name not in met]

    def _run(self, buildpack: Buildpack, entries: Sequence[Entry]) -> None:
        plan = self._layout.plans / f"build-{escaped(buildpack.id)}.toml"
        requires: list[Mapping[str, Any]] = [need for each in entries for need in each.requires]
        plan.write_text(tomli_w.dumps({"entries": requires}))
        inside = self._layout.inside
        layers = f"{inside.layers}/{escaped(buildpack.id)}"
        env = for_buildpack(
            buildpack,
            inside,
            base=self._base,
            user=self._settings.user,
            operator=self._settings.operator,
            target=self._settings.target,
        )
        seen = self._layout.seen(plan)
        env |= {"CNB_BP_PLAN_PATH": seen, "CNB_LAYERS_DIR": layers}
        argv = [f"{buildpack.seen(inside)}/bin/build", layers, inside.platform, seen]
        status = self._execute(argv, cwd=inside.workspace, env=env, network=True)
        if status:
            raise LifecycleError(
                BUILDPACK_FAILED,
                f"Buildpack {buildpack} failed with exit status {status}. "
                "The lines above the end of the log say why.",
            )

    def _extend_base(self, layer: Layer) -> None:
        seen = f"{self._layout.inside.layers}/{escaped(layer.buildpack)}/{layer.name}"
        add_roots(self._base, layer.path, seen=seen)
        for folder in ("env", "env.build"):
            apply_files(self._base, read_folder(layer.path / folder))
