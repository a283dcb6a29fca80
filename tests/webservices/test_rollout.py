"""Webservices in a cluster, with the test in the place of its controllers."""

import base64
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.cluster.base import ClusterRefused, ClusterUnavailable, NotAllowed
from portal.cluster.kinds import DEPLOYMENT, INGRESS, NAMESPACE, POD, SECRET, SERVICE
from portal.clusters.models import Cluster
from portal.tools.models import Tool
from portal.tools.operations import set_variable
from portal.webservices import operations
from portal.webservices.models import Replica, Webservice
from portal.webservices.states import Reason, ReleaseStatus, Status
from portal.webservices.tasks import reconcile_webservice, sweep
from tests.conftest import NOW
from tests.webservices.rolling import (
    deployment,
    image,
    look,
    put_pod,
    release_of,
    settle,
)


def crashing(restarts=3, code=1):
    return {
        "containerStatuses": [
            {
                "restartCount": restarts,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": code, "reason": "Error"}},
            }
        ]
    }


def test_a_first_release_makes_its_home_and_runs(live, memory):
    assert memory.get(NAMESPACE, "tool-hat")
    assert memory.get(SERVICE, "hat", namespace="tool-hat")
    rules = memory.get(INGRESS, "hat", namespace="tool-hat")["spec"]["rules"]
    assert rules[0]["host"] == "hat.tools.example.org"
    assert live.number == 1
    assert Replica.objects.get().name == "hat-a"


def test_what_runs_is_named_by_digest_and_may_do_nothing(live, memory):
    pod = deployment(memory)["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert container["image"].endswith(f"@sha256:{1:064}")
    assert container["command"] == ["/cnb/process/web"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    strategy = deployment(memory)["spec"]["strategy"]["rollingUpdate"]
    assert strategy["maxUnavailable"] == 0


def test_variables_come_from_a_secret_of_the_release(hat, alice, tools, memory, live):
    set_variable(hat, name="TOKEN", value="hunter2", by=alice, at=NOW)
    operations.restart(Webservice.objects.get(), by=alice, at=NOW)
    look(hat, tools)
    secret = memory.get(SECRET, "hat-r2", namespace="tool-hat")
    assert base64.b64decode(secret["data"]["TOKEN"]) == b"hunter2"
    assert memory.get(SECRET, "hat-r1", namespace="tool-hat")
    assert "hunter2" not in str(deployment(memory))
    settle(memory)
    look(hat, tools)
    assert memory.get(SECRET, "hat-r1", namespace="tool-hat") is None


def test_a_new_release_takes_over_when_it_is_ready(hat, alice, tools, memory, live):
    operations.deploy(image(hat, 2), by=alice, at=NOW)
    webservice, _pause = look(hat, tools)
    assert release_of(memory) == "2"
    assert (webservice.live.number, webservice.status) == (1, Status.RUNNING)
    settle(memory)
    webservice, _pause = look(hat, tools)
    assert webservice.live.number == 2
    live.refresh_from_db()
    assert (live.status, live.reason_code) == (ReleaseStatus.RETIRED, Reason.REPLACED)


def test_a_release_is_not_live_before_the_controller_saw_it(hat, alice, tools, memory, live):
    operations.deploy(image(hat, 2), by=alice, at=NOW)
    webservice, _pause = look(hat, tools)
    assert webservice.starting.number == 2
    settle(memory, observedGeneration=1)
    webservice, _pause = look(hat, tools)
    assert webservice.starting.number == 2


def test_a_look_at_what_is_steady_asks_the_database_little(
    hat, live, django_assert_max_num_queries
):
    Webservice.objects.update(next_look_at=NOW, busy_until=None)
    # Two to claim it and one to let go, two for a savepoint, and what is to run.
    with django_assert_max_num_queries(9):
        reconcile_webservice(webservice_id=hat.webservice.pk)
    assert Webservice.objects.get().next_look_at > timezone.now() + timedelta(minutes=1)


def test_a_release_that_crashes_is_given_up_and_the_old_one_put_back(
    hat, alice, tools, memory, live
):
    operations.deploy(image(hat, 2), by=alice, at=NOW)
    look(hat, tools)
    put_pod(memory, "hat-b", 2, is_ready=False, **crashing())
    memory.printed["tool-hat", "hat-b", "web"] = b"Traceback: no such module\n"
    webservice, _pause = look(hat, tools)
    failed = webservice.failed
    assert (failed.number, failed.reason_code) == (2, Reason.CRASHED)
    assert "no such module" in failed.log_tail
    assert "Release 1 goes on serving" in failed.reason
    look(hat, tools)
    assert release_of(memory) == "1"


def test_a_release_that_never_gets_ready_says_what_the_probe_answered(
    hat, alice, tools, memory, live
):
    operations.deploy(image(hat, 2), by=alice, at=NOW)
    look(hat, tools)
    put_pod(memory, "hat-b", 2, is_ready=False)
    answer = "Readiness probe failed: HTTP probe failed with statuscode: 500"
    memory.put(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": "tool-hat", "name": "hat-b.1"},
            "reason": "Unhealthy",
            "message": answer,
            "involvedObject": {"name": "hat-b"},
        }
    )
    overdue = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    settle(memory, availableReplicas=0, conditions=[overdue])
    webservice, _pause = look(hat, tools)
    assert webservice.failed.reason_code == Reason.NEVER_HEALTHY
    assert answer in webservice.failed.reason
    assert webservice.live.number == 1


def test_a_pod_without_a_place_says_why(hat, alice, tools, memory, live):
    operations.deploy(image(hat, 2), by=alice, at=NOW)
    look(hat, tools)
    placed = {"type": "PodScheduled", "status": "False", "message": "3 Insufficient memory."}
    put_pod(memory, "hat-b", 2, is_ready=False, conditions=[placed])
    webservice, _pause = look(hat, tools, after=6000)
    assert "3 Insufficient memory" in webservice.failed.reason


def test_a_first_release_that_fails_is_taken_away(hat, alice, tools, memory):
    operations.deploy(image(hat, 1), by=alice, at=NOW)
    look(hat, tools)
    put_pod(memory, "hat-a", 1, is_ready=False, **crashing(code=7))
    webservice, _pause = look(hat, tools)
    assert webservice.status == Status.FAILED
    assert "exit code 7" in webservice.reason
    look(hat, tools)
    assert deployment(memory)["spec"]["replicas"] == 0


def test_scaling_leaves_the_pods_as_they_are(hat, alice, tools, memory, live):
    operations.configure(hat, by=alice, at=NOW, replicas=2)
    look(hat, tools)
    assert deployment(memory)["spec"]["replicas"] == 2
    assert release_of(memory) == "1"


def test_a_rollback_is_a_release_of_the_old_image(hat, alice, tools, memory, live):
    operations.deploy(image(hat, 2), by=alice, at=NOW)
    look(hat, tools)
    settle(memory)
    look(hat, tools)
    operations.deploy(live.image, by=alice, at=NOW)
    look(hat, tools)
    container = deployment(memory)["spec"]["template"]["spec"]["containers"][0]
    assert container["image"].endswith(f"@sha256:{1:064}")
    assert release_of(memory) == "3"


def test_stopping_leaves_no_replica(hat, alice, tools, memory, live):
    operations.stop(Webservice.objects.get(), by=alice, at=NOW)
    webservice, pause = look(hat, tools)
    assert (webservice.status, pause is None) == (Status.STOPPING, False)
    assert deployment(memory)["spec"]["replicas"] == 0
    memory.delete(POD, "hat-a", namespace="tool-hat")
    webservice, pause = look(hat, tools)
    assert (webservice.status, pause) == (Status.STOPPED, None)
    assert not Replica.objects.exists()


def test_a_disabled_tool_is_scaled_to_zero(hat, tools, memory, live):
    Tool.objects.update(status=Tool.Status.DISABLED)
    look(hat, tools)
    assert deployment(memory)["spec"]["replicas"] == 0


def test_pods_that_fail_later_are_told(hat, tools, memory, live):
    put_pod(memory, "hat-a", 1, is_ready=False, **crashing(restarts=5, code=137))
    webservice, _pause = look(hat, tools)
    assert (webservice.status, webservice.reason_code) == (Status.DEGRADED, Reason.UNHEALTHY)
    assert "exit code 137" in webservice.reason


def test_what_was_edited_by_hand_is_put_back(hat, tools, memory, live):
    memory.merge(DEPLOYMENT, "hat", {"spec": {"replicas": 9}}, namespace="tool-hat")
    look(hat, tools)
    assert deployment(memory)["spec"]["replicas"] == 1


def test_a_namespace_removed_by_hand_comes_back(hat, tools, memory, live):
    memory.delete(NAMESPACE, "tool-hat")
    look(hat, tools)
    assert deployment(memory)["spec"]["replicas"] == 1


def test_a_cluster_that_is_away_changes_nothing(hat, tools, memory, live):
    memory.fault = ClusterUnavailable("away")
    with pytest.raises(ClusterUnavailable):
        look(hat, tools)
    assert Webservice.objects.get().status == Status.RUNNING
    memory.fault = None
    webservice, _pause = look(hat, tools)
    assert webservice.status == Status.RUNNING


def wake(hat):
    """As the worker looks: by its task."""
    rows = Webservice.objects.filter(tool=hat)
    rows.update(next_look_at=timezone.now())
    reconcile_webservice(webservice_id=rows.get().pk)
    return rows.get()


def test_what_keeps_it_from_being_looked_at_is_told_with_its_beginning(
    hat, memory, live, client_of, api_of, alice
):
    memory.fault = ClusterUnavailable("The cluster is on the moon.")
    first = wake(hat)
    assert first.trouble == "The cluster is on the moon."
    assert first.status == Status.RUNNING
    memory.fault = NotAllowed("A right is missing.")
    second = wake(hat)
    assert second.trouble == "A right is missing."
    assert second.trouble_since == first.trouble_since
    page = client_of(alice).get("/tools/hat/webservice/").content.decode()
    assert "A right is missing." in page
    told = api_of(alice).get("/api/v1/tools/hat/webservice/").json()
    assert told["trouble"] == "A right is missing."
    assert told["trouble_since"]
    memory.fault = None
    third = wake(hat)
    assert (third.trouble, third.trouble_since) == ("", None)


def test_the_longer_it_lasts_the_more_rarely_it_is_looked_at(hat, memory, live):
    memory.fault = ClusterUnavailable("away")
    pauses = []
    for minutes in (0, 1, 60):
        row = wake(hat)
        pauses.append(round((row.next_look_at - timezone.now()).total_seconds()))
        Webservice.objects.update(trouble_since=timezone.now() - timedelta(minutes=minutes + 1))
    assert pauses == [2, 15, 30]


def test_a_right_that_is_missing_fails_no_release(hat, alice, tools, memory, live):
    operations.deploy(image(hat, 2), by=alice, at=NOW)
    memory.fault = NotAllowed("A right is missing.")
    with pytest.raises(NotAllowed):
        look(hat, tools)
    memory.fault = None
    look(hat, tools)
    settle(memory)
    webservice, _pause = look(hat, tools)
    assert webservice.live.number == 2


def test_a_foreign_deployment_of_the_same_name_is_not_stopped(hat, alice, tools, memory, live):
    theirs = deployment(memory)
    theirs["metadata"]["labels"] = {}
    memory.put(theirs)
    operations.stop(Webservice.objects.get(), by=alice, at=NOW)
    look(hat, tools)
    assert deployment(memory)["spec"]["replicas"] == 1


def test_nothing_is_put_into_a_foreign_namespace(hat, alice, tools, memory):
    memory.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tool-hat"}})
    operations.deploy(image(hat, 1), by=alice, at=NOW)
    webservice, _pause = look(hat, tools)
    assert "not the portal's" in webservice.failed.reason
    assert [kind for kind, _place, _name in memory.objects] == ["Namespace"]


def test_a_steady_look_reads_five_times_and_writes_nothing(hat, tools, memory, live):
    look(hat, tools)
    memory.requests.clear()
    look(hat, tools)
    assert sorted(memory.requests) == [
        ("get", "Deployment"),
        ("get", "Ingress"),
        ("get", "Secret"),
        ("get", "Service"),
        ("list", "Pod"),
    ]


def test_where_a_watcher_tells_of_changes_a_steady_look_is_rare(hat, tools, memory, live):
    assert look(hat, tools)[1] == timedelta(minutes=5)
    tools.watched_until = NOW + timedelta(seconds=1)
    assert look(hat, tools)[1] == timedelta(hours=1)


def test_a_watcher_that_is_gone_leaves_no_webservice_alone_for_long(hat, tools, live):
    now = timezone.now()
    late = now + timedelta(hours=1)
    Webservice.objects.update(next_look_at=late)
    Cluster.objects.update(watched_until=now + timedelta(minutes=1))
    sweep()
    assert Webservice.objects.get().next_look_at == late
    Cluster.objects.update(watched_until=now)
    sweep()
    assert Webservice.objects.get().next_look_at < now + timedelta(minutes=6)


def test_a_release_that_the_cluster_refuses_fails_with_its_words(hat, alice, tools, memory, live):
    operations.deploy(image(hat, 2), by=alice, at=NOW)
    memory.fault = ClusterRefused("admission webhook denied the request: no")
    webservice, _pause = look(hat, tools)
    memory.fault = None
    assert webservice.failed.reason_code == Reason.REFUSED
    assert "denied the request" in webservice.failed.reason


def test_its_page_shows_its_address_and_its_pods(client_of, alice, hat, tools, memory, live):
    memory.printed["tool-hat", "hat-a", "web"] = b"ready to serve\n"
    page = client_of(alice).get("/tools/hat/webservice/").content.decode()
    assert "https://hat.tools.example.org/" in page
    log = client_of(alice).get("/tools/hat/webservice/log/").content.decode()
    assert "ready to serve" in log


def test_the_tools_own_page_leads_to_it(client_of, alice, live):
    page = client_of(alice).get("/tools/hat/").content.decode()
    assert 'href="https://hat.tools.example.org/"' in page
