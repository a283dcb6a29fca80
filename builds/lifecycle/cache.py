"""Layers that outlive a build: restored before it, kept after it.

A cache is a directory per tool with one tree per layer. It is written only after a successful
export: staged beside, then renamed, so it is whole or not there.
"""

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from builds.lifecycle.buildpack import Buildpack
from builds.lifecycle.layers import Layer
from builds.lifecycle.layout import Inside, Layout, escaped
from builds.lifecycle.oci import ImageStore, StoredImage

METADATA_LABEL = "io.buildpacks.lifecycle.metadata"
# Seconds for copying one layer.
COPY_TIMEOUT = 600
Fingerprint = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Restored:
    """A layer whose contents were put back: unchanged since, it need not be packed again."""

    diff_id: str
    fingerprint: Fingerprint


def fingerprint(folder: Path) -> Fingerprint:
    """What tells whether a tree was touched; a change time cannot be set back by its owner."""
    seen: Fingerprint = {}
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(root, name)
            status = os.lstat(path)
            seen[os.path.relpath(path, folder)] = (
                status.st_ino,
                status.st_ctime_ns,
                0 if stat.S_ISDIR(status.st_mode) else status.st_size,
                status.st_mode,
            )
    return seen


def _copy(source: Path, target: Path) -> None:
    """Copy a tree as it is, links unfollowed, sharing blocks where the file system can."""
    argv = ["cp", "--archive", "--reflink=auto", "--no-target-directory", "--"]
    subprocess.run([*argv, source, target], check=True, timeout=COPY_TIMEOUT, capture_output=True)


def previous_image(store: ImageStore, inside: Inside, *, base: str = "") -> StoredImage | None:
    """The last image whose layers may be used again: made under the same names, on that system."""
    image = store.latest()
    if image is None or Inside.of(image.variables) != inside or base_of(image) != base:
        return None
    return image


def base_of(image: StoredImage) -> str:
    """The name of the system that an image runs on; empty for the machine's own."""
    label = json.loads(image.labels.get(METADATA_LABEL, "{}"))
    return str(label.get("runImage", {}).get("image", ""))


def previous_layers(image: StoredImage | None, buildpack: str) -> Mapping[str, Mapping[str, Any]]:
    """What an image's label tells of the layers of one buildpack: by name."""
    if image is None:
        return {}
    label = json.loads(image.labels.get(METADATA_LABEL, "{}"))
    for each in label.get("buildpacks", []):
        if each["key"] == buildpack:
            return each.get("layers", {})
    return {}


class Cache:
    def __init__(self, root: Path) -> None:
        self.root = root
        self._committed = root / "committed"

    def _notes(self) -> Mapping[str, Mapping[str, Any]]:
        """Layer key -> {"diff_id", "launch", "data"}; empty when there is no usable cache."""
        try:
            return json.loads((self._committed / "cache.json").read_text())
        except (OSError, ValueError):
            return {}

    def restore(
        self,
        layout: Layout,
        buildpacks: Sequence[Buildpack],
        *,
        previous: StoredImage | None,
        own: Callable[[Path], None],
    ) -> dict[str, Restored]:
        """Put back what each buildpack may find again; returns the restored contents by key."""
        restored = {}
        for buildpack in buildpacks:
            folder = layout.layers / escaped(buildpack.id)
            folder.mkdir(exist_ok=True)
            in_image = previous_layers(previous, buildpack.id)
            for key, note in self._notes().items():
                owner, _colon, name = key.partition(":")
                if owner != buildpack.id:
                    continue
                if note["launch"] and in_image.get(name, {}).get("sha") != note["diff_id"]:
                    continue
                restored[key] = self._put_back(folder, name, note, own=own)
            for name, note in in_image.items():
                if note["launch"] and not note["build"] and not note["cache"]:
                    _note(folder / f"{name}.toml", note.get("data"), own=own)
        return restored

    def _put_back(
        self, folder: Path, name: str, note: Mapping[str, Any], *, own: Callable[[Path], None]
    ) -> Restored:
        _copy(self._committed / folder.name / name, folder / name)
        _note(folder / f"{name}.toml", note["data"], own=own)
        return Restored(note["diff_id"], fingerprint(folder / name))

    def save(self, layers: Sequence[Layer], diff_ids: Mapping[str, str]) -> None:
        """Replace the cache by the layers that are to be cached. `diff_ids` is by layer key."""
        staging = self.root / "staging"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        notes = {}
        for layer in layers:
            if layer.cache and layer.has_contents:
                (staging / escaped(layer.buildpack)).mkdir(exist_ok=True)
                # The build is over: its directory may be moved instead of copied.
                layer.path.rename(staging / escaped(layer.buildpack) / layer.name)
                notes[layer.key] = {
                    "diff_id": diff_ids.get(layer.key, ""),
                    "launch": layer.launch,
                    "data": layer.data,
                }
        (staging / "cache.json").write_text(json.dumps(notes, default=str))
        shutil.rmtree(self._committed, ignore_errors=True)
        staging.rename(self._committed)


def _note(path: Path, data: object, *, own: Callable[[Path], None]) -> None:
    """The layer's TOML file with its metadata only: what it is for must be said anew."""
    path.write_text(tomli_w.dumps({"metadata": data or {}}))
    own(path)
