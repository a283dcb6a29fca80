"""From a change in a cluster to a row that is looked at, through whatever goes wrong."""

import threading
from copy import copy
from dataclasses import replace
from datetime import timedelta

import pytest

from builds.models import Build
from builds.operations import Source, start_build
from portal.cluster.base import MANAGER, OWNER_LABEL, Change, ClusterUnavailable
from portal.cluster.informer import LONGEST_PAUSE, Informer, NotTaken, pause_after
from portal.cluster.kinds import CONFIG_MAP, DEPLOYMENT, LEASE, NAMESPACE
from portal.cluster.lease import Lease, Stamp
from portal.cluster.memory import MemoryCluster
from portal.cluster.watcher import Mark, Watcher
from portal.clusters.models import WatchMark
from portal.clusters.operations import add_cluster
from portal.management.commands.up import has_clusters
from portal.management.commands.watch import Crew
from portal.tools.models import Tool
from portal.waking import wake, wake_all
from portal.webservices.models import Webservice
from portal.webservices.releases import webservice_of
from tests.clusters.contract import OURS, config_map
from tests.clusters.made_up import FIELDS, Board
from tests.conftest import NOW


@pytest.fixture
def cluster():
    memory = MemoryCluster()
    memory.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tool-hat"}})
    return memory


class Heard(list):
    """What an informer told of."""

    def __call__(self, change: Change) -> None:
        self.append((change.type, change.object["metadata"]["name"]))

    def begin(self) -> None:
        self.append("BEGIN")


def informer(cluster, heard):
    return Informer(
        cluster, CONFIG_MAP, begin=heard.begin, tell=heard, labels=OURS, watch_seconds=0
    )


def test_it_begins_once_and_then_tells_what_changes(cluster):
    heard, stop = Heard(), threading.Event()
    follower = informer(cluster, heard)
    cluster.apply(config_map("tool-hat", "hat"))
    follower.step(stop)
    cluster.apply(config_map("tool-hat", "cap"))
    cluster.delete(CONFIG_MAP, "hat", namespace="tool-hat")
    follower.step(stop)
    follower.step(stop)
    assert heard == ["BEGIN", ("ADDED", "cap"), ("DELETED", "hat")]


def test_it_begins_only_once_while_the_watch_can_go_on(cluster):
    follower = informer(cluster, Heard())
    for _number in range(5):
        follower.step(threading.Event())
    assert [verb for verb, _kind in cluster.requests] == ["position", *["watch"] * 5]


def test_what_could_not_be_taken_in_is_told_again(cluster):
    heard, stop = Heard(), threading.Event()
    follower = informer(cluster, heard)
    follower.step(stop)
    cluster.apply(config_map("tool-hat", "hat"))

    def refuse(_change):
        raise NotTaken("the database is away")

    follower._tell = refuse
    with pytest.raises(NotTaken):
        follower.step(stop)
    follower._tell = heard
    follower.step(stop)
    assert heard == ["BEGIN", ("ADDED", "hat")]


def test_a_place_that_is_forgotten_is_begun_anew(cluster):
    heard, stop = Heard(), threading.Event()
    follower = informer(cluster, heard)
    follower.step(stop)
    cluster.apply(config_map("tool-hat", "hat"))
    cluster.forget_history()

    def until_begun():
        heard.begin()
        stop.set()

    follower._begin = until_begun
    follower.run(stop)
    assert heard == ["BEGIN", "BEGIN"]


def test_a_connection_that_broke_off_goes_on_where_it_was(cluster, monkeypatch):
    heard, stop = Heard(), threading.Event()
    follower = informer(cluster, heard)
    follower.step(stop)
    cluster.fault = ClusterUnavailable("silence")
    with pytest.raises(ClusterUnavailable):
        follower.step(stop)
    cluster.fault = None
    cluster.apply(config_map("tool-hat", "hat"))
    follower.step(stop)
    assert heard == ["BEGIN", ("ADDED", "hat")]


def test_pauses_grow_and_differ():
    assert pause_after(1) <= 0.5
    assert LONGEST_PAUSE / 2 <= pause_after(50) <= LONGEST_PAUSE
    assert len({pause_after(5) for _number in range(20)}) > 1


def test_a_fault_that_nobody_thought_of_does_not_end_it(cluster, caplog):
    stop = threading.Event()
    follower = informer(cluster, Heard())

    def burst():
        if not caplog.records:
            raise ZeroDivisionError
        stop.set()

    follower._begin = burst
    follower.run(stop)
    assert "ZeroDivisionError" in caplog.text


@pytest.fixture
def clock():
    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    return Clock()


@pytest.fixture
def lease_of(cluster, clock):
    def make(identity):
        return Lease(cluster, "watcher", namespace="portal", identity=identity, clock=clock)

    return make


def test_one_of_two_holds_the_lease(lease_of, cluster):
    first, second = lease_of("first"), lease_of("second")
    assert first.hold()
    assert not second.hold()
    assert first.hold()
    assert cluster.get(NAMESPACE, "portal")["metadata"]["labels"] == {OWNER_LABEL: MANAGER}


def test_a_lease_that_is_not_renewed_goes_to_another(lease_of, clock):
    first, second = lease_of("first"), lease_of("second")
    first.hold()
    assert not second.hold()
    clock.now = 14
    first.hold()
    assert not second.hold()
    clock.now = 20
    assert not second.hold()
    clock.now = 40
    assert second.hold()
    assert not first.hold()


def test_a_lease_that_is_let_go_is_free_at_once(lease_of):
    first, second = lease_of("first"), lease_of("second")
    first.hold()
    first.release()
    assert second.hold()


def test_a_lease_that_is_back_at_an_earlier_state_is_noticed(lease_of, cluster):
    first = lease_of("first")
    first.hold()
    backup = cluster.get(LEASE, "watcher", namespace="portal")
    first.hold()
    assert not first.was_undone
    cluster.put(backup)
    assert first.hold()
    assert first.was_undone
    first.hold()
    assert not first.was_undone
    cluster.delete(LEASE, "watcher", namespace="portal")
    assert first.hold()
    assert first.was_undone


def test_a_lease_that_another_took_is_not_undone(lease_of, clock):
    first, second = lease_of("first"), lease_of("second")
    first.hold()
    second.hold()
    clock.now = 40
    assert second.hold()
    assert not first.hold()
    second.release()
    assert first.hold()
    assert not first.was_undone


def test_of_two_who_take_a_free_lease_one_gets_it(lease_of, cluster):
    lease_of("nobody").hold()
    lease_of("nobody").release()
    there = cluster.get(LEASE, "watcher", namespace="portal")
    first, second = lease_of("first"), lease_of("second")
    assert first._is_free(there)
    assert second._is_free(there)
    assert second.hold()
    assert not first.hold()


def test_a_watcher_that_hears_nothing_does_not_say_that_it_works(cluster):
    tended, stop = [], threading.Event()

    class Deaf(MemoryCluster):
        def watch(self, *_words, **_how):
            raise ClusterUnavailable("no right to watch")

    def tend(is_working):
        tended.append(is_working)

    def work(cluster):
        watcher = Watcher(
            cluster,
            [CONFIG_MAP],
            namespace="portal",
            identity="first",
            begin=lambda: None,
            tell=lambda _change: None,
            tend=tend,
            seconds=0.3,
            watch_seconds=0,
        )
        thread = threading.Thread(target=watcher.run, args=(stop,))
        thread.start()
        return thread

    thread = work(Deaf())
    stop.wait(1)
    assert True not in tended
    stop.set()
    thread.join()
    stop.clear()
    thread = work(cluster)
    while True not in tended:
        stop.wait(0.05)
    stop.set()
    thread.join()
    assert tended[-1] is False


@pytest.fixture
def work(cluster):
    """Have a watcher work until it left a mark; what it heard."""

    def run(board, *kinds):
        heard, stop = Heard(), threading.Event()

        def tend(is_working):
            if is_working and not stop.is_set():
                # Once more round, so that it leaves its mark.
                threading.Timer(0.3, stop.set).start()

        Watcher(
            cluster,
            kinds or [CONFIG_MAP],
            namespace="portal",
            identity="first",
            begin=heard.begin,
            tell=heard,
            tend=tend,
            marks=board,
            seconds=0.3,
            watch_seconds=0,
        ).run(stop)
        return list(dict.fromkeys(heard))

    return run


def test_a_successor_goes_on_where_the_last_one_was(cluster, work):
    board = Board()
    cluster.apply(config_map("tool-hat", "hat"))
    cluster.apply(config_map("tool-hat", "cap"))
    assert work(board) == ["BEGIN"]
    cluster.delete(CONFIG_MAP, "hat", namespace="tool-hat")
    cluster.apply(config_map("tool-hat", "fez"))
    assert work(board) == [("DELETED", "hat"), ("ADDED", "fez")]
    assert work(board) == []


def test_of_a_kind_that_is_new_the_successor_begins(cluster, work):
    board = Board()
    work(board)
    cluster.apply(config_map("tool-hat", "hat"))
    assert sorted(map(str, work(board, CONFIG_MAP, DEPLOYMENT))) == ["('ADDED', 'hat')", "BEGIN"]


def test_a_successor_begins_anew_where_history_is_forgotten(cluster, work):
    board = Board()
    work(board)
    cluster.apply(config_map("tool-hat", "hat"))
    cluster.forget_history()
    assert work(board) == ["BEGIN"]


def test_a_mark_of_another_cluster_or_of_a_later_state_is_not_trusted(cluster, work):
    board = Board()
    work(board)
    lease = board.mark.lease
    for strange in (replace(lease, uid="another's"), replace(lease, version=lease.version + 1000)):
        board.mark = Mark(strange, board.mark.positions)
        assert work(board) == ["BEGIN"]
    assert work(board) == []


def test_one_that_ends_before_it_left_a_mark_leaves_none_that_is_wrong(cluster, work):
    board = Board()
    work(board)
    lease = board.mark.lease
    board.mark = Mark(replace(lease, version=lease.version + 1000), board.mark.positions)

    def refuse():
        raise ClusterUnavailable("away")

    stop = threading.Event()
    threading.Timer(0.4, stop.set).start()
    watcher = Watcher(
        cluster,
        [CONFIG_MAP],
        namespace="portal",
        identity="first",
        begin=refuse,
        tell=lambda _change: None,
        marks=board,
        seconds=0.3,
        watch_seconds=0,
    )
    watcher.run(stop)
    assert board.mark.positions == {}
    assert work(board) == ["BEGIN"]


@pytest.fixture
def tools(ada, hat):
    cluster = add_cluster(name="tools", by=ada, at=NOW, **FIELDS)
    Tool.objects.filter(pk=hat.pk).update(cluster=cluster)
    hat.refresh_from_db()
    return cluster


def labelled(**labels):
    names = {f"portal.example.org/{name}": value for name, value in labels.items()}
    return {"metadata": {"name": "x", "labels": OURS | names}}


def test_clusters_are_watched_for_as_long_as_their_rows_say_so(tools):
    events = []

    def work(row, stop):
        events.append(f"begin {row.kubeconfig}")
        stop.wait(10)
        events.append(f"end {row.kubeconfig}")

    crew = Crew(work)
    tools.kubeconfig = "old"
    crew.attend([tools])
    crew.attend([tools])
    moved = copy(tools)
    moved.kubeconfig = "new"
    crew.attend([moved])
    crew.attend([])
    assert events == ["begin old", "end old", "begin new", "end new"]


def test_a_thread_that_ended_is_begun_anew(tools):
    begun = []
    crew = Crew(lambda _row, _stop: begun.append(threading.current_thread()))
    for number in (1, 2):
        crew.attend([tools])
        begun[-1].join()
        assert len(begun) == number


def test_the_mark_of_a_cluster_is_kept_and_replaced(tools):
    for version in (1, 2**60):
        mark = Mark(Stamp("4b8f", version), {"pods": str(version)})
        WatchMark.leave(tools.pk, mark)
        assert WatchMark.objects.get().mark == mark


def test_a_change_of_a_build_wakes_its_row(hat, alice, tools):
    build, _is_new = start_build(hat, by=alice, source=Source("https://git.example.org/a"), at=NOW)
    Build.objects.update(next_look_at=NOW + timedelta(hours=1))
    shown = labelled(tool="hat", role="build", build=build.name)
    assert wake(shown, cluster_id=tools.pk, now=NOW)
    assert Build.objects.get().next_look_at == NOW
    assert not wake(shown, cluster_id=tools.pk + 1, now=NOW)


def test_all_that_wait_are_woken_when_nobody_knows_what_was_missed(hat, alice, tools):
    start_build(hat, by=alice, source=Source("https://git.example.org/a"), at=NOW)
    webservice_of(hat, at=NOW)
    later = NOW + timedelta(minutes=5)
    Build.objects.update(next_look_at=later)
    Webservice.objects.update(next_look_at=later)
    assert wake_all(cluster_id=tools.pk + 1, now=NOW) == 0
    assert wake_all(cluster_id=tools.pk, now=NOW) == 2
    assert Build.objects.get().next_look_at == Webservice.objects.get().next_look_at == NOW
    Build.objects.update(next_look_at=None)
    assert wake_all(cluster_id=tools.pk, now=NOW) == 1
    assert Build.objects.get().next_look_at is None


def test_a_build_that_nobody_waits_for_is_left_alone(hat, alice, tools):
    start_build(hat, by=alice, source=Source("https://git.example.org/a"), at=NOW)
    Build.objects.update(next_look_at=None)
    shown = labelled(tool="hat", role="build", build="hat-1")
    assert not wake(shown, cluster_id=tools.pk, now=NOW)
    assert Build.objects.get().next_look_at is None


def test_a_change_of_a_pod_wakes_its_webservice(hat, tools):
    webservice_of(hat, at=NOW)
    Webservice.objects.update(next_look_at=NOW + timedelta(hours=1))
    assert wake(labelled(tool="hat", role="run"), cluster_id=tools.pk, now=NOW)
    assert Webservice.objects.get().next_look_at == NOW


@pytest.mark.parametrize(
    "labels",
    [{}, {"tool": "hat"}, {"tool": "hat", "build": "cap-1"}, {"tool": "x", "build": "x-../1"}],
)
def test_ugly_labels_wake_nothing(hat, tools, labels):
    assert not wake(labelled(**labels), cluster_id=tools.pk, now=NOW)


def test_the_watcher_is_started_where_there_is_a_cluster(db, ada):
    assert not has_clusters()
    add_cluster(name="made-up", by=ada, at=NOW, way="memory", **FIELDS)
    assert not has_clusters()
    add_cluster(name="tools", by=ada, at=NOW, **FIELDS)
    assert has_clusters()
