"""The same calls through Toolforge's own builds API, on the same API server.

Its program is not part of this project: see benchmarks/README.md.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.cluster import audit, rows
from benchmarks.cluster.changes import client_of
from benchmarks.cluster.rows import Platform, create, set_status
from benchmarks.cluster.stage import Stage, make_account
from benchmarks.cluster.timing import in_ms, seconds_until
from portal.cluster.base import Manifest
from tests.cluster.apiserver import LOOPBACK, free_port
from tests.harbor_server import Harbor, serving

NAME, NAMESPACE = "builds-api", "image-build"
USER = f"system:serviceaccount:{NAME}:{NAME}"
# It keeps the last that succeeded and the last two that failed.
KEPT, WITH_TASKS = 3, 50
ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": NAME},
    "rules": [
        {"apiGroups": ["tekton.dev"], "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]},
    ],
}
Call = Callable[[int], httpx.Response]


def compare(stage: Stage, platform: Platform, program: Path, *, tries: int) -> None:
    stage.lab.create_namespace(NAMESPACE)
    source = _source(stage)
    for tool, count in (("kept", KEPT), ("many", rows.LISTED)):
        for number in range(count):
            _finished_run(stage, tool, number, with_task=count == KEPT)
    for number in range(WITH_TASKS):
        _finished_run(stage, "tasks", number, with_task=True)
    with serving() as harbor, _running(stage, program, harbor) as theirs:
        _theirs(stage, theirs, source, tries=tries)
    with client_of(stage, platform) as ours:
        _ours(ours, platform, source, tries=tries)


def _source(stage: Stage) -> str:
    url, _commit = stage.git.repository("compared", {"Procfile": "web: python3 app.py\n"})
    return str(url)


def _theirs(stage: Stage, client: httpx.Client, source: str, *, tries: int) -> None:
    def place(tool: str) -> dict[str, Any]:
        return {"url": f"/v1/tool/{tool}/builds", "headers": {"X-Toolforge-Tool": tool}}

    one = _run_name("kept", 0)
    print("Toolforge's builds API, its client's limit of 5 requests a second as it is:")
    _time(
        stage,
        "start",
        lambda n: client.post(**place(f"new-{n}"), json={"source_url": source}),
        tries,
    )
    for what, tool in (
        (f"list {KEPT} builds, all that it keeps", "kept"),
        (f"list {rows.LISTED} builds without their tasks", "many"),
    ):
        _time(stage, what, lambda _n, tool=tool: client.get(**place(tool)), min(tries, 20))
    _time(stage, f"list {WITH_TASKS} builds", lambda _n: client.get(**place("tasks")), 1)
    kept = place("kept")
    kept["url"] += f"/{one}"
    _time(stage, "get one", lambda _n: client.get(**kept), tries)


def _time(stage: Stage, what: str, call: Call, tries: int) -> None:
    log = audit.AuditLog(stage.lab.audit_log)
    took, position = [], log.position()
    for number in range(tries):
        began = time.monotonic()
        call(number).raise_for_status()
        took.append(time.monotonic() - began)
    time.sleep(0.3)
    asked = len(list(log.since(position, user=USER))) / tries
    print(f"  {what}: {in_ms(took)}, {asked:g} requests of the API server each", flush=True)


def _ours(client: httpx.Client, platform: Platform, source: str, *, tries: int) -> None:
    busy, tools = platform.busy, platform.tools
    numbers = [build.number for build in busy.builds.all()[:KEPT]]
    old = "/builds/v1/tool"
    calls: dict[str, Call] = {
        "start, Toolforge's words": lambda n: client.post(
            f"{old}/{tools[n % len(tools)]}/builds", json={"source_url": source, "ref": f"t{n}"}
        ),
        f"list {rows.LISTED} builds, Toolforge's words": lambda _n: client.get(
            f"{old}/{busy}/builds"
        ),
        "get one, Toolforge's words": lambda _n: client.get(
            f"{old}/{busy}/builds/{busy}-buildpacks-pipelinerun-{numbers[0]}"
        ),
        "start": lambda n: client.post(
            f"/api/v1/tools/{tools[n % len(tools)]}/builds/",
            json={"source_url": source, "ref": f"o{n}"},
        ),
        "list, a page": lambda _n: client.get(f"/api/v1/tools/{busy}/builds/"),
        "get one": lambda _n: client.get(f"/api/v1/tools/{busy}/builds/{numbers[0]}/"),
    }
    print("the portal:")
    for what, call in calls.items():
        took = []
        for number in range(min(tries, 20) if "list" in what else tries):
            began = time.monotonic()
            call(number).raise_for_status()
            took.append(time.monotonic() - began)
        print(f"  {what}: {in_ms(took)}", flush=True)


def _run_name(tool: str, number: int) -> str:
    return f"{tool}-buildpacks-pipelinerun-{number}"


def _finished_run(stage: Stage, tool: str, number: int, *, with_task: bool) -> None:
    """What its builds look like when they have succeeded."""
    name = _run_name(tool, number)
    metadata = {"namespace": NAMESPACE, "name": name, "labels": {"user": tool}}
    texts = {
        "BUILDER_IMAGE": "builder",
        "RUN_IMAGE": "run",
        "APP_IMAGE": f"harbor.example.org/tool-{tool}/tool-{tool}:latest",
        "SOURCE_URL": "https://git.example.org/hat.git",
        "SOURCE_REFERENCE": "0" * 40,
        "UNRESOLVED_SOURCE_REFERENCE": "main",
    }
    params: list[Manifest] = [{"name": key, "value": value} for key, value in texts.items()]
    run = {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": metadata,
        "spec": {
            "pipelineRef": {"name": "buildpacks"},
            "params": [*params, {"name": "ENV_VARS", "value": []}],
        },
    }
    create(stage, run)
    when = "2026-01-01T00:00:00Z"
    status: Manifest = {
        "conditions": [{"type": "Succeeded", "status": "True", "reason": "Succeeded"}],
        "startTime": when,
        "completionTime": when,
    }
    if with_task:
        status["childReferences"] = [_task(stage, name, metadata)]
    set_status(stage, run, status)


def _task(stage: Stage, run: str, metadata: Manifest) -> Manifest:
    task = {
        "apiVersion": "tekton.dev/v1",
        "kind": "TaskRun",
        "metadata": {**metadata, "name": f"{run}-build"},
        "spec": {"taskRef": {"name": "build"}},
    }
    create(stage, task)
    digest = {"name": "APP_IMAGE_DIGEST", "type": "string", "value": "sha256:" + "0" * 64}
    set_status(stage, task, {"podName": "gone", "results": [digest]})
    named = {"apiVersion": "tekton.dev/v1", "kind": "TaskRun", "name": f"{run}-build"}
    return {**named, "pipelineTaskName": "build-from-git"}


@contextmanager
def _running(stage: Stage, program: Path, harbor: Harbor) -> Iterator[httpx.Client]:
    _answer_summaries(harbor)
    port = free_port()
    environment = {
        "HARBOR_REPOSITORY": harbor.address,
        "HARBOR_USERNAME": "portal",
        "HARBOR_PASSWORD": "correct horse",
        "OUT_OF_K8S_RUN": "true",
        "KUBECONFIG": str(make_account(stage.lab, NAME, ROLE)),
        "MAX_PARALLEL_BUILDS": "1000",
        "PORT": str(port),
        "ADDRESS": LOOPBACK,
    }
    url = f"http://{LOOPBACK}:{port}"
    # It takes requests only for the addresses that its document names.
    named = {"Host": f"{LOOPBACK}:8000"}
    with httpx.Client(base_url=url, headers=named, trust_env=False, timeout=600) as client:
        stage.lab.processes.start(NAME, [program], environment=environment)
        seconds_until(lambda: _answers(client), what=NAME)
        yield client
        stage.lab.processes.stop(NAME)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/v1/healthz").is_success
    except httpx.TransportError:
        return False


def _answer_summaries(harbor: Harbor) -> None:
    """What a project uses of its quota, which the portal asks for elsewhere."""
    usual = harbor.get_projects

    def get_projects(rest: list[str], query: Any, body: Any) -> Any:
        if rest[1:] == ["summary"]:
            return 200, {"quota": {"hard": {"storage": 10**10}, "used": {"storage": 10**6}}}
        return usual(rest, query, body)

    harbor.get_projects = get_projects  # type: ignore[method-assign]
