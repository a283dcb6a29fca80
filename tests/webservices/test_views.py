"""Pages and REST about webservices."""

import pytest

from portal.webservices import tasks
from portal.webservices.engines.base import Phase
from portal.webservices.engines.probe import Answer
from portal.webservices.models import Replica, Webservice
from portal.webservices.operations import deploy
from tests.conftest import NOW
from tests.engines import ScriptedReplicas


def text(answer):
    return answer.content.decode()


@pytest.fixture
def client(alice, client_of):
    return client_of(alice)


@pytest.fixture
def rest(alice, api_of):
    return api_of(alice)


@pytest.fixture
def live(image, alice, look):
    deploy(image, by=alice, at=NOW)
    return look(4)


def test_an_image_is_deployed_in_the_browser(image, client):
    answer = client.post("/tools/hat/webservice/deploy/", {"image": image.pk}, follow=True)
    assert "Release 1 starts" in text(answer)
    assert Webservice.objects.get().starting.number == 1


@pytest.mark.parametrize("pk", ["", "x", "999999"])
def test_an_image_that_is_not_there_cannot_be_deployed(hat, client, pk):
    assert client.post("/tools/hat/webservice/deploy/", {"image": pk}).status_code == 404


def test_a_refusal_is_said(make_image, client):
    image = make_image(processes={}, default="")
    answer = client.post("/tools/hat/webservice/deploy/", {"image": image.pk}, follow=True)
    assert "Procfile" in text(answer)


def test_what_runs_is_shown(live, client):
    page = text(client.get("/tools/hat/webservice/"))
    assert "http://hat.localhost:8001/" in page
    assert "HTTP 200" in page
    assert "Running" in text(client.get("/tools/hat/webservice/status/"))


def test_nothing_deployed_leads_to_a_build(hat, client):
    page = text(client.get("/tools/hat/webservice/"))
    assert "Nothing was deployed yet" in page
    assert "Build the tool first" in page


def test_a_failed_release_says_why_while_the_old_one_goes_on(
    live, image, alice, look, engine, client
):
    engine.becomes = Phase.STARTING
    deploy(image, by=alice, at=NOW)
    look(2)
    look(2, after=100)
    page = text(client.get("/tools/hat/webservice/"))
    assert "Release 2 failed." in page
    assert "Release 1 goes on serving." in page
    assert "output of hat-r2-0" in page


def test_it_is_stopped_started_and_restarted_in_the_browser(live, client):
    client.post("/tools/hat/webservice/stop/")
    assert not Webservice.objects.get().is_wanted
    client.post("/tools/hat/webservice/start/")
    assert Webservice.objects.get().starting.note == "started"
    client.post("/tools/hat/webservice/restart/")
    assert Webservice.objects.get().starting.note == "restarted"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"replicas": 2, "health_check_path": "/healthz"}, "Saved."),
        ({"replicas": 99, "health_check_path": "/"}, "Replicas: 99 asked for, hat may use 4."),
        ({"replicas": 1, "health_check_path": "x y"}, "Begin with /"),
    ],
)
def test_it_is_configured_in_the_browser(hat, client, data, words):
    answer = client.post("/tools/hat/webservice/configure/", data, follow=True)
    assert words in text(answer)


def test_output_of_nothing_is_not_there(hat, client):
    assert client.get("/tools/hat/webservice/log/").status_code == 404
    assert client.get("/api/v1/tools/hat/webservice/logs/").status_code == 404


def test_a_replicas_output_is_text(live, client, bob, client_of):
    replica = Replica.objects.get()
    for path in ("/tools/hat/webservice/log/", "/api/v1/tools/hat/webservice/logs/"):
        answer = client.get(f"{path}?replica={replica.pk}&offset=0&download=1")
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["Log-Offset"] == "0"
    assert client_of(bob).get("/tools/hat/webservice/log/").status_code == 404


def test_it_is_deployed_over_rest(image, rest):
    answer = rest.post("/api/v1/tools/hat/webservice/deploy/", {"build": image.build.number})
    assert (answer.status_code, answer.json()["number"]) == (202, 1)


def test_it_is_shown_over_rest(live, rest):
    data = rest.get("/api/v1/tools/hat/webservice/").json()
    assert (data["status"], data["live"]["number"]) == ("running", 1)
    assert data["running"][0]["probe_answer"] == "HTTP 200"
    releases = rest.get("/api/v1/tools/hat/webservice/releases/").json()["results"]
    assert [each["status"] for each in releases] == ["live"]


@pytest.mark.parametrize(
    ("verb", "data", "status"),
    [
        ("stop", {}, 202),
        ("start", {}, 202),
        ("restart", {}, 202),
        ("scale", {"replicas": 2}, 202),
        ("scale", {"replicas": 9}, 409),
        ("scale", {}, 400),
        ("deploy", {"build": 99}, 404),
        ("deploy", {"build": 1, "process_type": "worker"}, 409),
    ],
)
def test_each_verb_over_rest_answers_as_said(live, rest, verb, data, status):
    assert rest.post(f"/api/v1/tools/hat/webservice/{verb}/", data).status_code == status


def test_it_is_configured_over_rest(hat, rest):
    data = {"health_check_path": "/healthz"}
    answer = rest.patch("/api/v1/tools/hat/webservice/", data)
    assert (answer.status_code, answer.json()["health_check_path"]) == (200, "/healthz")


@pytest.fixture
def answering(monkeypatch):
    """An engine that asks a server of this test instead of the replica's port."""
    chosen = ScriptedReplicas()
    chosen.check = lambda order: Answer(False, 503, "<b>down</b>", 0.25)
    monkeypatch.setattr(tasks, "engine", lambda: chosen)


def test_the_health_check_is_tried_in_the_browser(live, client, answering):
    page = text(client.post("/tools/hat/webservice/check/"))
    assert "HTTP 503" in page
    assert "&lt;b&gt;down&lt;/b&gt;" in page
    assert "<html" in page
    fragment = text(client.post("/tools/hat/webservice/check/", headers={"HX-Request": "true"}))
    assert "HTTP 503" in fragment
    assert "<html" not in fragment


def test_the_health_check_is_tried_over_rest(live, rest, bob, api_of, answering):
    (answer,) = rest.post("/api/v1/tools/hat/webservice/check/").json()
    assert (answer["release"], answer["index"], answer["status"]) == (1, 0, 503)
    assert api_of(bob).post("/api/v1/tools/hat/webservice/check/").status_code == 404


def test_where_nothing_runs_nothing_is_asked(hat, rest):
    answer = rest.post("/api/v1/tools/hat/webservice/check/")
    assert (answer.status_code, "Nothing runs" in answer.json()["detail"]) == (409, True)
