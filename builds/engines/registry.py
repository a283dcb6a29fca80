"""What an image in a registry says of itself."""

import json
from collections.abc import Mapping
from typing import Any

from builds.engines.base import BuiltImage, EngineError
from portal.registry import Distribution, Registry, RegistryError


def describe(registry: Registry, repository: str, digest: str) -> BuiltImage:
    """An image as its manifest and labels tell. Raises EngineError: asking again may help."""
    try:
        with Distribution(registry) as there:
            manifest = there.read(repository, f"manifests/{digest}")
            config = there.read(repository, f"blobs/{manifest['config']['digest']}")
            return _described(registry, repository, digest, manifest, config)
    except (RegistryError, ValueError, KeyError) as error:
        raise EngineError(f"The registry {registry.host} cannot be read: {error}") from error


def _described(
    registry: Registry,
    repository: str,
    digest: str,
    manifest: Mapping[str, Any],
    config: Mapping[str, Any],
) -> BuiltImage:
    labels = (config.get("config") or {}).get("Labels") or {}
    build = json.loads(labels.get("io.buildpacks.build.metadata") or "{}")
    lifecycle = json.loads(labels.get("io.buildpacks.lifecycle.metadata") or "{}")
    size = manifest["config"]["size"] + sum(layer["size"] for layer in manifest["layers"])
    processes = {each["type"]: _command(each) for each in build.get("processes") or []}
    return BuiltImage(
        digest=digest,
        reference=f"{registry.host}/{repository}@{digest}",
        size=size,
        processes=processes,
        default_process=_default(build, config, processes),
        buildpacks=tuple(f"{each['id']}@{each['version']}" for each in build.get("buildpacks", [])),
        run_image=str((lifecycle.get("runImage") or {}).get("reference", "")),
    )


def _command(process: Mapping[str, Any]) -> tuple[str, ...]:
    command = process.get("command") or []
    words = [command] if isinstance(command, str) else list(command)
    return tuple(words + list(process.get("args") or []))


def _default(build: Mapping[str, Any], config: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """The default process is what the entry point names: /cnb/process/<type>."""
    entry = ((config.get("config") or {}).get("Entrypoint") or [""])[0]
    name = str(build.get("buildpack-default-process-type") or entry.rpartition("/process/")[2])
    return name if name in known else ""
