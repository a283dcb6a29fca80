"""Builds in a cluster, with the test in the place of Tekton's controller."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from builds.engines.base import EngineError, Order, OrderRefused, Pace, Phase
from builds.engines.kubernetes import KubernetesBuildEngine
from builds.engines.pipeline import BuildSettings, place
from builds.states import Reason
from portal.cluster.base import ClusterRefused, ClusterUnavailable, NotAllowed
from portal.cluster.home import Home
from portal.cluster.kinds import NAMESPACE, PIPELINE_RUN, POD, SECRET, TASK_RUN, kind_of
from portal.cluster.memory import MemoryCluster

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
DIGEST = "sha256:" + "d" * 64
NAMES = ("step-clone", "step-build", "step-export")
ORDER = Order(
    name="hat-17",
    tool="hat",
    tool_id=3,
    source_url="https://git.example.org/hat.git",
    environment={"TOKEN": "hunter2-hunter2"},
)


@pytest.fixture
def cluster():
    return MemoryCluster()


def settings(**changes):
    given = {
        "registry": "registry.example.org",
        "builder": "builder",
        "run_image": "run",
        "git_image": "git",
        "log_bytes": 1000,
    }
    return BuildSettings(**(given | changes))


@pytest.fixture
def engine(cluster):
    return KubernetesBuildEngine(cluster, settings(), clock=lambda: NOW)


def say(cluster, status, reason="", **more):
    condition = {"type": "Succeeded", "status": status, "reason": reason}
    children = [{"kind": "TaskRun", "name": "hat-17-build"}]
    status = {"conditions": [condition], "childReferences": children, **more}
    cluster.set_status(PIPELINE_RUN, "hat-17", status, namespace="build-hat")


def put_pod(cluster, *states, phase="Running"):
    """The build's pod, with its steps' containers in these states, and its task that says so."""
    statuses = [{"name": name, "state": state} for name, state in zip(NAMES, states, strict=False)]
    steps = [
        {"name": name.removeprefix("step-"), "container": name, **state}
        for name, state in zip(NAMES, states, strict=False)
    ]
    put_task(cluster, steps=steps)
    cluster.put(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "namespace": "build-hat",
                "name": "hat-17-build-pod",
                "labels": {"tekton.dev/pipelineRun": "hat-17"},
            },
            "spec": {"containers": [{"name": name} for name in NAMES]},
            "status": {"phase": phase, "containerStatuses": statuses},
        }
    )


def put_task(cluster, **status):
    run = cluster.objects.get(("PipelineRun", "build-hat", "hat-17"))
    if run and not run.get("status"):
        say(cluster, "Unknown", "Running")
    cluster.put(
        {
            "apiVersion": "tekton.dev/v1",
            "kind": "TaskRun",
            "metadata": {
                "namespace": "build-hat",
                "name": "hat-17-build",
                "labels": {"tekton.dev/pipelineRun": "hat-17"},
            },
            "status": {"podName": "hat-17-build-pod", **status},
        }
    )


def prints(cluster, step, data, *, gone=0):
    """A step begins long after the one before; `gone` lines of it were rotated away."""
    key = "build-hat", "hat-17-build-pod", step
    cluster.printed[key] = data
    cluster.rotated[key] = NAMES.index(step) * 1000 + gone


def read(engine, since=0, limit=100):
    output = engine.logs(ORDER, since=since, limit=limit)
    return output.data, output.until


RUNS = {"running": {"startedAt": NOW.isoformat()}}
ENDED = {"terminated": {"exitCode": 0}}


def test_an_order_that_was_never_submitted_is_missing(engine):
    assert engine.observe(ORDER).phase is Phase.MISSING


def test_submitting_makes_the_place_when_it_is_missing(engine, cluster):
    engine.submit(ORDER)
    assert cluster.get(NAMESPACE, "build-hat")
    assert cluster.get(PIPELINE_RUN, "hat-17", namespace="build-hat")
    assert engine.observe(ORDER).phase is Phase.RUNNING


def test_submitting_twice_is_one_run(engine, cluster):
    engine.submit(ORDER)
    first = cluster.get(PIPELINE_RUN, "hat-17", namespace="build-hat")
    engine.submit(ORDER)
    assert cluster.get(PIPELINE_RUN, "hat-17", namespace="build-hat") == first


def test_a_place_that_is_not_there_is_made_without_looking_for_its_parts(engine, cluster):
    engine.submit(ORDER)
    assert [kind for verb, kind in cluster.requests if verb == "get"] == ["Namespace"]
    assert len(cluster.requests) == 10


def test_where_the_place_is_there_four_requests_are_enough(engine, cluster):
    engine.submit(ORDER)
    cluster.requests.clear()
    engine.submit(Order(**{**ORDER.__dict__, "name": "hat-18"}))
    asked = [kind for _verb, kind in cluster.requests]
    assert asked == ["Namespace", "Pipeline", "Secret", "PipelineRun"]


@pytest.mark.parametrize("made", range(len(place(Home(tool="hat")))))
def test_a_place_that_somebody_began_to_make_is_made_whole(engine, cluster, made):
    """A worker that is killed leaves some parts, and another may be at it just now."""
    parts = place(Home(tool="hat"))
    for part in parts[:made]:
        cluster.apply(part)
    engine.submit(ORDER)
    for part in parts:
        name, namespace = part["metadata"]["name"], part["metadata"].get("namespace", "")
        assert cluster.get(kind_of(part), name, namespace=namespace)


def test_a_host_that_is_not_allowed_is_refused(cluster):
    engine = KubernetesBuildEngine(cluster, settings(allowed_hosts=("git.other.org",)))
    with pytest.raises(OrderRefused) as refused:
        engine.submit(ORDER)
    assert refused.value.code == Reason.SOURCE_REFUSED
    assert not cluster.objects


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("exceeded quota: room, requested: pods=1", Reason.QUOTA_EXCEEDED),
        ("admission webhook denied the request", Reason.ADMISSION_REFUSED),
    ],
)
def test_what_the_cluster_refuses_is_refused_for_good(engine, cluster, said, code):
    cluster.fault = ClusterRefused(said, status=403)
    with pytest.raises(OrderRefused, match=said) as refused:
        engine.submit(ORDER)
    assert refused.value.code == code


@pytest.mark.parametrize("fault", [ClusterUnavailable("away"), NotAllowed("a right is missing")])
def test_a_cluster_that_is_away_is_asked_again(engine, cluster, fault):
    cluster.fault = fault
    with pytest.raises(EngineError) as error:
        engine.submit(ORDER)
    assert not isinstance(error.value, OrderRefused)


def test_a_foreign_run_of_the_same_name_is_left_alone(engine, cluster):
    engine.submit(Order(**{**ORDER.__dict__, "name": "hat-1"}))
    foreign = {"namespace": "build-hat", "name": "hat-17"}
    cluster.put({"apiVersion": "tekton.dev/v1", "kind": "PipelineRun", "metadata": foreign})
    with pytest.raises(OrderRefused, match="not the portal's"):
        engine.submit(ORDER)


def test_steps_begin_when_the_one_before_ended(engine, cluster):
    engine.submit(ORDER)
    began = NOW.isoformat()
    later = (NOW + timedelta(seconds=5)).isoformat()
    put_task(
        cluster,
        steps=[
            {
                "name": "clone",
                "terminated": {"startedAt": began, "finishedAt": later, "exitCode": 0},
            },
            {"name": "build", "running": {"startedAt": began}},
            {"name": "export", "running": {"startedAt": began}},
        ],
    )
    steps = engine.observe(ORDER).steps
    assert [(step.name, step.succeeded) for step in steps] == [("clone", True), ("build", None)]
    assert steps[1].started_at == NOW + timedelta(seconds=5)


def test_a_failure_is_told_in_words(engine, cluster):
    engine.submit(ORDER)
    put_task(cluster, steps=[{"name": "build", "terminated": {"exitCode": 51}}])
    say(cluster, "False", "Failed")
    seen = engine.observe(ORDER)
    assert (seen.phase, seen.reason_code) == (Phase.FAILED, Reason.BUILD_FAILED)


def test_output_of_all_steps_is_one_stream_from_whichever_line_it_is_read(engine, cluster):
    engine.submit(ORDER)
    put_pod(cluster, ENDED, RUNS, RUNS)
    prints(cluster, "step-clone", b"cloned")
    prints(cluster, "step-build", b"one\ntwo\n")
    assert read(engine)[0] == b"cloned\none\ntwo\n"
    since, lines = 0, []
    for _number in range(3):
        line, since = read(engine, since, limit=1)
        lines.append(line)
    assert lines == [b"cloned\n", b"one\n", b"two\n"]
    assert read(engine, since) == (b"", since)


def test_places_hold_while_output_grows_and_for_another_process(engine, cluster):
    engine.submit(ORDER)
    put_pod(cluster, ENDED, RUNS, RUNS)
    prints(cluster, "step-clone", b"cloned\n")
    prints(cluster, "step-build", b"one\ntw")
    first, since = read(engine)
    prints(cluster, "step-build", b"one\ntwo")
    prints(cluster, "step-export", b"exported\n")
    put_pod(cluster, ENDED, ENDED, RUNS)
    another = KubernetesBuildEngine(cluster, settings(), clock=lambda: NOW)
    rest, _until = read(another, since)
    assert first + rest == b"cloned\none\ntwo\nexported\n"
    assert read(engine, since)[0] == rest


def test_after_a_rotation_reading_goes_on_with_what_is_kept(engine, cluster):
    engine.submit(ORDER)
    put_pod(cluster, RUNS)
    prints(cluster, "step-clone", b"one\ntwo\nthree\n")
    _first, since = read(engine)
    prints(cluster, "step-clone", b"three\nfour\n", gone=2)
    assert read(engine, since)[0] == b"four\n"


def test_what_was_read_and_not_stored_is_told_again(engine, cluster):
    engine.submit(ORDER)
    put_pod(cluster, ENDED, RUNS)
    prints(cluster, "step-clone", b"cloned\n")
    assert read(engine) == read(engine)


def test_steps_that_ended_are_read_once(engine, cluster):
    engine.submit(ORDER)
    put_pod(cluster, ENDED, RUNS, RUNS)
    prints(cluster, "step-clone", b"cloned\n")
    _first, since = read(engine)
    engine.observe(ORDER)
    cluster.requests.clear()
    read(engine, since)
    assert cluster.requests == [("logs", "Pod")]


def test_steps_that_were_left_out_are_not_read(engine, cluster):
    engine.submit(ORDER)
    put_pod(cluster, {**ENDED, "terminationReason": "Skipped"}, RUNS)
    engine.observe(ORDER)
    cluster.requests.clear()
    read(engine)
    assert cluster.requests == [("logs", "Pod")]


def test_there_is_no_output_before_the_pod(engine):
    assert read(engine) == (b"", 0)
    engine.submit(ORDER)
    assert read(engine) == (b"", 0)


def test_a_look_at_a_build_that_runs_is_two_gets(engine, cluster):
    engine.submit(ORDER)
    put_pod(cluster, RUNS)
    cluster.requests.clear()
    assert engine.observe(ORDER).phase is Phase.RUNNING
    assert cluster.requests == [("get", "PipelineRun"), ("get", "TaskRun")]


def test_the_pod_is_asked_for_while_nothing_began_and_after_a_failure(engine, cluster):
    engine.submit(ORDER)
    put_pod(cluster, {"waiting": {"reason": "PodInitializing"}}, phase="Pending")
    cluster.requests.clear()
    engine.observe(ORDER)
    assert cluster.requests[-1] == ("get", "Pod")
    put_pod(cluster, RUNS)
    say(cluster, "False", "Failed")
    engine.observe(ORDER)
    assert cluster.requests[-1] == ("get", "Pod")
    assert not [verb for verb, _kind in cluster.requests if verb == "list"]


def test_a_cancel_is_done_when_the_pods_are_gone(engine, cluster):
    engine.submit(ORDER)
    put_pod(cluster, RUNS)
    assert not engine.remove(ORDER)
    run = cluster.get(PIPELINE_RUN, "hat-17", namespace="build-hat")
    assert run["spec"]["status"] == "Cancelled"
    say(cluster, "False", "Cancelled")
    assert not engine.remove(ORDER)
    assert engine.observe(ORDER).phase is not Phase.MISSING
    put_pod(cluster, ENDED, phase="Failed")
    assert engine.remove(ORDER)
    assert engine.observe(ORDER).phase is Phase.MISSING


def test_removing_takes_the_variables_along(engine, cluster):
    engine.submit(ORDER)
    assert cluster.list(SECRET, namespace="build-hat").items
    say(cluster, "True", "Succeeded")
    assert engine.remove(ORDER)
    assert engine.remove(ORDER)
    assert not cluster.list(SECRET, namespace="build-hat").items


def test_a_pod_without_a_run_still_counts(engine, cluster):
    engine.submit(ORDER)
    put_pod(cluster, RUNS)
    cluster.delete(PIPELINE_RUN, "hat-17", namespace="build-hat")
    assert engine.observe(ORDER).phase is Phase.RUNNING
    cluster.delete(POD, "hat-17-build-pod", namespace="build-hat")
    assert engine.observe(ORDER).phase is Phase.MISSING


def test_a_namespace_removed_by_hand_makes_the_build_missing_and_comes_back(engine, cluster):
    engine.submit(ORDER)
    cluster.delete(NAMESPACE, "build-hat")
    assert engine.observe(ORDER).phase is Phase.MISSING
    engine.submit(ORDER)
    assert engine.observe(ORDER).phase is Phase.RUNNING
    assert not cluster.list(TASK_RUN).items


class Registry(BaseHTTPRequestHandler):
    """Just enough of a registry: one image, behind a password."""

    away = False

    def do_GET(self):
        if self.away:
            self.send_error(503)
            return
        if self.headers.get("Authorization") != "Basic cm9ib3Q6c2VjcmV0":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="registry"')
            self.end_headers()
            return
        body = json.dumps(self.answers[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words):
        pass

    build = {
        "processes": [{"type": "web", "command": ["python"], "args": ["app.py"]}],
        "buildpacks": [{"id": "acme/python", "version": "1.2"}],
        "buildpack-default-process-type": "web",
    }
    answers = {
        f"/v2/tool-hat/hat/manifests/{DIGEST}": {
            "config": {"digest": "sha256:c", "size": 10},
            "layers": [{"size": 100}, {"size": 200}],
        },
        "/v2/tool-hat/hat/blobs/sha256:c": {
            "config": {"Labels": {"io.buildpacks.build.metadata": json.dumps(build)}}
        },
    }


@pytest.fixture
def registry():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def with_registry(cluster, host):
    auth = json.dumps({"auths": {host: {"username": "robot", "password": "secret"}}})
    home = Home(tool="", push_credentials=auth)
    given = settings(registry=host, registry_is_insecure=True, home=home)
    return KubernetesBuildEngine(cluster, given, clock=lambda: NOW)


def test_a_success_tells_of_its_image(cluster, registry):
    engine = with_registry(cluster, registry)
    engine.submit(ORDER)
    results = [{"name": "digest", "value": DIGEST}, {"name": "commit", "value": "c" * 40}]
    say(cluster, "True", "Succeeded", results=results)
    seen = engine.observe(ORDER)
    assert (seen.phase, seen.commit) == (Phase.SUCCEEDED, "c" * 40)
    assert seen.image.reference == f"{registry}/tool-hat/hat@{DIGEST}"
    assert seen.image.size == 310
    assert seen.image.processes == {"web": ("python", "app.py")}
    assert seen.image.default_process == "web"
    assert seen.image.buildpacks == ("acme/python@1.2",)


def test_a_registry_that_is_away_is_asked_again(cluster, registry, monkeypatch):
    engine = with_registry(cluster, registry)
    engine.submit(ORDER)
    say(cluster, "True", "Succeeded", results=[{"name": "digest", "value": DIGEST}])
    monkeypatch.setattr(Registry, "away", True)
    with pytest.raises(EngineError, match="503"):
        engine.observe(ORDER)
    monkeypatch.setattr(Registry, "away", False)
    assert engine.observe(ORDER).phase is Phase.SUCCEEDED


@pytest.mark.parametrize(
    ("silence", "pause"), [(0, 1), (4, 1), (5, 5), (30, 5), (60, 10), (119, 19.8), (600, 20)]
)
def test_the_longer_a_build_is_silent_the_more_rarely_it_is_looked_at(engine, silence, pause):
    after = engine.pace.after(timedelta(seconds=silence))
    assert after.total_seconds() == pytest.approx(pause, abs=0.1)


def test_what_does_not_make_its_end_known_is_asked_as_often_as_ever():
    pace = Pace(lively=timedelta(seconds=1), quiet=timedelta(seconds=2))
    assert pace.after(timedelta(hours=1)) == timedelta(seconds=2)
