"""Moving a tool from one cluster to another: the old place serves until the new one is healthy."""

import importlib
from datetime import timedelta

import pytest
from django.apps import apps

from builds.models import Build
from builds.operations import Source, start_build
from builds.states import Status as BuildStatus
from portal.cluster.base import ClusterUnavailable
from portal.cluster.kinds import DEPLOYMENT, NAMESPACE, PIPELINE_RUN
from portal.clusters.connections import connect
from portal.clusters.models import Cluster, Relocation
from portal.clusters.operations import ClusterRefusedChange, remove_cluster
from portal.clusters.states import RelocationReason, RelocationStatus
from portal.tools.models import AuditEvent, Tool
from portal.waking import wake
from portal.webservices import operations
from portal.webservices.homes import tidy
from portal.webservices.models import Replica, Webservice
from portal.webservices.moving import MoveRefused, cancel_move, start_move
from portal.webservices.operations import DeployRefused
from portal.webservices.releases import builds_to_deploy
from portal.webservices.states import Status
from tests.conftest import NOW
from tests.webservices.places import COMMIT, RunningRegistry, Worker, memory_cluster, settle

SOURCE = Source("https://git.example.org/hat.git", ref="main")


@pytest.fixture(scope="module")
def registry():
    with RunningRegistry() as host:
        yield host


@pytest.fixture
def alpha(ada, registry):
    return memory_cluster("alpha", by=ada, registry=registry)


@pytest.fixture
def beta(ada, registry):
    return memory_cluster("beta", by=ada, registry=registry)


@pytest.fixture
def worker(alpha, beta):
    worker = Worker()

    def controllers():
        settle(connect(alpha))
        settle(connect(beta))

    worker.meanwhile = controllers
    return worker


@pytest.fixture
def tool(hat, alpha, settings):
    settings.MOVE_GRACE_SECONDS = 600
    Tool.objects.filter(pk=hat.pk).update(cluster=alpha)
    hat.refresh_from_db()
    return hat


@pytest.fixture
def running(tool, alice, worker):
    """Release 1 of build 1 serves in alpha."""
    start_build(tool, by=alice, source=SOURCE, at=worker.now, deploy=True)
    for _number in range(10):
        worker.rounds()
        build = Build.objects.get()
        if build.is_final and not Webservice.objects.exists():
            operations.deploy(build.image, by=alice, at=worker.now)
    assert served_from(tool) == tool.cluster
    return Webservice.objects.get()


@pytest.fixture
def move(running, tool, beta, ada, worker):
    return start_move(tool, to=beta, by=ada, at=worker.now)


def served_from(tool):
    """The cluster of which the Deployment of the live release has its replicas."""
    live = Webservice.objects.get(tool=tool).live
    there = live and connect(live.place).get(DEPLOYMENT, "hat", namespace="tool-hat")
    return live.place if there and there["spec"]["replicas"] else None


def names(cluster):
    return [each["metadata"]["name"] for each in connect(cluster).list(NAMESPACE).items]


def steps(move):
    return [each.to_status for each in move.moves.all()]


def test_the_old_place_serves_until_the_new_one_does_and_goes_after_a_while(
    move, tool, alpha, beta, worker
):
    while Relocation.objects.get().is_under_way:
        assert served_from(tool) == alpha
        tool.refresh_from_db()
        assert tool.cluster == alpha
        worker.rounds()
    tool.refresh_from_db()
    webservice = Webservice.objects.get()
    assert (tool.cluster, served_from(tool)) == (beta, beta)
    assert webservice.url == f"https://hat.{beta.name}.example.org/"
    assert (webservice.status, webservice.live.number) == (Status.RUNNING, 2)
    assert webservice.live.image.build.commit == COMMIT
    assert [each.status for each in webservice.releases.all()] == ["live", "retired"]
    worker.rounds(3)
    there = connect(alpha).get(DEPLOYMENT, "hat", namespace="tool-hat")
    assert there["spec"]["replicas"] == 1
    worker.rounds(5, seconds=600)
    assert names(alpha) == []
    assert names(beta) == ["build-hat", "tool-hat"]
    move.refresh_from_db()
    assert steps(move) == ["building", "deploying", "switched", "cleaning", "done"]
    assert move.next_look_at is None
    told = AuditEvent.objects.filter(action__startswith="tool.move").order_by("pk")
    assert [each.action for each in told] == ["tool.move-asked", "tool.moved", "tool.move-done"]
    assert told[1].after == {"cluster": beta.name}


def test_what_is_released_there_runs_as_the_one_before(running, tool, beta, ada, alice, worker):
    operations.configure(tool, by=alice, at=worker.now, replicas=2, health_check_path="/up")
    worker.rounds(3)
    move = start_move(tool, to=beta, by=ada, at=worker.now)
    worker.until(RelocationStatus.SWITCHED)
    live = Webservice.objects.get().live
    assert (live.replicas, live.health_check_path, live.cause) == (2, "/up", "moved")
    move.refresh_from_db()
    assert (move.release, move.build) == (live, live.image.build)


def unhealthy(*clusters):
    def controllers():
        for cluster in clusters:
            settle(connect(cluster), healthy=False)

    return controllers


def is_as_before(tool, alpha, beta, worker):
    worker.rounds(5)
    tool.refresh_from_db()
    assert (tool.cluster, served_from(tool)) == (alpha, alpha)
    assert Webservice.objects.get().live.number == 1
    assert names(beta) == []
    assert Relocation.objects.get().next_look_at is None


def test_a_build_that_fails_leaves_the_old_place_serving(move, tool, alpha, beta, worker):
    worker.meanwhile = unhealthy(beta)
    move = worker.until(RelocationStatus.FAILED)
    assert move.reason_code == RelocationReason.BUILD_FAILED
    assert move.reason.startswith("Build 2 did not succeed.")
    is_as_before(tool, alpha, beta, worker)


def test_a_release_that_does_not_get_healthy_leaves_the_old_place_serving(
    move, tool, alpha, beta, worker
):
    worker.until(RelocationStatus.DEPLOYING)
    worker.meanwhile = unhealthy(beta)
    move = worker.until(RelocationStatus.FAILED)
    assert move.reason_code == RelocationReason.RELEASE_FAILED
    assert "Release 1 goes on serving." in move.reason
    is_as_before(tool, alpha, beta, worker)


def test_a_node_that_does_not_tell_its_output_keeps_no_release_from_failing(
    move, tool, alpha, beta, worker, monkeypatch
):
    def away(*_words, **_more):
        raise ClusterUnavailable("The node does not answer.")

    worker.until(RelocationStatus.DEPLOYING)
    monkeypatch.setattr(connect(beta), "logs", away)
    worker.meanwhile = unhealthy(beta)
    worker.until(RelocationStatus.FAILED)
    is_as_before(tool, alpha, beta, worker)


@pytest.mark.parametrize("status", ["requested", "building", "deploying", "switched", "cleaning"])
def test_of_two_workers_that_look_at_once_the_second_changes_nothing(
    move, tool, beta, worker, status
):
    late = worker.until(status)
    worker.until(RelocationStatus.DONE if status in ("switched", "cleaning") else "switched")
    worker.look_at(late)
    worker.rounds(3)
    tool.refresh_from_db()
    assert (tool.cluster, served_from(tool)) == (beta, beta)
    assert Build.objects.count() == 2
    assert Webservice.objects.get().releases.count() == 2


@pytest.mark.parametrize("status", ["requested", "building", "deploying"])
def test_a_move_can_be_cancelled_until_the_switch(move, tool, alpha, beta, ada, worker, status):
    move = worker.until(status)
    cancel_move(move, by=ada, at=worker.now)
    cancel_move(move, by=ada, at=worker.now)
    move = worker.until(RelocationStatus.CANCELLED)
    assert (move.reason, move.moves.last().actor) == ("Cancelled by ada.", ada)
    is_as_before(tool, alpha, beta, worker)
    assert AuditEvent.objects.filter(action="tool.move-cancel-asked").count() == 1
    assert not Build.objects.under_way().exists()


def test_a_cancel_that_was_asked_for_wins_over_a_release_that_gets_healthy(
    move, tool, alpha, beta, ada, worker
):
    move = worker.until(RelocationStatus.DEPLOYING)
    tool.refresh_from_db()
    cancel_move(move, by=ada, at=worker.now)
    settle(connect(beta))
    for _number in range(3):
        worker.look()
    is_as_before(tool, alpha, beta, worker)


def test_after_the_switch_it_is_too_late(move, ada, worker):
    move = worker.until(RelocationStatus.SWITCHED)
    with pytest.raises(MoveRefused, match="too late"):
        cancel_move(move, by=ada, at=worker.now)


class Killed(BaseException):
    """As by kill -9: nothing catches it."""


class Fuse(list):
    """Kills whoever makes a cluster's request of this number while it is armed."""

    left, is_armed = 0, False

    def append(self, request):
        self.left -= self.is_armed
        if self.is_armed and self.left == 0:
            raise Killed
        super().append(request)


@pytest.mark.parametrize("number", [1, 3, 5, 8, 11, 15, 20, 26, 33, 41, 50, 60])
def test_a_worker_that_is_killed_anywhere_loses_nothing(
    move, tool, alpha, beta, worker, number, monkeypatch
):
    fuse = Fuse()
    fuse.left = number
    for cluster in (alpha, beta):
        monkeypatch.setattr(connect(cluster), "requests", fuse)
    look, kills = worker.look, []

    def look_and_be_killed():
        fuse.is_armed = True
        try:
            look()
        except Killed:
            kills.append(served_from(tool))
        finally:
            fuse.is_armed = False

    worker.look = look_and_be_killed
    worker.until(RelocationStatus.SWITCHED)
    worker.rounds(5, seconds=600)
    worker.until(RelocationStatus.DONE)
    assert kills in ([alpha], [beta])
    assert (names(alpha), served_from(tool)) == ([], beta)
    assert Build.objects.count() == 2
    assert Webservice.objects.get().last_release_number == 2


def test_builds_asked_for_meanwhile_are_made_in_the_new_place(
    move, tool, alpha, beta, alice, worker
):
    worker.until(RelocationStatus.BUILDING)
    other = Source("https://git.example.org/other.git")
    build, _is_new = start_build(tool, by=alice, source=other, at=worker.now, deploy=True)
    worker.until(RelocationStatus.DEPLOYING)
    build.refresh_from_db()
    assert build.status == BuildStatus.QUEUED
    worker.until(RelocationStatus.SWITCHED)
    worker.rounds(4)
    build.refresh_from_db()
    assert (build.status, build.cluster) == (BuildStatus.SUCCEEDED, beta)
    assert connect(alpha).get(PIPELINE_RUN, build.name, namespace="build-hat") is None
    assert build in builds_to_deploy(finished_after=NOW, finished_before=worker.now)


def test_builds_asked_for_meanwhile_are_made_in_the_old_place_if_it_is_given_up(
    move, tool, alpha, ada, alice, worker
):
    other = Source("https://git.example.org/other.git")
    build, _is_new = start_build(tool, by=alice, source=other, at=worker.now)
    worker.until(RelocationStatus.BUILDING)
    cancel_move(move, by=ada, at=worker.now)
    worker.until(RelocationStatus.CANCELLED)
    worker.rounds(5)
    build.refresh_from_db()
    assert (build.status, build.cluster) == (BuildStatus.SUCCEEDED, alpha)


def test_a_build_that_waits_for_a_move_is_not_late(move, tool, alice, worker, settings):
    settings.BUILD_QUEUED_LIMIT = 5
    worker.meanwhile = lambda: None
    other = Source("https://git.example.org/other.git")
    build, _is_new = start_build(tool, by=alice, source=other, at=worker.now)
    worker.rounds(10)
    build.refresh_from_db()
    assert (build.status, build.stop_as) == (BuildStatus.QUEUED, "")


def test_a_move_waits_for_a_build_that_runs_and_for_its_release(
    running, tool, alpha, beta, ada, alice, worker
):
    other = Source("https://git.example.org/other.git")
    meanwhile, worker.meanwhile = worker.meanwhile, lambda: None
    build, _is_new = start_build(tool, by=alice, source=other, at=worker.now)
    worker.rounds()
    start_move(tool, to=beta, by=ada, at=worker.now)
    worker.rounds(2)
    move = Relocation.objects.get()
    assert (move.status, move.waits_for) == (RelocationStatus.REQUESTED, "Build 2 is running.")
    worker.meanwhile = meanwhile
    worker.until(RelocationStatus.SWITCHED)
    build.refresh_from_db()
    assert (build.status, build.cluster) == (BuildStatus.SUCCEEDED, alpha)


@pytest.mark.parametrize("status", ["requested", "building", "deploying"])
def test_nothing_else_is_deployed_meanwhile(move, running, tool, alice, worker, status):
    worker.until(status)
    release = running.releases.get(number=1)
    refused = (
        lambda: operations.deploy(release.image, by=alice, at=worker.now),
        lambda: operations.restart(running, by=alice, at=worker.now),
        lambda: operations.configure(tool, by=alice, at=worker.now, replicas=2),
    )
    for attempt in refused:
        with pytest.raises(DeployRefused, match="is being moved to beta"):
            attempt()
    assert Webservice.objects.get().replicas == 1


def test_a_rollback_takes_the_image_that_the_move_made_of_the_same_commit(
    move, running, alice, worker
):
    worker.until(RelocationStatus.SWITCHED)
    running.refresh_from_db()
    old = running.releases.select_related("image__tool", "image__build").get(number=1)
    made = operations.rollback(running, to=old, by=alice, at=worker.now)
    assert made.image == running.live.image


def test_a_rollback_to_what_was_only_built_elsewhere_is_refused_in_words(
    move, running, alpha, alice, worker
):
    Build.objects.filter(number=1).update(commit="d" * 40)
    worker.until(RelocationStatus.SWITCHED)
    old = running.releases.select_related("image__tool", "image__build").get(number=1)
    with pytest.raises(DeployRefused, match=f"is in {alpha.name}.* Build its commit dddddddd"):
        operations.rollback(running, to=old, by=alice, at=worker.now)
    with pytest.raises(DeployRefused, match="does not live any more"):
        operations.deploy(old.image, by=alice, at=worker.now)


def test_a_tool_leaves_a_cluster_that_is_away_in_the_middle_of_a_build(
    running, tool, alpha, beta, ada, alice, worker
):
    other = Source("https://git.example.org/other.git")
    worker.meanwhile = lambda: None
    stuck, _is_new = start_build(tool, by=alice, source=other, at=worker.now)
    worker.rounds()
    away = ClusterUnavailable("The cluster does not answer.")
    connect(alpha).fault = away
    Cluster.objects.filter(pk=alpha.pk).update(is_reachable=False, trouble=str(away))
    start_move(tool, to=beta, by=ada, at=worker.now)
    worker.meanwhile = lambda: settle(connect(beta))
    worker.until(RelocationStatus.SWITCHED)
    stuck.refresh_from_db()
    assert (stuck.status, stuck.reason_code) == (BuildStatus.FAILED, "engine-lost")
    assert served_from(tool) == beta
    worker.rounds(5, seconds=600)
    move = Relocation.objects.get()
    assert (move.status, move.waits_for) == ("cleaning", "The cluster does not answer.")
    worker.rounds(2, seconds=86_400)
    move = Relocation.objects.get()
    assert (move.status, move.reason_code) == ("done", RelocationReason.NOT_CLEANED)
    connect(alpha).fault = None
    tidy(alpha, now=worker.now)
    assert tidy(alpha, now=worker.now + timedelta(days=8)) == ["build-hat", "tool-hat"]


def test_a_new_place_that_is_away_is_waited_for_and_given_up_at_last(
    move, tool, alpha, beta, worker, settings
):
    settings.MOVE_LIMIT = 60
    connect(beta).fault = ClusterUnavailable("The cluster does not answer.")
    worker.meanwhile = lambda: settle(connect(alpha))
    worker.rounds(3)
    assert Relocation.objects.get().waits_for == "The cluster does not answer."
    worker.rounds(1, seconds=60)
    move.refresh_from_db()
    assert (move.status, move.reason_code) == ("failed", RelocationReason.TIMED_OUT)
    assert move.reason.endswith("The cluster does not answer.")
    connect(beta).fault = None
    is_as_before(tool, alpha, beta, worker)


def test_a_webservice_that_is_stopped_moves_and_starts_there(
    running, tool, alpha, beta, ada, alice, worker
):
    operations.stop(running, by=alice, at=worker.now)
    worker.rounds(3)
    start_move(tool, to=beta, by=ada, at=worker.now)
    worker.until(RelocationStatus.DONE)
    tool.refresh_from_db()
    assert (tool.cluster, served_from(tool)) == (beta, None)
    running = Webservice.objects.select_related("tool").get()
    assert (running.status, running.last_release_number) == (Status.STOPPED, 1)
    operations.restart(running, by=alice, at=worker.now)
    worker.rounds(3)
    assert served_from(tool) == beta


def test_a_tool_of_which_nothing_ran_moves_at_once(tool, beta, ada, worker):
    start_move(tool, to=beta, by=ada, at=worker.now)
    worker.rounds()
    tool.refresh_from_db()
    assert tool.cluster == beta
    assert not Build.objects.exists()
    worker.until(RelocationStatus.DONE)


@pytest.mark.parametrize("status", ["building", "deploying", "switched"])
def test_a_webservice_may_be_stopped_in_the_middle_and_is_in_both_places(
    move, running, tool, alpha, beta, alice, worker, status
):
    worker.until(status)
    operations.stop(Webservice.objects.get(), by=alice, at=worker.now)
    worker.rounds(3)
    worker.until(RelocationStatus.DONE)
    tool.refresh_from_db()
    assert (tool.cluster, names(alpha)) == (beta, [])
    there = connect(beta).get(DEPLOYMENT, "hat", namespace="tool-hat")
    assert not there or there["spec"]["replicas"] == 0
    assert Webservice.objects.get().status == Status.STOPPED


def test_a_tool_that_is_archived_in_the_middle_stays_where_it_is(move, tool, alpha, worker):
    worker.until(RelocationStatus.BUILDING)
    Tool.objects.update(status=Tool.Status.ARCHIVED)
    move = worker.until(RelocationStatus.FAILED)
    assert move.reason_code == RelocationReason.NOT_ACTIVE
    tool.refresh_from_db()
    assert tool.cluster == alpha


def test_it_moves_back_during_the_grace_and_nothing_is_cleaned_away_from_under_it(
    move, tool, alpha, beta, ada, worker
):
    worker.until(RelocationStatus.SWITCHED)
    tool.refresh_from_db()
    start_move(tool, to=alpha, by=ada, at=worker.now)
    worker.until(RelocationStatus.SWITCHED)
    move.refresh_from_db()
    assert (move.status, move.reason_code) == ("done", RelocationReason.MOVED_BACK)
    worker.rounds(5, seconds=600)
    assert (served_from(tool), names(beta)) == (alpha, [])
    assert Webservice.objects.get().live.number == 3
    assert [each.release.number for each in Replica.objects.all()] == [3]


def test_a_failed_move_does_not_clean_away_what_the_next_one_makes(move, tool, beta, ada, worker):
    worker.until(RelocationStatus.DEPLOYING)
    cancel_move(move, by=ada, at=worker.now)
    worker.look_at(Relocation.objects.get(pk=move.pk))
    again = start_move(tool, to=beta, by=ada, at=worker.now)
    worker.until(RelocationStatus.SWITCHED)
    assert (Relocation.objects.first(), served_from(tool)) == (again, beta)


def test_two_rows_that_lead_to_one_cluster_are_found_out(move, tool, alpha, beta, worker):
    there = connect(alpha).get(NAMESPACE, "tool-hat")
    connect(beta).put(there)
    assert connect(beta).get(NAMESPACE, "tool-hat")["metadata"]["uid"] == there["metadata"]["uid"]
    move = worker.until(RelocationStatus.FAILED)
    assert move.reason_code == RelocationReason.SAME_CLUSTER
    worker.rounds(3)
    assert (served_from(tool), names(beta)) == (alpha, ["tool-hat"])


def test_what_is_somebody_elses_is_not_cleaned_away(move, alpha, worker):
    worker.until(RelocationStatus.SWITCHED)
    there = connect(alpha).get(NAMESPACE, "build-hat")
    there["metadata"]["labels"] = {}
    connect(alpha).put(there)
    worker.rounds(5, seconds=600)
    assert names(alpha) == ["build-hat"]
    worker.until(RelocationStatus.DONE)


def refuse(tool, beta, ada):
    with pytest.raises(MoveRefused) as refused:
        start_move(tool, to=beta, by=ada, at=NOW)
    return str(refused.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda _tool: Cluster.objects.update(is_reachable=False), "cannot see that cluster"),
        (lambda _tool: Cluster.objects.update(missing_rights=[{"verb": "list"}]), "lacks rights"),
        (lambda _tool: Tool.objects.update(status=Tool.Status.ARCHIVED), "not active"),
        (lambda tool: Tool.objects.update(cluster=Cluster.objects.last()), "lives there already"),
    ],
)
def test_a_move_is_refused_in_words(tool, alpha, beta, ada, change, said):
    change(tool)
    assert said in refuse(tool, beta, ada)
    assert not Relocation.objects.exists()


def test_one_move_at_a_time(move, tool, beta, ada):
    assert "being moved already" in refuse(tool, beta, ada)


def test_a_cluster_that_tools_are_on_their_way_to_is_not_forgotten(move, beta, ada):
    with pytest.raises(ClusterRefusedChange, match="on their way"):
        remove_cluster(beta, by=ada, at=NOW)


def test_a_cluster_that_a_tool_left_can_be_forgotten(move, tool, alpha, ada, worker):
    worker.until(RelocationStatus.SWITCHED)
    worker.rounds(5, seconds=600)
    remove_cluster(alpha, by=ada, at=worker.now)
    move.refresh_from_db()
    assert (move.source, move.source_label) == (None, alpha.name)
    assert not tool.images.filter(build__cluster=None, removed_at=None).exists()


def test_objects_of_the_new_place_wake_the_webservice_that_is_coming(move, beta, worker):
    worker.until(RelocationStatus.DEPLOYING)
    labels = {"portal.example.org/tool": "hat", "portal.example.org/role": "run"}
    assert wake({"metadata": {"labels": labels}}, cluster_id=beta.pk, now=worker.now)


def test_the_home_that_is_being_made_is_not_tidied_away(move, beta, worker):
    worker.until(RelocationStatus.DEPLOYING)
    assert tidy(beta, now=worker.now) == tidy(beta, now=worker.now + timedelta(days=30)) == []
    assert names(beta) == ["build-hat"]


def test_builds_of_before_are_placed_where_their_tools_live(running, tool, alpha):
    Build.objects.update(cluster=None)
    migration = importlib.import_module("builds.migrations.0006_build_cluster")
    migration.place_where_the_tool_lives(apps, None)
    assert Build.objects.get().cluster == alpha
