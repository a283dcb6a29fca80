"""Moving a tool from the portal's own machine to a cluster, and back."""

from datetime import timedelta

import pytest

from builds import tasks as build_tasks
from builds.models import Build
from builds.operations import Source, start_build
from portal.cluster.kinds import NAMESPACE
from portal.clusters.connections import connect
from portal.clusters.models import Relocation
from portal.clusters.states import RelocationReason, RelocationStatus
from portal.tools.models import Tool
from portal.webservices import operations, tasks
from portal.webservices.engines.base import Phase
from portal.webservices.leaving import Machine
from portal.webservices.models import Replica, Webservice
from portal.webservices.moving import start_move
from portal.webservices.states import Status
from tests.engines import ScriptedBuilds
from tests.webservices.places import RunningRegistry, Worker, memory_cluster, settle

SOURCE = Source("https://git.example.org/hat.git", ref="main")


class Images:
    """Remembers what it was told to keep."""

    def __init__(self):
        self.kept = {}

    def keep_images(self, tool, digests):
        self.kept[tool] = digests
        return 1


@pytest.fixture(scope="module")
def registry():
    with RunningRegistry() as host:
        yield host


@pytest.fixture
def beta(ada, registry):
    return memory_cluster("beta", by=ada, registry=registry)


@pytest.fixture
def images():
    return Images()


@pytest.fixture
def worker(beta, engine, images, monkeypatch, settings):
    settings.MOVE_GRACE_SECONDS = 600
    builds = ScriptedBuilds()
    monkeypatch.setattr(build_tasks, "engine", lambda: builds)
    monkeypatch.setattr(tasks, "engine", lambda: engine)
    worker = Worker(Machine(webservices=engine, images=images))

    def meanwhile():
        settle(connect(beta))
        for name in list(builds.builds):
            builds.succeed(name)

    worker.meanwhile = meanwhile
    return worker


def run(tool, alice, worker):
    build, _is_new = start_build(tool, by=alice, source=SOURCE, at=worker.now)
    worker.rounds(4)
    operations.deploy(Build.objects.get(pk=build.pk).image, by=alice, at=worker.now)
    worker.rounds(4)
    webservice = Webservice.objects.get()
    assert (webservice.status, webservice.live.place) == (Status.RUNNING, tool.cluster)


def test_the_machine_serves_until_the_cluster_does_and_is_cleaned(
    hat, alice, ada, beta, worker, engine, images
):
    run(hat, alice, worker)
    [port] = engine.routes["hat"]
    start_move(hat, to=beta, by=ada, at=worker.now)
    worker.until(RelocationStatus.SWITCHED)
    webservice = Webservice.objects.get()
    assert (webservice.live.place, webservice.status) == (beta, Status.RUNNING)
    worker.rounds(3)
    assert (engine.routes["hat"], list(engine.replicas)) == ([port], ["hat-r1-0"])
    assert Webservice.objects.routes() == {"hat": [port]}
    worker.rounds(5, seconds=600)
    worker.until(RelocationStatus.DONE)
    assert (engine.routes, engine.replicas) == ({}, {})
    assert images.kept == {"hat": set()}
    assert [each.release.number for each in Replica.objects.all()] == [2]


def test_a_process_that_does_not_end_is_waited_for(hat, alice, ada, beta, worker, engine, images):
    run(hat, alice, worker)
    start_move(hat, to=beta, by=ada, at=worker.now)
    engine.fails_to_stop = True
    worker.until(RelocationStatus.SWITCHED)
    worker.rounds(5, seconds=600)
    move = Relocation.objects.get()
    assert (move.status, images.kept) == (RelocationStatus.CLEANING, {})
    engine.fails_to_stop = False
    worker.until(RelocationStatus.DONE)
    assert engine.replicas == {}


@pytest.fixture
def in_beta(hat, alice, beta, worker):
    Tool.objects.filter(pk=hat.pk).update(cluster=beta)
    hat.refresh_from_db()
    run(hat, alice, worker)
    return hat


def test_a_tool_comes_from_a_cluster_to_the_machine(in_beta, ada, beta, worker, engine):
    assert "hat" not in engine.routes
    start_move(in_beta, to=None, by=ada, at=worker.now)
    worker.until(RelocationStatus.SWITCHED)
    webservice = Webservice.objects.select_related("tool").get()
    assert (webservice.live.place, webservice.status) == (None, Status.RUNNING)
    assert engine.routes == {"hat": webservice.routed_ports}
    assert len(webservice.routed_ports) == 1
    worker.rounds(5, seconds=600)
    worker.until(RelocationStatus.DONE)
    assert connect(beta).list(NAMESPACE).items == []
    assert engine.routes == {"hat": webservice.routed_ports}


def test_what_does_not_get_healthy_on_the_machine_is_taken_away(
    in_beta, ada, beta, worker, engine, settings
):
    engine.becomes = Phase.UNHEALTHY
    start_move(in_beta, to=None, by=ada, at=worker.now)
    worker.until(RelocationStatus.DEPLOYING)
    worker.rounds(3)
    assert engine.replicas
    worker.rounds(2, seconds=settings.WEBSERVICE_START_LIMIT)
    worker.rounds(4)
    move = Relocation.objects.get()
    assert (move.status, move.reason_code) == ("failed", RelocationReason.RELEASE_FAILED)
    assert (engine.replicas, engine.routes.get("hat", [])) == ({}, [])
    webservice = Webservice.objects.get()
    assert (webservice.live.place, webservice.status) == (beta, Status.RUNNING)
    assert worker.now - move.created_at < timedelta(minutes=10)
