"""Replicas whose number the cluster chooses, with the test in the place of its controllers."""

import pytest

from portal.cluster.kinds import AUTOSCALER
from portal.tools.quotas import Resource
from portal.webservices import operations
from portal.webservices.models import Release, Replica
from portal.webservices.usage import uses_of
from tests.conftest import NOW
from tests.webservices.rolling import deployment, look, put_pod, settle


def scaler(memory):
    return memory.get(AUTOSCALER, "hat", namespace="tool-hat")


def scale(memory, count):
    """The cluster's autoscaler does."""
    memory.put({**deployment(memory), "spec": deployment(memory)["spec"] | {"replicas": count}})


def say(memory, kind, reason, message):
    condition = {"type": kind, "status": "False", "reason": reason, "message": message}
    memory.set_status(AUTOSCALER, "hat", {"conditions": [condition]}, namespace="tool-hat")


@pytest.fixture
def scaled(live, hat, alice, tools, memory):
    """From 1 to 4 replicas, and that is through."""
    operations.configure(hat, max_replicas=4, by=alice, at=NOW)
    look(hat, tools)
    settle(memory)
    webservice, _pause = look(hat, tools)
    assert webservice.live.number == 2
    return webservice


def test_the_cluster_is_told_between_what_and_when(scaled, memory):
    spec = scaler(memory)["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 4)
    assert spec["scaleTargetRef"]["name"] == "hat"
    # 70 % of the processor that a replica may use.
    target = spec["metrics"][0]["resource"]["target"]
    assert target == {"type": "AverageValue", "averageValue": "700m"}


def test_pods_are_kept_when_it_is_turned_on(scaled, memory):
    labels = deployment(memory)["spec"]["template"]["metadata"]["labels"]
    assert labels["portal.example.org/release"] == "1"


def test_the_number_that_the_cluster_chose_stays(scaled, hat, tools, memory):
    scale(memory, 3)
    for name in ("hat-b", "hat-c"):
        put_pod(memory, name, 1)
    settle(memory)
    webservice, _pause = look(hat, tools)
    assert deployment(memory)["spec"]["replicas"] == 3
    assert webservice.status == "running"
    assert Replica.objects.count() == 3


def test_a_new_release_begins_with_as_many_as_there_were(scaled, hat, alice, tools, memory):
    scale(memory, 3)
    operations.restart(scaled, by=alice, at=NOW)
    look(hat, tools)
    assert deployment(memory)["spec"]["replicas"] == 3


@pytest.mark.parametrize(("there", "kept"), [(0, 2), (1, 2), (3, 3), (9, 4)])
def test_it_is_never_out_of_the_bounds(scaled, hat, alice, tools, memory, there, kept):
    scale(memory, there)
    operations.configure(hat, replicas=2, by=alice, at=NOW)
    look(hat, tools)
    assert deployment(memory)["spec"]["replicas"] == kept


def test_turned_off_the_cluster_chooses_no_longer(scaled, hat, alice, tools, memory):
    scale(memory, 3)
    operations.configure(hat, max_replicas=0, by=alice, at=NOW)
    look(hat, tools)
    assert scaler(memory) is None
    assert deployment(memory)["spec"]["replicas"] == 1


def test_stopped_and_started_it_begins_with_the_least(scaled, hat, alice, tools, memory):
    scale(memory, 3)
    operations.stop(scaled, by=alice, at=NOW)
    look(hat, tools)
    assert deployment(memory)["spec"]["replicas"] == 0
    operations.restart(scaled, by=alice, at=NOW)
    look(hat, tools)
    assert deployment(memory)["spec"]["replicas"] == 1


def test_what_keeps_the_cluster_from_it_is_told(scaled, hat, tools, memory):
    said = "unable to get metrics for resource cpu: no metrics returned"
    say(memory, "ScalingActive", "FailedGetResourceMetric", said)
    webservice, _pause = look(hat, tools)
    assert webservice.scaling == said
    # It serves all the same.
    assert webservice.status == "running"
    say(memory, "ScalingActive", "ScalingDisabled", "scaling is disabled since there are none")
    assert look(hat, tools)[0].scaling == ""


def test_somebody_elses_autoscaler_is_left_alone(live, hat, alice, tools, memory):
    foreign = {"namespace": "tool-hat", "name": "hat"}
    kind = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"}
    memory.put({**kind, "metadata": foreign, "spec": {"maxReplicas": 9}})
    operations.configure(hat, max_replicas=4, by=alice, at=NOW)
    look(hat, tools)
    failed = Release.objects.get(number=2)
    assert failed.status == "failed"
    assert "is not the portal's" in failed.reason
    # What was live before goes on.
    assert look(hat, tools)[0].live.number == 1
    assert scaler(memory)["spec"] == {"maxReplicas": 9}


def test_at_rest_nothing_is_written(scaled, hat, tools, memory):
    look(hat, tools)
    before = memory.position(AUTOSCALER)
    look(hat, tools)
    assert memory.position(AUTOSCALER) == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"max_replicas": 1}, "more than the 1 that always run"),
        ({"replicas": 3, "max_replicas": 2}, "more than the 3 that always run"),
        ({"max_replicas": 10}, "10 asked for, hat may use 4"),
        ({"max_replicas": 10**4}, "10000 asked for"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(live, hat, alice, changes, said):
    with pytest.raises(operations.DeployRefused, match=said):
        operations.configure(hat, by=alice, at=NOW, **changes)
    hat.webservice.refresh_from_db()
    assert hat.webservice.max_replicas == 0


def test_the_quota_counts_the_most(scaled, hat):
    used = {use.resource: use.used for use in uses_of(hat, now=NOW)}
    assert used[Resource.REPLICAS] == 4
    assert used[Resource.CPU] == 4 * scaled.cpu_millis


def test_the_portals_own_machine_has_a_fixed_number(hat, alice):
    with pytest.raises(operations.DeployRefused, match="own machine"):
        operations.configure(hat, max_replicas=3, by=alice, at=NOW)


def test_the_page_and_the_api_take_it(live, hat, client, alice):
    client.force_login(alice)
    page = client.get(f"/tools/{hat.name}/webservice/")
    assert 'name="max_replicas"' in page.content.decode()
    sent = {"replicas": 1, "max_replicas": 3, "health_check_path": "/"}
    client.post(f"/tools/{hat.name}/webservice/configure/", sent)
    answer = client.get(f"/api/v1/tools/{hat.name}/webservice/").json()
    assert answer["max_replicas"] == 3
    answer = client.patch(
        f"/api/v1/tools/{hat.name}/webservice/",
        {"max_replicas": 0},
        content_type="application/json",
    )
    assert answer.json()["max_replicas"] == 0


def test_the_page_of_a_tool_on_the_machine_does_not_offer_it(hat, client, alice):
    client.force_login(alice)
    page = client.get(f"/tools/{hat.name}/webservice/")
    assert 'name="max_replicas"' not in page.content.decode()
