"""What the portal says and does when a cluster loses things, on a real API server and etcd.

Nodes are simulated. Alarms are moved by hand: a look is due whenever the test looks.
"""

import subprocess
import sys
import threading
import time
import uuid
from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from builds.models import Build
from builds.operations import Source, start_build
from builds.orphans import GRACE, prune
from builds.states import Status as BuildStatus
from builds.tasks import reconcile_build
from portal.cluster.base import MANAGER, OWNER_LABEL, Access
from portal.cluster.informer import Informer
from portal.cluster.kinds import CONFIG_MAP, DEPLOYMENT, NETWORK_POLICY, RESOURCE_QUOTA
from portal.cluster.kubernetes import KubernetesCluster
from portal.cluster.watcher import Watcher
from portal.clusters.models import Cluster
from portal.clusters.operations import add_cluster
from portal.clusters.tasks import check_cluster
from portal.tools.operations import register_tool
from portal.waking import mend
from portal.webservices import operations
from portal.webservices.homes import keep_home
from portal.webservices.models import Webservice
from portal.webservices.states import Status
from portal.webservices.tasks import reconcile_webservice
from tests.cluster.breakable import BINDING, Webhook, start_breakable, webhook_for
from tests.cluster.processes import LabError
from tests.clusters.contract import OURS, config_map
from tests.clusters.made_up import Board
from tests.webservices import rolling

pytestmark = [pytest.mark.cluster, pytest.mark.django_db]


@pytest.fixture(scope="module")
def broken():
    with start_breakable() as broken:
        yield broken


@pytest.fixture(scope="module")
def plane(broken):
    return broken.lab


@pytest.fixture
def cluster(broken, ada, settings):
    # The machine of a test is busy.
    settings.WEBSERVICE_START_LIMIT = 600
    registry = {"registry": "registry.test", "builder": "builder", "run_image": "run"}
    return add_cluster(
        name="tools",
        by=ada,
        at=timezone.now(),
        tools_url="http://{tool}.tools.test/",
        git_image="git",
        is_default=True,
        **registry,
        **broken.way,
    )


@pytest.fixture
def hat(plane, cluster, alice):
    """A tool of alice's whose name nobody had before."""
    name = f"hat-{uuid.uuid4().hex[:6]}"
    yield register_tool(name, by=alice, at=timezone.now(), title="Hat")
    gone = ("--ignore-not-found", "--wait=false")
    plane.kubectl("delete", "namespace", f"tool-{name}", f"build-{name}", *gone)


def image(tool, number):
    # Far from the numbers of builds that the cluster is told of.
    return rolling.image(tool, 100 + number, registry="registry.test", at=timezone.now())


def look(tool):
    rows = Webservice.objects.filter(tool=tool)
    rows.update(next_look_at=timezone.now())
    reconcile_webservice(webservice_id=rows.get().pk)
    return rows.select_related("tool").get()


def serve(tool, until, *, seconds=240):
    """Look until something holds of the webservice."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        webservice = look(tool)
        if until(webservice):
            return webservice
        time.sleep(0.3)
    releases = [(str(each), each.status, each.reason) for each in webservice.releases.all()]
    raise AssertionError(f"{webservice.status} {webservice.trouble} {releases}")


def is_live(number):
    return lambda seen: seen.live and seen.live.number == number and not seen.trouble


def deploy(tool, alice, number):
    """A release that gets live."""
    operations.deploy(image(tool, number), by=alice, at=timezone.now())
    return serve(tool, is_live(number))


def build(tool, alice):
    """A build that the cluster was told of."""
    source = Source("https://git.example.org/hat.git")
    begun, _is_new = start_build(tool, by=alice, source=source, at=timezone.now())
    return look_at(begun)


def look_at(build):
    Build.objects.filter(pk=build.pk).update(next_look_at=timezone.now())
    reconcile_build(build_id=build.pk)
    return Build.objects.get(pk=build.pk)


def check(cluster):
    Cluster.objects.update(next_check_at=timezone.now())
    check_cluster(cluster_id=cluster.pk)
    cluster.refresh_from_db()
    return cluster


def deployed(plane, tool):
    """The number of the release that the cluster has."""
    there = plane.get("deployment", tool.name, "-n", f"tool-{tool.name}")
    return int(there["spec"]["template"]["metadata"]["labels"]["portal.example.org/release"])


def wait_for(check, *, seconds=240):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.3)
    raise AssertionError("it did not come about")


def test_a_server_that_is_away_is_told_and_work_goes_on_after_it(
    broken, plane, cluster, hat, alice, client_of, api_of
):
    deploy(hat, alice, 1)
    begun = build(hat, alice)
    assert begun.status == BuildStatus.RUNNING
    broken.stop_server()

    assert "does not answer" in look(hat).trouble
    operations.deploy(image(hat, 2), by=alice, at=timezone.now())
    seen, begun = look(hat), look_at(begun)
    assert seen.status == Status.RUNNING
    assert begun.status == BuildStatus.RUNNING
    page = client_of(alice).get(f"/tools/{hat.name}/webservice/").content.decode()
    assert "as it was last seen" in page
    assert "does not answer" in page
    page = client_of(alice).get(f"/tools/{hat.name}/builds/{begun.number}/").content.decode()
    assert "does not answer" in page
    told = api_of(alice).get(f"/api/v1/tools/{hat.name}/webservice/").json()
    assert "does not answer" in told["trouble"]
    since = told["trouble_since"]
    assert check(cluster).is_reachable is False
    assert api_of(alice).get("/api/v1/clusters/tools/").json()["is_reachable"] is False
    look(hat)
    told = api_of(alice).get(f"/api/v1/tools/{hat.name}/webservice/").json()
    assert told["trouble_since"] == since

    broken.start_server()
    assert check(cluster).is_reachable
    serve(hat, is_live(2))
    begun = look_at(begun)
    assert begun.status == BuildStatus.RUNNING
    assert begun.trouble == ""
    page = client_of(alice).get(f"/tools/{hat.name}/webservice/").content.decode()
    assert "as it was last seen" not in page


def test_a_cluster_that_was_seen_to_be_away_is_not_asked_by_every_row(broken, cluster, hat, alice):
    deploy(hat, alice, 1)
    Cluster.objects.update(is_reachable=False, trouble="It is away.")
    before = len(broken.requests())
    assert look(hat).trouble == "It is away."
    assert len(broken.requests()) == before
    check(cluster)
    assert look(hat).trouble == ""


@pytest.fixture
def watching(broken):
    """A watcher at work that leaves marks, what it was told, and how often it had to begin."""
    adapter = KubernetesCluster(
        Access(**{name: text for name, text in broken.way.items() if name != "way"})
    )
    heard, begun, stop = [], [], threading.Event()
    kinds = (DEPLOYMENT, NETWORK_POLICY, RESOURCE_QUOTA)
    watcher = Watcher(
        adapter,
        kinds,
        namespace="portal",
        identity=uuid.uuid4().hex,
        begin=lambda: begun.append(timezone.now()),
        tell=heard.append,
        marks=Board(),
        seconds=6,
        watch_seconds=2,
    )
    thread = threading.Thread(target=watcher.run, args=(stop,))
    thread.start()
    wait_for(lambda: len(begun) == len(kinds))
    yield heard, begun
    stop.set()
    thread.join()
    adapter.close()


def has_heard(heard, name, kind="Deployment"):
    return lambda: any(
        each.object["kind"] == kind and each.object["metadata"]["name"] == name for each in heard
    )


def test_an_old_backup_is_noticed_and_everything_comes_back(
    broken, plane, cluster, hat, alice, watching, tmp_path
):
    heard, begun = watching
    deploy(hat, alice, 1)
    broken.back_up(tmp_path / "backup")
    serve(hat, is_live(1))
    deploy(hat, alice, 2)
    started = build(hat, alice)
    run = ("pipelinerun", started.name, "-n", f"build-{hat.name}", "--ignore-not-found")
    assert plane.kubectl("get", *run)
    wait_for(has_heard(heard, hat.name))
    number = len(begun)

    broken.restore(tmp_path / "backup")
    assert deployed(plane, hat) == 1
    assert not plane.kubectl("get", *run)
    wait_for(lambda: len(begun) >= number + 3)
    heard.clear()
    seen = serve(hat, is_live(2))
    assert seen.status == Status.RUNNING
    assert deployed(plane, hat) == 2
    wait_for(has_heard(heard, hat.name))
    started = look_at(started)
    assert started.status == BuildStatus.RUNNING
    assert plane.kubectl("get", *run)


def test_a_run_that_no_build_waits_for_is_removed(plane, cluster, hat, alice):
    started, later = build(hat, alice), timezone.now() + GRACE + timedelta(minutes=1)
    place = ("-n", f"build-{hat.name}")
    run = f"PipelineRun {place[1]}/{started.name}"
    assert run not in prune(cluster, now=later)
    # Its row is gone, as after the restore of an old database.
    Build.objects.filter(pk=started.pk).delete()
    assert run not in prune(cluster, now=timezone.now())
    assert plane.get("pipelinerun", *place)["items"]
    assert run in prune(cluster, now=later)
    assert not plane.get("pipelinerun", *place)["items"]


def test_a_namespace_that_is_deleted_comes_back_with_its_walls(plane, hat, alice):
    deploy(hat, alice, 1)
    started = build(hat, alice)
    places = (f"tool-{hat.name}", f"build-{hat.name}")
    operations.deploy(image(hat, 2), by=alice, at=timezone.now())
    plane.kubectl("delete", "namespace", *places, "--wait=false")
    seen = serve(hat, is_live(2))
    assert seen.status == Status.RUNNING
    walls = plane.get("networkpolicy", "-n", places[0])["items"]
    assert {each["metadata"]["name"] for each in walls} == {"nothing", "outside", "ingress"}
    wait_for(lambda: look_at(started).trouble == "" and plane.get("pipelinerun", "-n", places[1]))
    assert look_at(started).status == BuildStatus.RUNNING
    assert plane.get("pipelinerun", "-n", places[1])["items"]


@pytest.mark.parametrize(
    ("kind", "changes", "path", "wanted"),
    [
        ("deployment", '{"spec": {"replicas": 3}}', "{.spec.replicas}", "1"),
        ("service", '{"spec": {"selector": {"and": "more"}}}', "{.spec.selector.and}", ""),
        ("ingress", '{"spec": {"rules": [{"host": "x.test"}]}}', "{.spec.rules[0].host}", None),
    ],
)
def test_what_was_edited_or_removed_is_put_back(plane, hat, alice, kind, changes, path, wanted):
    deploy(hat, alice, 1)
    thing = (kind, hat.name, "-n", f"tool-{hat.name}")
    before = plane.kubectl("get", *thing, "-o", f"jsonpath={path}")
    plane.kubectl("patch", *thing, "--type=merge", "-p", changes)
    assert plane.kubectl("get", *thing, "-o", f"jsonpath={path}") != before
    look(hat)
    after = plane.kubectl("get", *thing, "-o", f"jsonpath={path}")
    assert after == before
    assert wanted in (None, after)
    plane.kubectl("delete", *thing)
    serve(hat, is_live(1))
    assert plane.kubectl("get", *thing)


def test_a_secret_that_is_removed_or_edited_is_put_back(plane, hat, alice):
    deploy(hat, alice, 1)
    secret = ("secret", f"{hat.name}-r1", "-n", f"tool-{hat.name}")
    plane.kubectl("delete", *secret)
    look(hat)
    assert plane.kubectl("get", *secret)


def test_a_wall_that_is_torn_down_is_noticed_and_put_up_again(plane, cluster, hat, alice, watching):
    heard, _begun = watching
    deploy(hat, alice, 1)
    place = ("-n", f"tool-{hat.name}")
    hole = '{"spec": {"egress": [{}]}}'
    plane.kubectl("delete", "networkpolicy", "nothing", *place)
    plane.kubectl("patch", "networkpolicy", "outside", *place, "--type=merge", "-p", hole)
    more = '{"spec": {"hard": {"pods": "1000"}}}'
    plane.kubectl("patch", "resourcequota", "room", *place, "--type=merge", "-p", more)

    def is_noticed(kind, name):
        now = timezone.now()
        mine = [
            each
            for each in heard
            if each.object["kind"] == kind
            and each.object["metadata"]["name"] == name
            and each.object["metadata"]["namespace"] == place[1]
        ]
        return any(mend(each, cluster_id=cluster.pk, now=now) for each in mine)

    wait_for(lambda: is_noticed("NetworkPolicy", "nothing"))
    wait_for(lambda: is_noticed("NetworkPolicy", "outside"))
    wait_for(lambda: is_noticed("ResourceQuota", "room"))
    hat.refresh_from_db()
    assert keep_home(hat).trouble == ""
    assert plane.get("networkpolicy", "nothing", *place)
    assert plane.get("networkpolicy", "outside", *place)["spec"]["egress"] != [{}]
    assert plane.get("resourcequota", "room", *place)["spec"]["hard"]["pods"] == "10"
    # Its own writes, and what controllers note in the status, are no disturbance.
    heard.clear()
    plane.kubectl("annotate", "resourcequota", "room", *place, "looked=at")
    wait_for(has_heard(heard, "room", "ResourceQuota"))
    assert not any(mend(each, cluster_id=cluster.pk, now=timezone.now()) for each in heard)


def test_what_belongs_to_somebody_else_is_left_alone(plane, hat, alice):
    plane.create_namespace(f"tool-{hat.name}")
    operations.deploy(image(hat, 1), by=alice, at=timezone.now())
    seen = serve(hat, lambda seen: seen.failed)
    assert "not the portal's" in seen.failed.reason
    assert plane.kubectl("get", "all,secret,ingress", "-n", f"tool-{hat.name}", "-o", "name") == ""


def test_a_foreign_deployment_of_the_same_name_is_neither_taken_nor_stopped(plane, hat, alice):
    deploy(hat, alice, 1)
    place = ("-n", f"tool-{hat.name}")
    plane.kubectl("label", "deployment", hat.name, *place, f"{OWNER_LABEL}=somebody", "--overwrite")
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "theirs",
            "namespace": place[1],
            "labels": {"app.kubernetes.io/name": hat.name},
        },
    }
    plane.apply(secret)
    operations.deploy(image(hat, 2), by=alice, at=timezone.now())
    seen = serve(hat, lambda seen: seen.failed)
    assert "not the portal's" in seen.failed.reason
    operations.stop(seen, by=alice, at=timezone.now())
    look(hat)
    assert plane.get("deployment", hat.name, *place)["spec"]["replicas"] == 1
    assert deployed(plane, hat) == 1
    plane.kubectl(
        "label", "deployment", hat.name, *place, f"{OWNER_LABEL}={MANAGER}", "--overwrite"
    )
    deploy(hat, alice, 3)
    assert plane.get("secret", "theirs", *place)


def test_a_full_etcd_is_told_and_work_goes_on_when_there_is_room(broken, plane, hat, alice):
    deploy(hat, alice, 1)
    plane.create_namespace("ballast")
    data = {"text": "x" * 1000_000}
    with pytest.raises(LabError, match="database space exceeded"):
        for number in range(100):
            plane.apply(config_map("ballast", f"heavy-{number}", labels={}, **data))
    operations.deploy(image(hat, 2), by=alice, at=timezone.now())
    seen = look(hat)
    assert "database space exceeded" in seen.trouble
    assert seen.starting.number == 2
    assert seen.status == Status.RUNNING

    plane.kubectl("delete", "configmap", "--all", "-n", "ballast")
    revision = broken.etcd("maintenance/status")["header"]["revision"]
    broken.etcd("kv/compaction", revision=revision, physical=True)
    broken.etcd("maintenance/defragment")
    for alarm in broken.etcd("maintenance/alarm", action="GET").get("alarms", ()):
        broken.etcd("maintenance/alarm", action="DEACTIVATE", **alarm)
    plane.kubectl("delete", "namespace", "ballast", "--wait=false")
    serve(hat, is_live(2))


def test_a_token_that_is_revoked_is_told_until_it_is_renewed(broken, plane, cluster, hat, alice):
    deploy(hat, alice, 1)
    operations.deploy(image(hat, 2), by=alice, at=timezone.now())
    plane.kubectl("delete", "serviceaccount", "portal", "-n", "portal")
    # The API server remembers for some seconds that it knew the token.
    seen = serve(hat, lambda seen: "credentials" in seen.trouble or seen.live.number == 2)
    wait_for(lambda: "credentials" in look(hat).trouble)
    assert seen.status == Status.RUNNING
    seen = check(cluster)
    assert seen.is_reachable is False
    assert "Renew the token" in seen.trouble
    broken.let_in()
    wait_for(lambda: check(cluster).is_reachable)
    serve(hat, is_live(2))


def test_rights_that_are_taken_away_fail_no_release(broken, plane, cluster, hat, alice, request):
    deploy(hat, alice, 1)
    request.addfinalizer(broken.let_in)
    plane.kubectl("delete", "clusterrolebinding", "portal")
    operations.deploy(image(hat, 2), by=alice, at=timezone.now())
    wait_for(lambda: "lacks a right" in look(hat).trouble)
    started = build(hat, alice)
    assert "lacks a right" in started.trouble
    assert started.status == BuildStatus.RUNNING
    assert look(hat).starting.number == 2
    Cluster.objects.update(inspected_at=None)
    seen = check(cluster)
    assert seen.is_reachable
    missing = {(each["verb"], each["resource"]) for each in seen.missing_rights}
    assert ("patch", "deployments") in missing
    plane.apply(BINDING)
    serve(hat, is_live(2))
    wait_for(lambda: look_at(started).trouble == "")
    assert check(cluster).missing_rights == []


def test_the_sentence_of_a_webhook_reaches_the_maintainer(plane, hat, alice, client_of):
    deploy(hat, alice, 1)
    server = Webhook(plane, "Images from registry.test are not allowed here.")
    hook = webhook_for(plane, server, namespace=f"tool-{hat.name}")
    plane.apply(hook)
    try:
        wait_for(lambda: refuses(plane, hat))
        operations.deploy(image(hat, 2), by=alice, at=timezone.now())
        seen = serve(hat, lambda seen: seen.failed)
        assert "Images from registry.test are not allowed here." in seen.failed.reason
        page = client_of(alice).get(f"/tools/{hat.name}/webservice/").content.decode()
        assert "Images from registry.test are not allowed here." in page
        assert seen.live.number == 1
    finally:
        server.stop()
    # Nobody answers now, and the API server makes nothing without an answer.
    operations.deploy(image(hat, 3), by=alice, at=timezone.now())
    seen = look(hat)
    assert "checks objects is away" in seen.trouble
    assert "policy.example.org" in seen.trouble
    assert seen.starting.number == 3
    plane.kubectl("delete", "validatingwebhookconfiguration", f"tool-{hat.name}")
    serve(hat, is_live(3))


def refuses(plane, tool):
    """Whether the API server asks the webhook already."""
    thing = ("deployment", tool.name, "-n", f"tool-{tool.name}")
    try:
        plane.kubectl("annotate", *thing, "a=b", "--overwrite", "--dry-run=server")
    except LabError:
        return True
    return False


def test_a_connection_that_falls_silent_is_noticed(broken, plane, watching):
    heard, _begun = watching
    plane.create_namespace("silence")
    broken.cable.silence()
    plane.apply(quota("silence", "unheard"))
    time.sleep(1)
    assert not has_heard(heard, "unheard", "ResourceQuota")()
    broken.cable.heal()
    wait_for(has_heard(heard, "unheard", "ResourceQuota"), seconds=120)
    plane.kubectl("delete", "namespace", "silence", "--wait=false")


WATCHER = """
import sys, threading
from portal.cluster.base import Access
from portal.cluster.kinds import RESOURCE_QUOTA
from portal.cluster.kubernetes import KubernetesCluster
from portal.cluster.watcher import Watcher

watcher = Watcher(
    KubernetesCluster(Access(kubeconfig=sys.argv[1])),
    [RESOURCE_QUOTA],
    namespace="relay",
    identity="first",
    begin=lambda: print("begin", flush=True),
    tell=lambda change: print(change.object["metadata"]["name"], flush=True),
    seconds=6,
)
watcher.run(threading.Event())
"""


def test_a_watcher_that_is_killed_is_followed_by_another_and_nothing_is_lost(plane):
    plane.create_namespace("relay")
    heard, begun, stop = [], [], threading.Event()
    adapter = KubernetesCluster(Access(kubeconfig=str(plane.kubeconfig)))
    second = Watcher(
        adapter,
        [RESOURCE_QUOTA],
        namespace="relay",
        identity="second",
        begin=lambda: begun.append(time.monotonic()),
        tell=heard.append,
        seconds=6,
        watch_seconds=2,
    )
    argv = [sys.executable, "-c", WATCHER, str(plane.kubeconfig)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "begin\n"
        thread = threading.Thread(target=second.run, args=(stop,))
        thread.start()
        plane.apply(quota("relay", "before"))
        # It may be told of others' before.
        assert "before\n" in iter(first.stdout.readline, "") and first.poll() is None
        first.kill()
    assert not second.is_working
    plane.apply(quota("relay", "between"))
    made = time.monotonic()
    # Whoever takes over has everything looked at, and so also what nobody told of.
    wait_for(lambda: begun)
    assert begun[0] > made
    plane.apply(quota("relay", "after"))
    wait_for(has_heard(heard, "after", "ResourceQuota"))
    stop.set()
    thread.join()
    adapter.close()
    plane.kubectl("delete", "namespace", "relay", "--wait=false")


def watch_until(adapter, board, is_enough, *, namespace):
    """What a watcher heard, and how often it had to begin."""
    heard, begun, stop = [], [], threading.Event()
    watcher = Watcher(
        adapter,
        [RESOURCE_QUOTA],
        namespace=namespace,
        identity=uuid.uuid4().hex,
        begin=lambda: begun.append(time.monotonic()),
        tell=heard.append,
        marks=board,
        seconds=3,
        watch_seconds=2,
    )
    thread = threading.Thread(target=watcher.run, args=(stop,))
    thread.start()
    try:
        wait_for(lambda: is_enough(heard, begun))
    finally:
        stop.set()
        thread.join()
    return heard, begun


def test_a_successor_hears_of_what_was_missed_and_need_not_look_at_everything(plane):
    adapter, board = KubernetesCluster(Access(kubeconfig=str(plane.kubeconfig))), Board()
    watch = partial(watch_until, adapter, board, namespace="marks")
    plane.create_namespace("marks")
    plane.apply(quota("marks", "goes"))
    watch(lambda _heard, begun: begun and board.mark)
    plane.apply(quota("marks", "comes"))
    plane.kubectl("delete", "resourcequota", "goes", "-n", "marks")

    def knows_all(heard, _begun):
        told = {(each.type, each.object["metadata"]["name"]) for each in heard}
        return {("ADDED", "comes"), ("DELETED", "goes")} <= told

    _heard, begun = watch(knows_all)
    assert not begun
    plane.kubectl("delete", "lease", "watcher", "-n", "marks")
    watch(lambda _heard, begun: begun)
    adapter.close()
    plane.kubectl("delete", "namespace", "marks", "--wait=false")


def test_a_mark_of_after_an_old_backup_is_not_trusted(broken, plane, tmp_path):
    adapter, board = KubernetesCluster(Access(kubeconfig=str(plane.kubeconfig))), Board()
    watch = partial(watch_until, adapter, board, namespace="older")
    watch(lambda _heard, begun: begun and board.mark)
    broken.back_up(tmp_path / "backup")
    before = board.mark.lease.version
    watch(lambda _heard, _begun: board.mark.lease.version > before)
    broken.restore(tmp_path / "backup")
    watch(lambda _heard, begun: begun)
    adapter.close()
    plane.kubectl("delete", "namespace", "older", "--wait=false")


def quota(namespace, name):
    metadata = {"namespace": namespace, "name": name, "labels": OURS}
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": metadata,
        "spec": {"hard": {"pods": "1"}},
    }


def test_a_place_that_the_server_has_forgotten_is_begun_anew(broken, plane):
    """410 Gone: the server was started anew and knows only what came after."""
    adapter = KubernetesCluster(Access(kubeconfig=str(plane.kubeconfig)))
    plane.create_namespace("forgotten")
    events, stop = [], threading.Event()
    informer = Informer(
        adapter,
        CONFIG_MAP,
        begin=lambda: events.append("begin"),
        tell=lambda change: events.append(change.object["metadata"]["name"]),
        labels=OURS,
        watch_seconds=1,
    )
    informer.step(stop)
    plane.apply(config_map("forgotten", "missed"))
    for number in range(20):
        plane.apply(config_map("forgotten", "other", number=str(number)))
    revision = broken.etcd("maintenance/status")["header"]["revision"]
    broken.etcd("kv/compaction", revision=revision, physical=True)
    broken.stop_server()
    broken.start_server()
    thread = threading.Thread(target=informer.run, args=(stop,))
    thread.start()
    wait_for(lambda: events.count("begin") == 2)
    plane.apply(config_map("forgotten", "later"))
    wait_for(lambda: "later" in events)
    stop.set()
    thread.join()
    adapter.close()
    plane.kubectl("delete", "namespace", "forgotten", "--wait=false")


def test_a_steady_webservice_costs_five_requests_and_no_write(broken, hat, alice):
    deploy(hat, alice, 1)
    look(hat)
    before = len(broken.requests())
    look(hat)
    assert sorted(broken.requests()[before:]) == [
        ("get", "deployments"),
        ("get", "ingresses"),
        ("get", "secrets"),
        ("get", "services"),
        ("list", "pods"),
    ]


def test_a_new_release_writes_what_differs_and_nothing_else(broken, hat, alice):
    deploy(hat, alice, 1)
    look(hat)
    before = len(broken.requests())
    deploy(hat, alice, 2)
    written = [each for each in broken.requests()[before:] if each[0] not in ("get", "list")]
    assert sorted(written) == [
        ("delete", "secrets"),
        ("patch", "deployments"),
        ("patch", "secrets"),
    ]


def test_a_home_that_is_well_is_read_and_not_written(broken, hat, alice):
    hat.refresh_from_db()
    assert keep_home(hat).trouble == ""
    before = len(broken.requests())
    assert keep_home(hat).trouble == ""
    asked = broken.requests()[before:]
    assert {verb for verb, _resource in asked} == {"get"}
