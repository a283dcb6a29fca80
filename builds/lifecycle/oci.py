"""An OCI image layout on disk: one directory per tool, safe under concurrent use."""

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isal import igzip

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
REF_NAME = "org.opencontainers.image.ref.name"
COMPRESSION_LEVEL = 1


@dataclass(frozen=True)
class Descriptor:
    """A blob: what it is, its digest ("sha256:...") and size in bytes."""

    media_type: str
    digest: str
    size: int

    def as_json(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}

    @classmethod
    def of(cls, data: dict[str, Any]) -> "Descriptor":
        return cls(data["mediaType"], data["digest"], data["size"])


@dataclass(frozen=True)
class LayerBlob:
    """A layer in the store: its compressed blob, and the digest of the tar inside."""

    blob: Descriptor
    diff_id: str


@dataclass(frozen=True)
class StoredImage:
    digest: str
    config: dict[str, Any]
    layers: tuple[LayerBlob, ...]

    @property
    def labels(self) -> dict[str, str]:
        return self.config.get("config", {}).get("Labels") or {}

    @property
    def variables(self) -> dict[str, str]:
        pairs = self.config.get("config", {}).get("Env") or []
        return dict(pair.split("=", 1) for pair in pairs)

    def layer(self, diff_id: str) -> LayerBlob | None:
        return next((each for each in self.layers if each.diff_id == diff_id), None)


class _Hashing:
    """A file that remembers the digest and the number of the bytes written to it."""

    def __init__(self, file: Any) -> None:  # noqa: ANN401
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return int(self._file.write(data))

    def flush(self) -> None:
        self._file.flush()

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


class ImageStore:
    """Reads and writes an OCI layout. Blobs appear whole or not at all."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._blobs = root / "blobs" / "sha256"

    def _make(self) -> None:
        self._blobs.mkdir(parents=True, exist_ok=True)
        layout = self.root / "oci-layout"
        if not layout.exists():
            self._replace(layout, json.dumps({"imageLayoutVersion": "1.0.0"}).encode())

    def _replace(self, path: Path, data: bytes) -> None:
        with tempfile.NamedTemporaryFile(dir=self.root, delete=False) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, path)

    def path_of(self, digest: str) -> Path:
        return self._blobs / digest.removeprefix("sha256:")

    def has(self, digest: str) -> bool:
        return self.path_of(digest).is_file()

    def add_layer(self, write: Callable[[Any], None]) -> LayerBlob:
        """Store the tar that `write` writes into the file it is given, compressed."""
        self._make()
        with tempfile.NamedTemporaryFile(dir=self._blobs, prefix="new-", delete=False) as file:
            outer = _Hashing(file)
            with igzip.GzipFile("", "wb", COMPRESSION_LEVEL, outer, mtime=0) as packed:  # type: ignore[no-untyped-call]
                inner = _Hashing(packed)
                write(inner)
        blob = Descriptor(LAYER, outer.digest, outer.size)
        os.replace(file.name, self.path_of(blob.digest))
        return LayerBlob(blob, inner.digest)

    def add_json(self, media_type: str, data: dict[str, Any]) -> Descriptor:
        self._make()
        raw = json.dumps(data, separators=(",", ":"), sort_keys=True).encode()
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        if not self.has(digest):
            self._replace(self.path_of(digest), raw)
        return Descriptor(media_type, digest, len(raw))

    def add_image(self, config: dict[str, Any], layers: list[LayerBlob], *, tag: str) -> Descriptor:
        """Write configuration and manifest, and have `tag` name the image."""
        described = self.add_json(CONFIG, config)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described.as_json(),
            "layers": [layer.blob.as_json() for layer in layers],
        }
        image = self.add_json(MANIFEST, manifest)
        with self._index() as entries:
            entries[:] = [e for e in entries if e.get("annotations", {}).get(REF_NAME) != tag]
            entries.append({**image.as_json(), "annotations": {REF_NAME: tag}})
        return image

    @contextmanager
    def _index(self) -> Iterator[list[dict[str, Any]]]:
        """The entries of index.json, written back at the end; one writer at a time."""
        with (self.root / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            entries = self._entries()
            yield entries
            index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
            self._replace(self.root / "index.json", json.dumps(index).encode())

    def _entries(self) -> list[dict[str, Any]]:
        try:
            return json.loads((self.root / "index.json").read_text())["manifests"]
        except FileNotFoundError:
            return []

    def latest(self) -> StoredImage | None:
        """The image that was tagged last."""
        for entry in reversed(self._entries()):
            if self.has(entry["digest"]):
                return self.read(entry["digest"])
        return None

    def read(self, digest: str) -> StoredImage:
        """Raises FileNotFoundError when the image is not there."""
        manifest = json.loads(self.path_of(digest).read_text())
        config = json.loads(self.path_of(manifest["config"]["digest"]).read_text())
        blobs = [Descriptor.of(entry) for entry in manifest["layers"]]
        pairs = zip(blobs, config["rootfs"]["diff_ids"], strict=True)
        return StoredImage(digest, config, tuple(LayerBlob(*pair) for pair in pairs))

    def size_of(self, digest: str) -> int:
        """Bytes of the image's compressed layers and configuration."""
        manifest = json.loads(self.path_of(digest).read_text())
        return manifest["config"]["size"] + sum(layer["size"] for layer in manifest["layers"])

    def keep_only(self, digests: set[str]) -> int:
        """Forget all other images and delete blobs that nothing names; returns the bytes freed.

        Not to be called while an image of this store is being exported.
        """
        if not self._blobs.is_dir():
            return 0
        with self._index() as entries:
            entries[:] = [entry for entry in entries if entry["digest"] in digests]
            needed = {name for entry in entries for name in self._names_of(entry["digest"])}
        freed = 0
        for path in self._blobs.iterdir():
            if f"sha256:{path.name}" not in needed:
                freed += path.stat().st_size
                path.unlink()
        return freed

    def _names_of(self, digest: str) -> set[str]:
        if not self.has(digest):
            return set()
        manifest = json.loads(self.path_of(digest).read_text())
        return {
            digest,
            manifest["config"]["digest"],
            *(each["digest"] for each in manifest["layers"]),
        }
