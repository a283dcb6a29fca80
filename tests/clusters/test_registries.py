"""The registry of a cluster: how it is, whatever its kind."""

import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from portal.clusters import tasks
from portal.clusters.models import Cluster, RegistryState
from portal.clusters.operations import ClusterRefusedChange, add_cluster, edit_cluster
from portal.clusters.registries import look, pause_after
from tests.clusters.test_clusters import FIELDS
from tests.conftest import NOW
from tests.registries import account, cluster_with, harbor, with_harbor

__all__ = ["account", "harbor", "with_harbor"]


def later(minutes):
    return NOW + timedelta(minutes=minutes)


def test_a_harbor_is_known_with_its_version(with_harbor):
    state = with_harbor.registry_state
    look(state, now=NOW)
    state.refresh_from_db()
    assert (state.is_reachable, state.since, state.version) == (True, NOW, "v2.13.1-6b0e9d5c")
    assert state.trouble == ""


def test_one_that_is_away_is_said_with_since_when_and_comes_back(with_harbor, harbor):
    state = with_harbor.registry_state
    look(state, now=NOW)
    harbor.broken = 503
    look(state, now=later(1))
    look(state, now=later(2))
    state.refresh_from_db()
    assert (state.is_reachable, state.since, state.failures) == (False, later(1), 2)
    assert (state.last_seen_at, "503" in state.trouble) == (NOW, True)
    harbor.broken = 0
    look(state, now=later(3))
    assert (state.is_reachable, state.since, state.failures) == (True, later(3), 0)


def test_a_part_that_is_ill_is_said_while_the_rest_goes_on(with_harbor, harbor):
    harbor.ill = {"registry"}
    look(with_harbor.registry_state, now=NOW)
    assert with_harbor.registry_state.is_reachable
    assert "registry failed to ping" in with_harbor.registry_state.trouble


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("portal", "not one line name:password"),
        ("portal:wrong", "does not accept"),
        ("", "not one line"),
    ],
)
def test_an_account_that_does_not_fit_is_said(with_harbor, account, text, words):
    if text is None:
        account.unlink()
    else:
        account.write_text(text)
    look(with_harbor.registry_state, now=NOW)
    assert with_harbor.registry_state.is_reachable is False
    assert words in with_harbor.registry_state.trouble


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"harbor_account_file": ""}, "harbor_account_file"),
        ({"registry": "harbor.example.org/below"}, "registry"),
        ({"registry_kind": "other"}, "registry_kind"),
    ],
)
def test_what_no_harbor_can_be_is_refused(ada, fields, field):
    given = FIELDS | {"registry_kind": "harbor", "harbor_account_file": "/x"} | fields
    with pytest.raises(ClusterRefusedChange) as refused:
        add_cluster(name="tools", by=ada, at=NOW, **given)
    assert refused.value.field == field


class Distribution(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self):
        self.send_response(self.status)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        if self.status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_args):
        """Tests say what went wrong."""


@pytest.fixture
def distribution(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Distribution)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("status", [200, 401, 500])
def test_any_other_registry_is_known_by_what_it_speaks(distribution, ada, status, monkeypatch):
    monkeypatch.setattr(Distribution, "status", status)
    state = cluster_with(distribution, by=ada).registry_state
    look(state, now=NOW)
    assert state.is_reachable is (status == 200)
    assert state.version == ("registry/2.0" if status == 200 else "")


def test_credentials_that_are_no_json_are_trouble_and_no_crash(
    distribution, ada, tmp_path, monkeypatch
):
    monkeypatch.setattr(Distribution, "status", 401)
    file = tmp_path / "config.json"
    file.write_text("{")
    state = cluster_with(distribution, by=ada, push_credentials_file=str(file)).registry_state
    look(state, now=NOW)
    assert (state.is_reachable, bool(state.trouble)) == (False, True)


def test_the_pause_doubles_and_has_an_end():
    first, most = timedelta(seconds=30), timedelta(minutes=5)
    pauses = [pause_after(number, first=first, most=most) for number in (0, 1, 2, 3, 4, 10_000)]
    assert [pause.total_seconds() for pause in pauses] == [30, 60, 120, 240, 300, 300]


def test_each_registry_is_looked_at_by_a_task_of_its_own(with_harbor, monkeypatch):
    Cluster.objects.create(name="older", created_at=NOW, registry="127.0.0.1:1")
    asked = []
    monkeypatch.setattr(tasks.look_at_registry, "delay", lambda *, state_id: asked.append(state_id))
    tasks.look_at_registries()
    assert sorted(asked) == sorted(RegistryState.objects.values_list("pk", flat=True))
    assert len(asked) == 2


def test_a_look_that_comes_twice_is_taken_once(with_harbor, harbor):
    number = with_harbor.registry_state.pk
    for _time in range(2):
        tasks.look_at_registry(state_id=number)
    assert [path for _method, path in harbor.asked].count("/api/v2.0/systeminfo") == 1
    tasks.look_at_registry(state_id=0)


def test_another_registry_is_looked_at_right_away(with_harbor, ada):
    tasks.look_at_registry(state_id=with_harbor.registry_state.pk)
    edit_cluster(with_harbor, by=ada, at=NOW, registry_is_insecure=False)
    assert RegistryState.objects.get().next_look_at == NOW
