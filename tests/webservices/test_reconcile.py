"""A new release takes over when it is healthy, and only then."""

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from portal.tools.operations import set_variable
from portal.webservices.engines.base import EngineError, Phase, ReplicaObservation
from portal.webservices.models import Replica, Webservice
from portal.webservices.operations import configure, deploy, restart, stop
from portal.webservices.ports import NoPortLeft
from portal.webservices.states import ReleaseStatus, Status
from tests.conftest import NOW
from tests.engines import ScriptedReplicas


def releases(webservice):
    return {each.number: each.status for each in webservice.releases.all()}


def running(engine):
    return sorted(engine.replicas)


@pytest.fixture
def live(image, alice, look):
    deploy(image, by=alice, at=NOW)
    return look(4)


def test_a_first_release_gets_live_and_the_requests(live, engine):
    assert (live.status, releases(live)) == (Status.RUNNING, {1: "live"})
    assert engine.routes == {"hat": [Replica.objects.get().port]}


def test_nothing_is_routed_before_it_is_healthy(image, alice, look, engine):
    engine.becomes = Phase.STARTING
    deploy(image, by=alice, at=NOW)
    assert look(5).status == Status.STARTING
    assert engine.routes == {}


def test_the_old_release_serves_until_the_new_one_is_healthy(live, image, alice, look, engine):
    old = engine.routes["hat"]
    engine.becomes = Phase.STARTING
    deploy(image, by=alice, at=NOW)
    webservice = look(5)
    assert releases(webservice) == {1: "live", 2: "starting"}
    assert engine.routes["hat"] == old
    assert webservice.status == Status.RUNNING


def test_the_old_release_ends_after_its_requests_had_time(live, image, alice, look, engine):
    deploy(image, by=alice, at=NOW)
    webservice = look(4)
    assert releases(webservice) == {1: "retired", 2: "live"}
    assert running(engine) == ["hat-r1-0", "hat-r2-0"]
    look(2, after=60)
    assert running(engine) == ["hat-r2-0"]


def test_a_release_that_never_gets_healthy_leaves_the_old_one(live, image, alice, look, engine):
    old = engine.routes["hat"]
    engine.becomes = Phase.STARTING
    deploy(image, by=alice, at=NOW)
    look(2)
    webservice = look(3, after=100)
    failed = webservice.failed
    assert releases(webservice) == {1: "live", 2: "failed"}
    assert "nothing listens on port 1" in failed.reason
    assert "Release 1 goes on serving." in failed.reason
    assert failed.log_tail == "output of hat-r2-0\n"
    assert (engine.routes["hat"], running(engine)) == (old, ["hat-r1-0"])


def test_a_release_that_crashes_is_not_waited_for(image, alice, look, engine):
    engine.becomes = Phase.STARTING
    deploy(image, by=alice, at=NOW)
    look(2)
    engine.replicas["hat-r1-0"] = ReplicaObservation(Phase.STARTING, restarts=3, exit_code=7)
    webservice = look(2)
    assert webservice.failed.reason_code == "crashed"
    assert "exit code 7" in webservice.failed.reason
    assert webservice.status == Status.FAILED


def test_a_newer_release_replaces_one_that_is_starting(image, alice, look, engine):
    engine.becomes = Phase.STARTING
    deploy(image, by=alice, at=NOW)
    look(2)
    deploy(image, by=alice, at=NOW)
    engine.becomes = Phase.HEALTHY
    assert releases(look(4)) == {1: "retired", 2: "live"}
    assert running(engine) == ["hat-r2-0"]


def test_stopping_ends_everything_and_starting_brings_it_back(live, alice, look, engine):
    stop(live, by=alice, at=NOW)
    engine.fails_to_stop = True
    assert look(2).status == Status.STOPPING
    engine.fails_to_stop = False
    webservice = look(2)
    assert (webservice.status, running(engine), engine.routes) == (Status.STOPPED, [], {"hat": []})
    assert look.pause is None
    restart(webservice, by=alice, at=NOW)
    assert look(4).status == Status.RUNNING


def test_scaling_adds_and_removes_replicas(live, hat, alice, look, engine):
    configure(hat, by=alice, at=NOW, replicas=3)
    look(4)
    assert len(engine.routes["hat"]) == 3
    configure(hat, by=alice, at=NOW, replicas=1)
    look(4)
    assert running(engine) == ["hat-r1-0"]
    assert len(engine.routes["hat"]) == 1


def test_after_a_reboot_everything_starts_again(live, look, engine):
    engine.replicas.clear()
    assert look(3).status == Status.RUNNING
    assert running(engine) == ["hat-r1-0"]


def test_an_unhealthy_replica_gets_no_requests_while_another_is_healthy(
    live, hat, alice, look, engine
):
    configure(hat, by=alice, at=NOW, replicas=2)
    look(4)
    engine.replicas["hat-r1-0"] = ReplicaObservation(Phase.UNHEALTHY)
    webservice = look(1)
    assert webservice.status == Status.DEGRADED
    assert engine.routes["hat"] == [Replica.objects.get(index=1).port]


def test_the_only_replica_is_routed_also_when_it_is_unhealthy(live, look, engine):
    engine.replicas["hat-r1-0"] = ReplicaObservation(Phase.UNHEALTHY)
    assert look(1).status == Status.DEGRADED
    assert len(engine.routes["hat"]) == 1


def test_a_replica_gets_the_tools_variables(hat, image, alice, look, engine):
    set_variable(hat, name="TOKEN", value="hunter2", by=alice, at=NOW)
    set_variable(hat, name="ONLY_BUILD", value="x", for_build=True, for_run=False, by=alice, at=NOW)
    deploy(image, by=alice, at=NOW)
    look(2)
    order = engine.orders["hat-r1-0"]
    assert (order.environment, order.secrets) == ({"TOKEN": "hunter2"}, ("hunter2",))


def test_a_port_is_given_once(live, image, alice, look, settings):
    port = Replica.objects.get().port
    settings.REPLICA_PORTS = (port, port + 1)
    deploy(image, by=alice, at=NOW)
    with pytest.raises(NoPortLeft):
        look(1)


def test_a_steady_webservice_is_looked_at_rarely(live, look):
    look(2, after=60)
    assert look.pause.total_seconds() == 5


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    actions=st.lists(
        st.sampled_from(["deploy", "look", "look", "crash", "reboot", "stop", "sick", "well"]),
        max_size=20,
    )
)
def test_whatever_happens_at_most_one_release_is_live(actions, image, alice, engine, look):
    Webservice.objects.all().delete()
    engine.__init__()
    deploy(image, by=alice, at=NOW)
    webservice = look()
    happens = {
        "deploy": lambda: deploy(image, by=alice, at=NOW),
        "look": look,
        "crash": lambda: engine.replicas.popitem() if engine.replicas else None,
        "reboot": engine.replicas.clear,
        "stop": lambda: stop(webservice, by=alice, at=NOW),
        "sick": lambda: setattr(engine, "becomes", Phase.STARTING),
        "well": lambda: setattr(engine, "becomes", Phase.HEALTHY),
    }
    for action in actions:
        happens[action]()
    webservice = look(8, after=1000)
    live = webservice.releases.filter(status=ReleaseStatus.LIVE).count()
    assert live <= 1
    assert len(engine.replicas) == (1 if live else 0)
    assert isinstance(engine, ScriptedReplicas)


def test_routes_that_were_not_taken_are_tried_again(image, alice, look, engine, monkeypatch):
    def refuse(routes):
        raise EngineError("The proxy does not answer.")

    deploy(image, by=alice, at=NOW)
    with monkeypatch.context() as patched:
        patched.setattr(engine, "route", refuse)
        with pytest.raises(EngineError):
            look(4)
    assert releases(look(1)) == {1: "live"}
    assert engine.routes == {"hat": [Replica.objects.get().port]}
