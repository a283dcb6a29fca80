"""The images of a lab, made here because nothing can be pulled: kept in one OCI layout."""

import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from builds.lifecycle.oci import Descriptor, ImageStore, LayerBlob
from tests.cluster.components import CACHE
from tests.cluster.processes import LabError

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
PACKAGES = ("ca-certificates", "git", "python3", "python3-venv")
USER = 1000
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Inside a namespace, so that a bootstrap that is interrupted leaves no mounts.
ISOLATED = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
ACCOUNTS = f"""
echo 'cnb:x:{USER}:{USER}::/home/cnb:/bin/bash' >>"$0/etc/passwd"
echo 'cnb:x:{USER}:' >>"$0/etc/group"
mkdir -p "$0/home/cnb" && chown {USER}:{USER} "$0/home/cnb"
"""
EXCLUDED = ("./dev/*", "./proc/*", "./sys/*", "./var/cache/apt/*", "./var/lib/apt/lists/*")

Files = Mapping[str, bytes | Path]


def store() -> ImageStore:
    return ImageStore(CACHE / "images")


def base_layer() -> LayerBlob:
    """Debian with what a build needs; from the cache, or bootstrapped in a minute or two."""
    recipe = json.dumps([SUITE, PACKAGES, ACCOUNTS, EXCLUDED])
    note = CACHE / f"debian-{SUITE}-{sha256(recipe.encode()).hexdigest()[:10]}.json"
    if note.exists():
        kept = json.loads(note.read_text())
        return LayerBlob(Descriptor.of(kept["blob"]), kept["diff_id"])
    layer = _bootstrap()
    note.write_text(json.dumps({"blob": layer.blob.as_json(), "diff_id": layer.diff_id}))
    return layer


def _bootstrap() -> LayerBlob:
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="bootstrap-") as folder:
        root = Path(folder) / "root"
        wanted = f"--include={','.join(PACKAGES)}"
        argv = [*ISOLATED, "debootstrap", "--variant=minbase", wanted, SUITE, root, MIRROR]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"debootstrap failed: {(done.stdout + done.stderr)[-2000:]}")
        subprocess.run(["sh", "-ec", ACCOUNTS, root], check=True)
        return store().add_layer(lambda file: _pack_tree(root, file))


def _pack_tree(root: Path, file: io.RawIOBase) -> None:
    excluded = [f"--exclude={pattern}" for pattern in EXCLUDED]
    argv = ["tar", "-C", root, "--numeric-owner", "--sort=name", "-c", *excluded, "."]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as tar:
        while data := tar.stdout.read(1 << 20):
            file.write(data)
    if tar.returncode:
        raise LabError(f"tar ended with {tar.returncode}")


def layer_of(files: Files, links: Mapping[str, str] | None = None) -> LayerBlob:
    """Files and links by absolute path; bytes are their contents, paths are copied, with mode."""

    def pack(file: io.RawIOBase) -> None:
        with tarfile.open(fileobj=file, mode="w|") as tar:
            for path, source in sorted(files.items()):
                _add_file(tar, path, source)
            for path, target in sorted((links or {}).items()):
                link = _entry(path, tarfile.SYMTYPE, 0o777)
                link.linkname = target
                tar.addfile(link)

    return store().add_layer(pack)


def _add_file(tar: tarfile.TarFile, path: str, source: bytes | Path) -> None:
    data = source if isinstance(source, bytes) else source.read_bytes()
    runs = isinstance(source, Path) and os.access(source, os.X_OK)
    entry = _entry(path, tarfile.REGTYPE, 0o755 if runs else 0o644)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _entry(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.type, entry.mode = kind, mode
    return entry


def tree(folder: Path, place: str) -> dict[str, Path]:
    """The files of a folder, each at its path below `place`."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {
        f"{place}/{path.relative_to(folder)}": path
        for path in found
        if "__pycache__" not in path.parts
    }


def add_image(name: str, layers: list[LayerBlob], **settings: object) -> str:
    """Names an image in the store; settings are those of an OCI image: Env, User, Labels..."""
    environment = [f"PATH={PATH}", *settings.pop("Env", [])]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": environment, **settings},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [{"created_by": "portal-lab"} for _layer in layers],
    }
    store().add_image(config, layers, tag=name)
    return name
