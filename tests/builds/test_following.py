"""Output of builds in a cluster, taken over as it is printed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.db.models import QuerySet
from django.utils import timezone

from builds import logs
from builds.following import FIRST_PAUSE, Follower, Following
from builds.models import Build
from builds.operations import Source, start_build
from builds.reconcile import FOLLOWED, reconcile
from builds.states import Status
from builds.tasks import engine_of, sweep
from portal.clusters.connections import connect
from portal.clusters.models import Cluster
from portal.clusters.operations import add_cluster
from portal.tools.models import Tool
from portal.tools.operations import set_variable
from tests.builds.test_kubernetes_engine import NAMES
from tests.clusters.test_clusters import FIELDS

pytestmark = pytest.mark.django_db(transaction=True)
RUNS = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
ENDED = {"terminated": {"exitCode": 0, "finishedAt": "2026-01-01T00:00:05Z"}}


@pytest.fixture
def memory(ada, hat):
    row = add_cluster(name="made-up", by=ada, at=timezone.now(), way="memory", **FIELDS)
    Tool.objects.filter(pk=hat.pk).update(cluster=row)
    hat.refresh_from_db()
    memory = connect(row)
    memory.objects.clear()
    memory.printed.clear()
    memory.requests.clear()
    return memory


@pytest.fixture
def build(memory, hat, alice):
    set_variable(
        hat, name="TOKEN", value="hunter2-hunter2", by=alice, at=timezone.now(), for_build=True
    )
    source = Source("https://git.example.org/hat.git")
    build, _is_new = start_build(hat, by=alice, source=source, at=timezone.now())
    look(build)
    runs(memory, RUNS)
    look(build)
    return Build.objects.get(pk=build.pk)


def look(build):
    build = Build.objects.select_related("tool", "cluster").get(pk=build.pk)
    pause = reconcile(build, engine=engine_of(build), now=timezone.now())
    build.refresh_from_db()
    return build, pause


def runs(memory, *states):
    """As Tekton's controller says of the build's task."""
    place = {"namespace": "build-hat"}
    children = [{"kind": "TaskRun", "name": "hat-1-build"}]
    status = {
        "conditions": [{"type": "Succeeded", "status": "Unknown"}],
        "childReferences": children,
    }
    run = memory.objects["PipelineRun", "build-hat", "hat-1"]
    memory.put({**run, "status": status})
    steps = [
        {"name": name.removeprefix("step-"), "container": name, **state}
        for name, state in zip(NAMES, states, strict=False)
    ]
    memory.put(
        {
            "apiVersion": "tekton.dev/v1",
            "kind": "TaskRun",
            "metadata": {**place, "name": "hat-1-build"},
            "status": {"podName": "hat-1-build-pod", "steps": steps},
        }
    )


def prints(memory, step, data):
    key = "build-hat", "hat-1-build-pod", step
    memory.printed[key] = data
    memory.rotated[key] = NAMES.index(step) * 1000


@pytest.fixture
def follow(build):
    """Follow the build until what it printed so far is taken over."""
    with ThreadPoolExecutor(2) as writers:
        follower = Follower(build.pk, writers)

        def follow():
            return follower._follow(*follower._in_turn(follower._prepare))

        yield follow


def output(build):
    return logs.read(build, offset=0, limit=10**6)


def watched(build, *, seconds=15):
    until = timezone.now() + timedelta(seconds=seconds)
    Cluster.objects.update(watched_until=until)
    Build.objects.filter(pk=build.pk).update(is_followed=True)


def test_what_it_prints_is_taken_over_once_and_redacted(memory, build, follow):
    prints(memory, "step-clone", b"a token: hunter2-hunter2\nno end")
    assert follow()
    assert not follow()
    prints(memory, "step-clone", b"a token: hunter2-hunter2\nno end yet\n")
    assert follow()
    assert output(build) == b"a token: [redacted]\nno end yet\n"


def test_a_step_that_ended_is_read_to_its_end_before_the_next(memory, build, follow):
    prints(memory, "step-clone", b"cloning\n")
    follow()
    prints(memory, "step-clone", b"cloning\ncloned")
    prints(memory, "step-build", b"built\n")
    runs(memory, ENDED, RUNS)
    follow()
    assert output(build) == b"cloning\ncloned\nbuilt\n"
    memory.requests.clear()
    follow()
    assert [verb for verb, _kind in memory.requests] == ["get", "get", "follow"]


def test_what_the_worker_took_over_meanwhile_is_not_stored_again(memory, build, follow):
    prints(memory, "step-clone", b"one\n")
    look(build)
    assert not follow()
    prints(memory, "step-clone", b"one\ntwo\n")
    assert follow()
    look(build)
    assert output(build) == b"one\ntwo\n"


def test_what_cannot_be_stored_now_is_read_again(memory, build, follow, monkeypatch):
    def refuse(*_words, **_how):
        raise OperationalError("the database is away")

    prints(memory, "step-clone", b"one\n")
    with monkeypatch.context() as patched:
        patched.setattr(QuerySet, "create", refuse)
        follow()
    assert output(build) == b""
    follow()
    assert output(build) == b"one\n"


def test_many_lines_at_once_all_arrive(memory, build, follow):
    lines = b"".join(b"line %d\n" % number for number in range(900))
    prints(memory, "step-clone", lines)
    follow()
    assert output(build) == lines


def test_a_look_at_a_build_that_is_followed_is_two_gets_and_the_next_is_late(memory, build):
    watched(build)
    memory.requests.clear()
    _build, pause = look(build)
    assert memory.requests == [("get", "PipelineRun"), ("get", "TaskRun")]
    assert timedelta(minutes=4) < pause <= FOLLOWED


def test_a_build_that_waits_for_its_first_step_is_looked_at_rarely(memory, build):
    watched(build)
    runs(memory, {"waiting": {"reason": "PodInitializing"}})
    Build.objects.update(steps=[])
    _build, pause = look(build)
    assert pause == timedelta(seconds=20)


def test_a_limit_is_noticed_in_time_though_nothing_changes(build, settings):
    settings.BUILD_SILENT_LIMIT = 60
    watched(build)
    _build, pause = look(build)
    assert pause <= timedelta(seconds=60)


def test_the_end_of_a_build_that_is_followed_has_all_of_its_output(memory, build):
    watched(build)
    prints(memory, "step-clone", b"the last word")
    runs(memory, ENDED)
    run = memory.objects["PipelineRun", "build-hat", "hat-1"]
    failed = [{"type": "Succeeded", "status": "False", "reason": "Failed"}]
    memory.put({**run, "status": {**run["status"], "conditions": failed}})
    build, _pause = look(build)
    assert build.status == Status.FAILED
    assert output(build) == b"the last word\n"


def test_what_comes_after_the_end_is_not_stored(build):
    late = Build.objects.get(pk=build.pk)
    build.move_to(Status.FAILED, at=timezone.now())
    assert not logs.append(late, b"late\n", secrets=[], at=timezone.now(), until=10**18)


def test_where_the_watcher_is_gone_the_worker_reads_again(memory, build):
    watched(build, seconds=-1)
    Build.objects.update(next_look_at=timezone.now() + timedelta(minutes=5))
    sweep()
    build.refresh_from_db()
    assert not build.is_followed
    assert build.next_look_at <= timezone.now()
    prints(memory, "step-clone", b"one\n")
    build, pause = look(build)
    assert output(build) == b"one\n"
    assert pause == timedelta(seconds=1)


def test_builds_under_way_are_followed_while_the_watcher_works(memory, build):
    prints(memory, "step-clone", b"one\n")
    following = Following(build.cluster_id)
    following.tend(is_working=True)
    following.tend(is_working=True)
    (follower,) = following._followers.values()
    assert Cluster.objects.get().watched_until > timezone.now()
    following.tend(is_working=False)
    follower.join(timeout=30 * FIRST_PAUSE)
    assert not follower.is_alive()
    assert output(build) == b"one\n"
    assert not Build.objects.get(pk=build.pk).is_followed


def test_a_build_that_is_to_stop_is_followed_no_longer(build):
    build.ask_to_stop(Status.CANCELLED, reason_code="cancelled", reason="x", at=timezone.now())
    following = Following(build.cluster_id)
    following.tend(is_working=True)
    assert not following._followers
