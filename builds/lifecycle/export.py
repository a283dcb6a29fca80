"""The export phase: the layers, the application and the launcher become an OCI image."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from builds.lifecycle.archive import BadArchive, TarWriter, paths_in
from builds.lifecycle.build import Built
from builds.lifecycle.buildpack import Target
from builds.lifecycle.cache import (
    METADATA_LABEL,
    Cache,
    Restored,
    fingerprint,
    previous_layers,
)
from builds.lifecycle.errors import EXPORT_ERROR, LifecycleError
from builds.lifecycle.launch import launcher_config, launcher_script
from builds.lifecycle.layers import Layer, Process
from builds.lifecycle.layout import Layout, escaped
from builds.lifecycle.oci import ImageStore, LayerBlob, StoredImage
from builds.lifecycle.slices import Paths, split

BUILD_LABEL = "io.buildpacks.build.metadata"
PROJECT_LABEL = "io.buildpacks.project.metadata"
CREATED = "1980-01-01T00:00:01Z"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Source:
    """Where the application came from, for the image's labels."""

    repository: str
    commit: str
    ref: str = ""


@dataclass(frozen=True)
class Exported:
    digest: str
    size: int
    processes: Mapping[str, Process]
    default_process: str


class Exporter:
    """Makes one image. `restored` tells which layers need not be packed if they are untouched."""

    def __init__(
        self,
        layout: Layout,
        store: ImageStore,
        *,
        target: Target,
        restored: Mapping[str, Restored],
        previous: StoredImage | None = None,
        base: str = "",
    ) -> None:
        self._layout = layout
        self._inside = layout.inside
        self._store = store
        self._target = target
        self._restored = restored
        # The image whose layers may be used again.
        self._previous = previous
        # The name of the system that the image is to run on; empty for the machine's own.
        self._base = base
        self._layers: list[LayerBlob] = []
        self._history: list[str] = []
        self._diff_ids: dict[str, str] = {}

    def export(self, built: Built, source: Source, *, tag: str, cache: Cache | None) -> Exported:
        """Write the image, then the cache if there is one. Raises LifecycleError."""
        try:
            return self._export(built, source, tag=tag, cache=cache)
        except BadArchive as error:
            raise LifecycleError(EXPORT_ERROR, str(error)) from error

    def _export(self, built: Built, source: Source, *, tag: str, cache: Cache | None) -> Exported:
        launched = [layer for layer in built.layers if layer.launch]
        for layer in launched:
            self._add_layer(layer)
        if built.boms:
            bom = self._add("Software Bill of Materials", lambda tar: self._write_boms(tar, built))
        slices = self._add_application(built)
        launcher = self._add(
            "Launcher",
            lambda tar: tar.add_file(
                self._inside.launcher, launcher_script(self._inside), mode=0o755
            ),
        )
        config = self._add("Configuration", lambda tar: self._write_config(tar, built, launched))
        types = self._add("Process Types", lambda tar: self._write_types(tar, built))
        default = built.default_process or ("web" if "web" in built.processes else "")
        lifecycle = {
            "app": [{"sha": each.diff_id} for each in slices],
            "sbom": {"sha": bom.diff_id} if built.boms else None,
            "buildpacks": self._buildpack_notes(built),
            "config": {"sha": config.diff_id},
            "launcher": {"sha": launcher.diff_id},
            "process-types": {"sha": types.diff_id},
            "runImage": {"topLayer": "", "reference": "", "image": self._base},
        }
        labels = {
            **built.labels,
            METADATA_LABEL: _compact(lifecycle),
            BUILD_LABEL: _compact(_build_notes(built, default)),
            PROJECT_LABEL: _compact(_project_notes(source)),
        }
        image = self._store.add_image(self._config(labels, default), self._layers, tag=tag)
        if cache is not None:
            cache.save([layer for layer in built.layers if layer.cache], self._diff_ids)
        size = self._store.size_of(image.digest)
        return Exported(image.digest, size, built.processes, default)

    def _add_application(self, built: Built) -> list[LayerBlob]:
        """One layer, or one for each slice and one for the rest."""
        path, name = self._app()
        if not built.slices:
            return [self._add("Application Layer", lambda tar: tar.add_tree(path, name))]
        parts = enumerate(split(paths_in(path), built.slices), 1)
        return [self._add_slice(number, wanted) for number, wanted in parts if wanted]

    def _add_slice(self, number: int, wanted: Paths) -> LayerBlob:
        path, name = self._app()
        what = f"Application Slice: {number}"
        return self._add(what, lambda tar: tar.add_some(path, name, wanted))

    def _write_boms(self, tar: TarWriter, built: Built) -> None:
        for name, path in built.boms:
            tar.add_file(f"{self._inside.layers}/sbom/launch/{name}", path.read_bytes())

    def _app(self) -> tuple[Path, str]:
        return self._layout.workspace, self._inside.workspace.lstrip("/")

    def _add(self, what: str, write: Callable[[TarWriter], None]) -> LayerBlob:
        def pack(file: Any) -> None:  # noqa: ANN401
            tar = TarWriter(file)
            write(tar)
            tar.close()

        return self._append(what, self._store.add_layer(pack))

    def _append(self, what: str, layer: LayerBlob) -> LayerBlob:
        self._layers.append(layer)
        self._history.append(what)
        return layer

    def _add_layer(self, layer: Layer) -> None:
        what = f"Layer: {layer.name}, buildpack: {layer.buildpack}"
        known = self._known(layer)
        if known:
            self._append(what, known)
        else:
            name = f"{self._inside.layers.lstrip('/')}/{escaped(layer.buildpack)}/{layer.name}"
            known = self._add(what, lambda tar: tar.add_tree(layer.path, name))
        self._diff_ids[layer.key] = known.diff_id

    def _known(self, layer: Layer) -> LayerBlob | None:
        """The layer as the previous image has it, if this one is the same or was left to it."""
        if self._previous is None:
            return self._must_have_contents(layer)
        if not layer.has_contents:
            note = previous_layers(self._previous, layer.buildpack).get(layer.name, {})
            return self._previous.layer(note.get("sha", "")) or self._must_have_contents(layer)
        restored = self._restored.get(layer.key)
        if restored and restored.diff_id and fingerprint(layer.path) == restored.fingerprint:
            return self._previous.layer(restored.diff_id)
        return None

    @staticmethod
    def _must_have_contents(layer: Layer) -> None:
        if not layer.has_contents:
            raise LifecycleError(
                EXPORT_ERROR,
                f"Buildpack {layer.buildpack} left the layer {layer.name} to the previous image, "
                "which has none of that name.",
            )

    def _write_config(self, tar: TarWriter, built: Built, launched: list[Layer]) -> None:
        folder = f"{self._inside.layers}/config"
        config = launcher_config(self._inside, launched, built.processes.values())
        tar.add_file(f"{folder}/launcher.sh", config)
        processes = [_process_note(each) for each in _sorted(built)]
        groups = [{"id": each.id, "version": each.version} for each in built.buildpacks]
        notes = tomli_w.dumps({"buildpacks": groups, "processes": processes})
        tar.add_file(f"{folder}/metadata.toml", notes.encode())

    def _write_types(self, tar: TarWriter, built: Built) -> None:
        for process in _sorted(built):
            tar.add_link(f"{self._inside.processes}/{process.type}", self._inside.launcher)

    def _buildpack_notes(self, built: Built) -> list[dict[str, Any]]:
        notes: list[dict[str, Any]] = []
        for buildpack in built.buildpacks:
            layers = {
                layer.name: {
                    "sha": self._diff_ids.get(layer.key, ""),
                    "data": layer.data or None,
                    "build": layer.build,
                    "launch": layer.launch,
                    "cache": layer.cache,
                }
                for layer in built.layers
                if layer.buildpack == buildpack.id and layer.launch
            }
            notes.append({"key": buildpack.id, "version": buildpack.version, "layers": layers})
        return notes

    def _config(self, labels: Mapping[str, str], default: str) -> dict[str, Any]:
        inside = self._inside
        return {
            "architecture": self._target.arch,
            "os": self._target.os,
            "created": CREATED,
            "config": {
                "Env": [
                    f"PATH={inside.processes}:{inside.cnb}/lifecycle:{PATH}",
                    f"CNB_LAYERS_DIR={inside.layers}",
                    f"CNB_APP_DIR={inside.workspace}",
                    "CNB_PLATFORM_API=0.13",
                    "CNB_DEPRECATION_MODE=quiet",
                ],
                "Entrypoint": [f"{inside.processes}/{default}" if default else inside.launcher],
                "WorkingDir": inside.workspace,
                "User": "1000:1000",
                "Labels": dict(sorted(labels.items())),
            },
            "rootfs": {"type": "layers", "diff_ids": [each.diff_id for each in self._layers]},
            "history": [{"created": CREATED, "created_by": what} for what in self._history],
        }


def _compact(data: object) -> str:
    return json.dumps(data, separators=(",", ":"), sort_keys=True, default=str)


def _sorted(built: Built) -> list[Process]:
    return [built.processes[kind] for kind in sorted(built.processes)]


def _process_note(process: Process) -> dict[str, Any]:
    return {
        "type": process.type,
        "command": list(process.command),
        "args": list(process.args),
        "direct": process.is_direct,
        "buildpackID": process.buildpack,
    }


def _build_notes(built: Built, default: str) -> dict[str, Any]:
    return {
        "buildpacks": [
            {"id": each.id, "version": each.version, "homepage": each.homepage}
            for each in built.buildpacks
        ],
        "processes": [_process_note(each) for each in _sorted(built)],
        "buildpack-default-process-type": default,
    }


def _project_notes(source: Source) -> dict[str, Any]:
    return {
        "source": {
            "type": "git",
            "version": {"commit": source.commit},
            "metadata": {"repository": source.repository, "refs": [source.ref]},
        }
    }
