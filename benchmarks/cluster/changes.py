"""Changes that somebody asks for, and changes that happen in the cluster."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta

import httpx
from django.utils import timezone

from benchmarks.cluster import audit
from benchmarks.cluster.rows import Platform, run_of, set_status
from benchmarks.cluster.stage import ACCOUNT, Stage
from benchmarks.cluster.timing import in_ms, seconds_until
from builds.models import Build
from builds.states import FINAL
from portal.cluster.base import Manifest
from portal.tools.models import Tool
from portal.webservices.models import Release, Webservice
from portal.webservices.states import ReleaseStatus, Status

RUNS = "/apis/tekton.dev/v1/pipelineruns"
FAILED = [{"type": "Succeeded", "status": "False", "reason": "Failed", "message": "It failed."}]
CANCELLED = [{"type": "Succeeded", "status": "False", "reason": "Cancelled"}]


def client_of(stage: Stage, platform: Platform) -> httpx.Client:
    headers = {"Authorization": f"Bearer {platform.token}"}
    return httpx.Client(base_url=stage.portal.url, headers=headers, trust_env=False, timeout=60)


def is_in(tool: Tool, status: Status) -> bool:
    return Webservice.objects.filter(tool=tool, status=status).exists()


def break_pod(stage: Stage, tool: Tool) -> Manifest:
    """As the kubelet does when the readiness probe fails."""
    answer = stage.administrator.get(f"/api/v1/namespaces/tool-{tool}/pods").raise_for_status()
    pod = {"apiVersion": "v1", "kind": "Pod", **answer.json()["items"][0]}
    _set_ready(stage, pod, "False")
    return pod


def heal_pod(stage: Stage, pod: Manifest) -> None:
    _set_ready(stage, pod, "True")


def _set_ready(stage: Stage, pod: Manifest, is_ready: str) -> None:
    conditions = [
        {**each, "status": is_ready} if each["type"] in ("Ready", "ContainersReady") else each
        for each in pod["status"]["conditions"]
    ]
    set_status(stage, pod, {"conditions": conditions})


def latencies(stage: Stage, platform: Platform, *, tries: int) -> None:
    """From a change in the cluster to the row."""
    builds = list(Build.objects.running().select_related("tool").order_by("pk")[:tries])
    took = [_end(stage, build) for build in builds]
    print(f"a run's end in the cluster to the build's end in its row: {in_ms(took)}")
    down, up = [], []
    for number in range(tries):
        tool = platform.tools[number % Webservice.objects.count()]
        began = time.monotonic()
        pod = break_pod(stage, tool)
        down.append(_since(began, tool, Status.DEGRADED))
        began = time.monotonic()
        heal_pod(stage, pod)
        up.append(_since(began, tool, Status.RUNNING))
    print(f"a pod that is no longer ready to its webservice's row: {in_ms(down)}")
    print(f"a pod that is ready again to its webservice's row: {in_ms(up)}", flush=True)


def _end(stage: Stage, build: Build) -> float:
    began = time.monotonic()
    set_status(stage, run_of(build.order({})), {"conditions": FAILED})
    ended = Build.objects.filter(pk=build.pk, status__in=FINAL)
    seconds_until(ended.exists, what=f"the end of {build}")
    return time.monotonic() - began


def _since(began: float, tool: Tool, status: Status) -> float:
    seconds_until(lambda: is_in(tool, status), what=f"{tool} {status}")
    return time.monotonic() - began


@contextmanager
def runs_seen(stage: Stage) -> Iterator[dict[tuple[str, str], float]]:
    """When each run appeared on a watch of the API server, by its namespace and name."""
    seen: dict[tuple[str, str], float] = {}
    version = stage.administrator.get(RUNS, params={"limit": 1}).json()["metadata"]
    query = {"watch": "true", "resourceVersion": version["resourceVersion"]}
    stopping = threading.Event()

    def follow() -> None:
        # At the end the server closes the connection, since nothing more happens.
        with (
            suppress(httpx.HTTPError),
            stage.administrator.stream("GET", RUNS, params=query, timeout=None) as answer,
        ):
            for line in answer.iter_lines():
                metadata = json.loads(line)["object"]["metadata"]
                seen.setdefault((metadata["namespace"], metadata["name"]), time.monotonic())
                if stopping.is_set():
                    return

    threading.Thread(target=follow, daemon=True).start()
    yield seen
    stopping.set()


def starts(stage: Stage, platform: Platform, *, tries: int) -> None:
    """From the request for a build to its run in the cluster."""
    tools = [platform.tools[-1 - number % (len(platform.tools) - 1)] for number in range(tries)]
    for home in ("is made first", "is there"):
        _start_each(stage, platform, tools, home)


def _start_each(stage: Stage, platform: Platform, tools: Sequence[Tool], home: str) -> None:
    answered, created = [], []
    with client_of(stage, platform) as client, runs_seen(stage) as seen:
        for number, tool in enumerate(tools):
            ref = f"{home.replace(' ', '-')}-{number}"
            body = {"source_url": f"{stage.git.url}hat.git", "ref": ref}
            began = time.monotonic()
            answer = client.post(f"/api/v1/tools/{tool}/builds/", json=body).raise_for_status()
            answered.append(time.monotonic() - began)
            key = f"build-{tool}", f"{tool}-{answer.json()['number']}"
            seconds_until(lambda key=key: key in seen, what=f"the run {key}")
            created.append(seen[key] - began)
    print(f"request for a build to the portal's answer, its home {home}: {in_ms(answered)}")
    print(f"request for a build to its run, its home {home}: {in_ms(created)}", flush=True)


def requests(stage: Stage, platform: Platform, *, tries: int) -> None:
    """Of each sort of change on tools that nothing else happens to."""
    tools = platform.tools[-tries:]
    with client_of(stage, platform) as client:
        for what, change in CHANGES.items():
            _count(stage, client, what, tools, change)


Change = Callable[[Stage, httpx.Client, Tool], None]


def _count(
    stage: Stage, client: httpx.Client, what: str, tools: Sequence[Tool], change: Change
) -> None:
    log = audit.AuditLog(stage.lab.audit_log)
    counts, example = [], ""
    for tool in tools:
        position = log.position()
        change(stage, client, tool)
        time.sleep(0.3)
        places = (f"tool-{tool}", f"build-{tool}")
        asked = [each for each in log.since(position, user=ACCOUNT) if each.namespace in places]
        counts.append(len(asked))
        example = audit.table(iter(asked))
    counts.sort()
    usual = counts[len(counts) // 2]
    print(f"{what}: {usual} requests ({counts[0]} to {counts[-1]}); {example}", flush=True)


def _release(client: httpx.Client, tool: Tool, leaf: str, body: dict | None) -> None:
    path = f"/api/v1/tools/{tool}/webservice/{leaf}/"
    client.post(path, json=body).raise_for_status()
    releases = Release.objects.filter(webservice__tool=tool)
    starting = releases.filter(status=ReleaseStatus.STARTING)
    seconds_until(lambda: not starting.exists(), what=f"{leaf} of {tool}")
    seconds_until(_is_steady(tool), what=f"the rest of {leaf} of {tool}")


def _is_steady(tool: Tool) -> Callable[[], bool]:
    """Its next look is not one of those that follow a change."""

    def check() -> bool:
        soon = timezone.now() + timedelta(seconds=30)
        return not Webservice.objects.filter(tool=tool, next_look_at__lt=soon).exists()

    return check


def _deploy(stage: Stage, client: httpx.Client, tool: Tool) -> None:
    _release(client, tool, "deploy", {"build": 1})


def _scale(stage: Stage, client: httpx.Client, tool: Tool) -> None:
    _release(client, tool, "scale", {"replicas": 2})


def _stop(stage: Stage, client: httpx.Client, tool: Tool) -> None:
    client.post(f"/api/v1/tools/{tool}/webservice/stop/").raise_for_status()
    seconds_until(lambda: is_in(tool, Status.STOPPED), what=f"the stop of {tool}")


def _start_build(stage: Stage, client: httpx.Client, tool: Tool) -> None:
    body = {"source_url": f"{stage.git.url}hat.git", "ref": "counted"}
    client.post(f"/api/v1/tools/{tool}/builds/", json=body).raise_for_status()
    latest = Build.objects.filter(tool=tool).first()
    assert latest
    name = run_of(latest.order({}))["metadata"]
    path = f"/apis/tekton.dev/v1/namespaces/{name['namespace']}/pipelineruns/{name['name']}"
    seconds_until(lambda: stage.administrator.get(path).is_success, what=f"the run of {latest}")


def _end_build(stage: Stage, client: httpx.Client, tool: Tool) -> None:
    latest = Build.objects.filter(tool=tool).select_related("tool").first()
    assert latest
    set_status(stage, run_of(latest.order({})), {"conditions": FAILED})
    _wait_for_end(latest)


def _cancel_build(stage: Stage, client: httpx.Client, tool: Tool) -> None:
    _start_build(stage, client, tool)
    latest = Build.objects.filter(tool=tool).select_related("tool").first()
    assert latest
    client.post(f"/api/v1/tools/{tool}/builds/{latest.number}/cancel/").raise_for_status()
    run = run_of(latest.order({}))
    set_status(stage, run, {"conditions": CANCELLED})
    _wait_for_end(latest)


def _wait_for_end(build: Build) -> None:
    """Until it is cleaned away."""
    rest = Build.objects.filter(pk=build.pk, next_look_at=None)
    seconds_until(rest.exists, what=f"the end of {build}")


CHANGES: dict[str, Change] = {
    "deploy": _deploy,
    "scale to 2": _scale,
    "start of a build": _start_build,
    "end of a build": _end_build,
    "start and cancel of a build": _cancel_build,
    "stop": _stop,
}
