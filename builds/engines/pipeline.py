"""The manifests of a build in a cluster, as pure functions."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from builds.engines.base import Order
from portal.cluster.base import Manifest
from portal.cluster.home import (
    ACCOUNT,
    REGISTRY_SECRET,
    Home,
    build_namespace_of,
    building_place,
    labels_of,
)

PIPELINE_FILE = Path(__file__).parents[2] / "deploy" / "tekton" / "pipeline.yaml"
BUILD_LABEL = "portal.example.org/build"
RUN_LABEL = "tekton.dev/pipelineRun"
# Files named so are read by the lifecycle: a name and perhaps how it is combined.
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True)
class BuildSettings:
    """What the cluster's row and the installation decide."""

    registry: str
    builder: str
    run_image: str
    git_image: str
    registry_is_insecure: bool = False
    # Of the builder's user: the run has to be as the lifecycle in the builder expects.
    user_id: int = 1000
    group_id: int = 1000
    platform_api: str = "0.13"
    # The pod may use so much; it is placed where a part of it is free.
    memory_bytes: int = 2 * 1024**3
    cpu: str = "2"
    memory_request_bytes: int = 512 * 1024**2
    cpu_request: str = "250m"
    # Seconds.
    running_limit: int = 1800
    # How long a build may wait for a place or an image.
    pending_limit: int = 300
    log_bytes: int = 8 * 1024**2
    # The operator's configuration of buildpacks: proxies, package indexes.
    operator: Mapping[str, str] = field(default_factory=dict)
    allowed_hosts: tuple[str, ...] = ()
    trusted_prefixes: tuple[str, ...] = ()
    home: Home = field(default_factory=lambda: Home(tool=""))


def repository_of(order: Order, settings: BuildSettings) -> str:
    """Where the tool's images are kept."""
    return f"{settings.registry}/tool-{order.tool}/{order.tool}"


def image_of(order: Order, settings: BuildSettings) -> str:
    return f"{repository_of(order, settings)}:{order.name.rpartition('-')[2]}"


def pipeline_run(order: Order, settings: BuildSettings) -> Manifest:
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": _metadata(order, order.name),
        "spec": {
            "pipelineRef": {"name": "buildpacks"},
            "timeouts": {"pipeline": f"{settings.running_limit}s"},
            "params": [
                {"name": name, "value": value} for name, value in _params(order, settings).items()
            ],
            "taskRunTemplate": {
                "serviceAccountName": ACCOUNT,
                "podTemplate": _pod_template(settings),
            },
            "taskRunSpecs": [{"pipelineTaskName": "build", "computeResources": _use(settings)}],
        },
    }


def _params(order: Order, settings: BuildSettings) -> dict[str, str]:
    return {
        "source-url": order.source_url,
        "source-ref": order.ref,
        "source-commit": order.commit,
        "subdirectory": order.subdirectory or ".",
        "image": image_of(order, settings),
        "cache-image": f"{repository_of(order, settings)}-cache",
        "builder": order.builder or settings.builder,
        "run-image": settings.run_image,
        "git-image": settings.git_image,
        "insecure-registries": settings.registry if settings.registry_is_insecure else "",
        "platform-api": settings.platform_api,
        "user-id": str(settings.user_id),
        "group-id": str(settings.group_id),
        "environment-secret": f"{order.name}-environment",
        "operator-secret": f"{order.name}-operator",
        "registry-secret": REGISTRY_SECRET,
    }


def _pod_template(settings: BuildSettings) -> Manifest:
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": settings.user_id,
            "runAsGroup": settings.group_id,
            "fsGroup": settings.group_id,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def _use(settings: BuildSettings) -> Manifest:
    request = min(settings.memory_request_bytes, settings.memory_bytes)
    return {
        "requests": {"cpu": settings.cpu_request, "memory": str(request)},
        "limits": {"cpu": settings.cpu, "memory": str(settings.memory_bytes)},
    }


def variables(order: Order, settings: BuildSettings) -> list[Manifest]:
    """Secrets that are mounted as files: the maintainer's variables and the operator's."""
    made = {"environment": order.environment, "operator": settings.operator}
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": _metadata(order, f"{order.name}-{which}"),
            "type": "Opaque",
            "data": {name: _encoded(value) for name, value in values.items() if _is_name(name)},
        }
        for which, values in made.items()
        if values
    ]


def _is_name(name: str) -> bool:
    return bool(_VARIABLE.fullmatch(name))


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode("utf-8", "surrogateescape")).decode()


def _metadata(order: Order, name: str) -> Manifest:
    labels = {**labels_of(order.tool, "build"), BUILD_LABEL: order.name}
    return {"namespace": build_namespace_of(order.tool), "name": name, "labels": labels}


def pipeline(tool: str) -> Manifest:
    """The pipeline that we ship, for the namespace of a tool's builds."""
    manifest: Manifest = yaml.safe_load(PIPELINE_FILE.read_text())
    manifest["metadata"] |= {
        "namespace": build_namespace_of(tool),
        "labels": labels_of(tool, "build"),
    }
    return manifest


def place(home: Home) -> list[Manifest]:
    """What has to be there before a build of the tool can run."""
    return [*building_place(home), pipeline(home.tool)]
