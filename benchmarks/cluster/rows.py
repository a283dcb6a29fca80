"""A platform of some size: rows as the portal writes them, objects as it applies them."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from benchmarks.cluster.stage import Stage
from builds.engines.base import Order
from builds.engines.pipeline import BuildSettings, pipeline_run, place
from builds.models import Build, Image
from builds.states import Status as BuildStatus
from portal.accounts.models import ApiToken, User
from portal.cluster.base import Access, Manifest
from portal.cluster.kinds import kind_of
from portal.cluster.kubernetes import KubernetesCluster
from portal.clusters.connections import home_in
from portal.clusters.models import Cluster
from portal.clusters.operations import add_cluster
from portal.tools.models import Membership, Tool
from portal.webservices.engines.kubernetes import KubernetesWebservices
from portal.webservices.models import Release, Webservice
from portal.webservices.rollout import order_of
from portal.webservices.states import ReleaseStatus, Status

# Builds of the one tool whose list is asked for.
LISTED = 1000
REGISTRY = "127.0.0.1:9"
BATCH = 2000


@dataclass(frozen=True)
class Sizes:
    webservices: int
    under_way: int
    finished: int


@dataclass
class Platform:
    cluster: Cluster
    token: str
    tools: list[Tool]
    # The tool that has many builds, and no webservice.
    busy: Tool


def name_of(number: int) -> str:
    return f"hat-{number}"


def fill(stage: Stage, sizes: Sizes, *, at: datetime) -> Platform:
    """Rows for everything, as if all had run for a day."""
    ada = User.objects.create_user("ada", is_admin=True)
    alice = User.objects.create_user("alice")
    cluster = add_cluster(
        name="tools",
        by=ada,
        at=at,
        kubeconfig=str(stage.kubeconfig),
        registry=REGISTRY,
        registry_is_insecure=True,
        builder="builder",
        run_image="run",
        git_image="git",
        is_default=True,
    )
    _token, value = ApiToken.issue(alice, name="benchmark", at=at)
    *tools, busy = _tools(cluster, alice, sizes, at)
    source = stage.git.url + "hat.git"
    began = at - timedelta(days=1)
    _finished(tools, cluster, source, sizes.finished // len(tools), at=began)
    _finished([busy], cluster, source, LISTED, at=began)
    _webservices(tools[: sizes.webservices], alice, at=began)
    _under_way(tools[: sizes.under_way], cluster, source, at=at)
    return Platform(cluster, value, tools, busy)


def _tools(cluster: Cluster, alice: User, sizes: Sizes, at: datetime) -> list[Tool]:
    count = max(sizes.webservices, sizes.under_way) + 1
    tools = Tool.objects.bulk_create(
        (
            Tool(
                name=name_of(number),
                title="Hat",
                cluster=cluster,
                created_at=at,
                last_build_number=1_000_000,
            )
            for number in range(count)
        ),
        batch_size=BATCH,
    )
    Membership.objects.bulk_create(
        (Membership(tool=tool, user=alice) for tool in tools), batch_size=BATCH
    )
    return tools


def _finished(tools: list[Tool], cluster: Cluster, source: str, each: int, *, at: datetime) -> None:
    """Every tool's builds, of which the first has an image."""
    made = Build.objects.bulk_create(
        (
            Build(
                tool=tool,
                number=number,
                cluster=cluster,
                source_url=source,
                commit=hashlib.sha1(f"{tool}-{number}".encode()).hexdigest(),
                status=BuildStatus.SUCCEEDED if number == 1 else BuildStatus.FAILED,
                created_at=at,
                started_at=at,
                finished_at=at + timedelta(minutes=2),
            )
            for tool in tools
            for number in range(1, max(each, 1) + 1)
        ),
        batch_size=BATCH,
    )
    Image.objects.bulk_create(
        (_image(build, at) for build in made if build.number == 1), batch_size=BATCH
    )


def _image(build: Build, at: datetime) -> Image:
    digest = "sha256:" + hashlib.sha256(build.tool.name.encode()).hexdigest()
    return Image(
        tool=build.tool,
        build=build,
        digest=digest,
        reference=f"{REGISTRY}/tool-{build.tool}/{build.tool}@{digest}",
        size=50_000_000,
        processes={"web": ["python3", "app.py"]},
        default_process="web",
        created_at=at,
    )


def _webservices(tools: list[Tool], alice: User, *, at: datetime) -> None:
    made = Webservice.objects.bulk_create(
        (
            Webservice(
                tool=tool,
                status=Status.RUNNING,
                is_wanted=True,
                last_release_number=1,
                created_at=at,
            )
            for tool in tools
        ),
        batch_size=BATCH,
    )
    images = {image.tool_id: image for image in Image.objects.filter(tool__in=tools)}
    Release.objects.bulk_create(
        (
            Release(
                webservice=each,
                number=1,
                image=images[each.tool_id],
                process_type="web",
                status=ReleaseStatus.LIVE,
                actor=alice,
                created_at=at,
                live_at=at,
            )
            for each in made
        ),
        batch_size=BATCH,
    )


def _under_way(tools: list[Tool], cluster: Cluster, source: str, *, at: datetime) -> None:
    Build.objects.bulk_create(
        (
            Build(
                tool=tool,
                number=tool.last_build_number,
                cluster=cluster,
                source_url=source,
                status=BuildStatus.RUNNING,
                created_at=at,
                started_at=at,
            )
            for tool in tools
        ),
        batch_size=BATCH,
    )


def apply_all(stage: Stage, platform: Platform) -> None:
    """Put everything into the cluster as administrator, by the portal's own engines."""
    cluster = KubernetesCluster(Access(kubeconfig=str(stage.lab.kubeconfig)))
    jobs: list[Callable[[], None]] = []
    for release in Release.objects.select_related("image__build__tool", "webservice__tool"):
        jobs.append(lambda release=release: _roll(cluster, release, platform))
    for build in Build.objects.running().select_related("tool"):
        jobs.append(lambda build=build: _build(stage, cluster, build, platform))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda job: job(), jobs))


def _roll(cluster: KubernetesCluster, release: Release, platform: Platform) -> None:
    webservice, row = release.webservice, platform.cluster
    engine = KubernetesWebservices(cluster, home_in(row, webservice.tool.name))
    engine.roll(order_of(webservice, release, row))


def _build(stage: Stage, cluster: KubernetesCluster, build: Build, platform: Platform) -> None:
    """Its run as the portal makes it, and what Tekton's controller would make of that."""
    order = build.order({})
    row = platform.cluster
    run = pipeline_run(
        order, BuildSettings(row.registry, row.builder, row.run_image, row.git_image, True)
    )
    for manifest in [*place(home_in(row, build.tool.name)), run]:
        cluster.apply(manifest)
    labels = {**run["metadata"]["labels"], "tekton.dev/pipelineRun": order.name}
    metadata = {"namespace": run["metadata"]["namespace"], "labels": labels}
    child = f"{order.name}-build"
    task = {
        "apiVersion": "tekton.dev/v1",
        "kind": "TaskRun",
        "metadata": {**metadata, "name": child},
        "spec": {"taskRef": {"name": "build"}},
    }
    create(stage, task)
    create(stage, _pod(f"{child}-pod", metadata))
    begun = [{"type": "Succeeded", "status": "Unknown", "reason": "Running"}]
    start = build.started_at.isoformat().replace("+00:00", "Z") if build.started_at else ""
    steps = [{"name": "clone", "container": "step-clone", "running": {"startedAt": start}}]
    status: dict[str, Any] = {"conditions": begun, "podName": f"{child}-pod", "steps": steps}
    set_status(stage, task, status)
    reference = {"apiVersion": "tekton.dev/v1", "kind": "TaskRun", "name": child}
    named = {**reference, "pipelineTaskName": "build"}
    set_status(stage, run, {"conditions": begun, "childReferences": [named]})


def _pod(name: str, metadata: dict[str, Any]) -> Manifest:
    modest = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "step-clone", "image": "git", "securityContext": modest}
    user = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"restartPolicy": "Never", "securityContext": user, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "name": name}, "spec": spec}


def create(stage: Stage, manifest: Manifest) -> None:
    path = kind_of(manifest).path(namespace=manifest["metadata"]["namespace"])
    stage.administrator.post(path, json=manifest).raise_for_status()


def set_status(stage: Stage, manifest: Manifest, status: Manifest) -> None:
    metadata = manifest["metadata"]
    kind = kind_of(manifest)
    path = kind.path(namespace=metadata["namespace"], name=metadata["name"]) + "/status"
    headers = {"Content-Type": "application/merge-patch+json"}
    answer = stage.administrator.patch(path, json={"status": status}, headers=headers)
    answer.raise_for_status()


def run_of(order: Order) -> Manifest:
    """Enough of a run to name it."""
    metadata = {"namespace": f"build-{order.tool}", "name": order.name}
    return {"apiVersion": "tekton.dev/v1", "kind": "PipelineRun", "metadata": metadata}
