"""The registry of a cluster: how it is, whatever its kind."""

import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from portal.clusters import tasks
from portal.clusters.models import Cluster, RegistryPlace, RegistryState
from portal.clusters.operations import ClusterRefusedChange, add_cluster, edit_cluster
from portal.clusters.registries import look, pause_after
from tests.clusters.made_up import FIELDS
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


def test_everyone_sees_how_a_registry_is_and_not_why(with_harbor, harbor, client, api_of, mallory):
    look(with_harbor.registry_state, now=NOW)
    page = client.get(f"/clusters/{with_harbor.name}/").content.decode()
    assert "v2.13.1-6b0e9d5c" in page
    assert settings.VERSION in page
    shown = client.get(f"/api/v1/clusters/{with_harbor.name}/").json()
    assert shown["registry"] == {
        "host": with_harbor.registry,
        "kind": "harbor",
        "is_reachable": True,
        "since": "2026-05-04T12:00:00Z",
        "last_seen_at": "2026-05-04T12:00:00Z",
        "version": "v2.13.1-6b0e9d5c",
    }
    assert shown["portal_version"] == settings.VERSION
    harbor.broken = 503
    look(with_harbor.registry_state, now=later(1))
    for address in ("/clusters/", f"/clusters/{with_harbor.name}/"):
        assert b"answered 503" not in client.get(address).content
    assert api_of(mallory).get(f"/api/v1/clusters/{with_harbor.name}/registry/").status_code == 403


def test_a_registry_that_was_never_looked_at_is_no_error(ada, client):
    Cluster.objects.create(name="older", created_at=NOW, registry="127.0.0.1:1")
    for address in ("/clusters/", "/clusters/older/"):
        assert "not looked at yet" in client.get(address).content.decode()
    shown = client.get("/api/v1/clusters/older/").json()["registry"]
    assert (shown["is_reachable"], shown["version"]) == (None, None)


def test_administrators_see_what_is_wrong(with_harbor, harbor, client_of, api_of, ada):
    harbor.broken = 503
    look(with_harbor.registry_state, now=NOW)
    RegistryPlace.objects.update(trouble="Harbor answered 412", since=NOW)
    page = client_of(ada).get(f"/clusters/{with_harbor.name}/").content.decode()
    assert "answered 503" in page
    assert "no answer" in page
    assert "Harbor answered 412" in page
    place = f"/api/v1/clusters/{with_harbor.name}/registry/"
    shown = api_of(ada).get(place).json()
    assert "answered 503" in shown["trouble"]
    assert (shown["places"], shown["troubled"], shown["changing"]) == (1, 1, 0)
    [row] = api_of(ada).get(f"{place}places/", {"troubled": "true"}).json()["results"]
    assert (row["tool"], row["trouble"]) == ("hat", "Harbor answered 412")
    assert not any(word in str(row).lower() for word in ("encrypted", "secret", "robot"))


@pytest.mark.parametrize("tool", ["", "hat"])
def test_credentials_are_changed_by_a_button_over_rest_and_on_the_command_line(
    with_harbor, client_of, api_of, ada, tool
):
    def is_wanted():
        changed = RegistryPlace.objects.filter(is_rotating=True).update(is_rotating=False)
        return changed == 1

    client_of(ada).post(f"/clusters/{with_harbor.name}/rotate/", {"tool": tool})
    assert is_wanted()
    place = f"/api/v1/clusters/{with_harbor.name}/registry/rotate/"
    answer = api_of(ada).post(place, {"tool": tool}, format="json")
    assert (answer.status_code, answer.json(), is_wanted()) == (202, {"tools": 1}, True)
    call_command("rotate_registry_credentials", with_harbor.name, "--tool", tool)
    assert is_wanted()


def test_what_cannot_be_changed_is_said(with_harbor, client_of, api_of, alice, ada):
    place = f"/api/v1/clusters/{with_harbor.name}/registry/rotate/"
    answer = api_of(ada).post(place, {"tool": "nothing"}, format="json")
    assert (answer.status_code, "no place" in answer.json()["detail"]) == (422, True)
    page = client_of(ada).post(
        f"/clusters/{with_harbor.name}/rotate/", {"tool": "nothing"}, follow=True
    )
    assert "no place" in page.content.decode()
    for arguments in (["nothing"], [with_harbor.name, "--tool", "nothing"]):
        with pytest.raises(CommandError):
            call_command("rotate_registry_credentials", *arguments)
    assert api_of(alice).post(place, {}, format="json").status_code == 403
    assert not RegistryPlace.objects.filter(is_rotating=True).exists()
