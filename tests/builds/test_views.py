"""Pages and REST about builds: both call the same operations."""

import asyncio
import json

import pytest
from django.test import AsyncClient

from builds import logs
from builds.models import Build, Image
from builds.operations import Source, start_build
from builds.states import Status
from tests.conftest import NOW

URL = "https://git.example.org/hat.git"
STEPS = [
    {
        "name": "clone",
        "started_at": "2026-05-04T12:00:00+00:00",
        "finished_at": "2026-05-04T12:00:02+00:00",
        "succeeded": True,
    },
    {
        "name": "build",
        "started_at": "2026-05-04T12:00:02+00:00",
        "finished_at": None,
        "succeeded": None,
    },
]


@pytest.fixture
def build(hat, alice):
    return start_build(hat, by=alice, source=Source(URL), at=NOW)[0]


@pytest.fixture
def done(build):
    build.move_to(Status.RUNNING, at=NOW, started_at=NOW)
    logs.append(build, b"first\nsecond\n<script>alert(1)</script>\n", secrets=[], at=NOW)
    build.move_to(Status.SUCCEEDED, at=NOW, finished_at=NOW, steps=STEPS)
    Image.objects.create(
        tool=build.tool,
        build=build,
        digest="sha256:" + "d" * 64,
        reference="oci:hat-1",
        size=2048,
        processes={"web": ["serve", "--port"]},
        default_process="web",
        created_at=NOW,
    )
    return build


def text(answer):
    return (answer.getvalue() if answer.streaming else answer.content).decode()


def test_a_build_is_started_in_the_browser(hat, alice, client_of):
    client = client_of(alice)
    assert URL in text(client.get("/tools/hat/builds/start/"))
    answer = client.post("/tools/hat/builds/start/", {"source_url": URL, "ref": "main"})
    assert answer.url == "/tools/hat/builds/1/"
    assert Build.objects.get().ref == "main"


def test_a_second_click_leads_to_the_same_build(build, alice, client_of):
    answer = client_of(alice).post("/tools/hat/builds/start/", {"source_url": URL}, follow=True)
    assert "under way already" in text(answer)
    assert Build.objects.count() == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"source_url": "file:///etc"}, "Use an https address"),
        ({"source_url": URL, "ref": "--x"}, "must not begin with a hyphen"),
        ({"source_url": URL, "subdirectory": "../x"}, "must not contain .."),
        ({"ref": "main"}, "This field is required"),
    ],
)
def test_a_mistake_is_said_beside_its_field(hat, alice, client_of, data, words):
    assert words in text(client_of(alice).post("/tools/hat/builds/start/", data))
    assert not Build.objects.exists()


def test_a_waiting_build_says_why(build, alice, client_of):
    assert "Number 1 in the queue: it is about to start." in text(
        client_of(alice).get(build.get_absolute_url())
    )


def test_a_running_build_shows_its_steps_and_can_be_cancelled(build, alice, client_of):
    build.move_to(Status.RUNNING, at=NOW, started_at=NOW, steps=STEPS)
    client = client_of(alice)
    page = text(client.get("/tools/hat/builds/1/status/"))
    assert "step--succeeded" in page
    assert "step--running" in page
    client.post("/tools/hat/builds/1/cancel/")
    assert "Stopping" in text(client.get("/tools/hat/builds/1/"))


def test_a_finished_build_shows_what_it_made(done, alice, client_of):
    page = text(client_of(alice).get("/tools/hat/builds/1/"))
    assert "sha256:" + "d" * 64 in page
    assert "serve --port" in page
    assert "Deploy" in page


def test_an_ended_build_cannot_be_cancelled(done, alice, client_of):
    answer = client_of(alice).post("/tools/hat/builds/1/cancel/", follow=True)
    assert "ended already" in text(answer)


def test_a_step_says_how_long_it_usually_takes(done, hat, alice, client_of):
    second = start_build(hat, by=alice, source=Source(URL), at=NOW)[0]
    second.move_to(Status.RUNNING, at=NOW, started_at=NOW, steps=STEPS)
    assert "usually 2.0 s" in text(client_of(alice).get("/tools/hat/builds/2/"))


def test_a_failure_says_why(build, alice, client_of):
    build.move_to(Status.FAILED, at=NOW, reason_code="build-failed", reason="<b>Exit</b> 1.")
    page = text(client_of(alice).get("/tools/hat/builds/1/"))
    assert "&lt;b&gt;Exit&lt;/b&gt; 1." in page
    assert "build-failed" in page


@pytest.mark.parametrize(
    ("query", "headers", "status", "body"),
    [
        ("", {}, 200, "first\nsecond\n"),
        ("?offset=6", {}, 200, "second\n"),
        ("?offset=999", {}, 200, ""),
        (f"?offset={'9' * 5000}", {}, 200, "first\nsecond\n"),
        ("", {"Range": "bytes=0-4"}, 206, "first"),
        ("", {"Range": "bytes=6-"}, 206, "second\n"),
        ("", {"Range": "bytes=999-"}, 416, ""),
        ("", {"Range": f"bytes={'9' * 5000}-"}, 200, "first\nsecond\n"),
    ],
)
@pytest.mark.parametrize("prefix", ["/tools/hat/builds/1/log/", "/api/v1/tools/hat/builds/1/logs/"])
def test_a_log_is_read_from_anywhere(done, alice, client_of, prefix, query, headers, status, body):
    answer = client_of(alice).get(f"{prefix}{query}", headers=headers)
    assert answer.status_code == status
    assert text(answer).startswith(body)
    assert answer.headers["Content-Type"].startswith("text/") or status == 416


def test_a_log_is_text_and_never_a_page(done, alice, client_of):
    answer = client_of(alice).get("/tools/hat/builds/1/log/?download=1")
    assert "<script>" in text(answer)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert 'filename="hat-1.log"' in answer.headers["Content-Disposition"]


@pytest.mark.django_db(transaction=True)
def test_events_bring_the_lines_the_state_and_the_end(done, alice):
    async def events():
        client = AsyncClient()
        await client.aforce_login(alice)
        answer = await client.get("/tools/hat/builds/1/events/", headers={"Last-Event-ID": "6"})
        return answer, b"".join([part async for part in answer.streaming_content]).decode()

    answer, got = asyncio.run(events())
    assert answer.headers["Content-Type"] == "text/event-stream"
    lines = json.loads(got.split("data: ")[1].split("\n")[0])
    assert lines == ["second", "<script>alert(1)</script>"]
    assert '"status": "succeeded"' in got
    assert got.endswith("event: end\ndata: {}\n\n")


def test_a_build_is_started_over_rest(hat, alice, api_of):
    answer = api_of(alice).post("/api/v1/tools/hat/builds/", {}, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.headers["Location"]) == (202, "/api/v1/tools/hat/builds/1/")
    data = answer.json()
    assert (data["source_url"], data["trigger"], data["queue"]["position"]) == (URL, "token", 1)


def test_starting_twice_over_rest_gives_one_build(hat, alice, api_of):
    client = api_of(alice)
    numbers = {client.post("/api/v1/tools/hat/builds/", {}).json()["number"] for _n in range(3)}
    assert numbers == {1}


@pytest.mark.parametrize(
    ("body", "key", "status"),
    [
        ({"source_url": "file:///x"}, "", 422),
        ({"ref": "other"}, "k", 409),
        ({"deploy": "x"}, "", 400),
    ],
)
def test_a_refusal_over_rest_has_its_status(hat, alice, api_of, body, key, status):
    client = api_of(alice)
    client.post("/api/v1/tools/hat/builds/", {}, headers={"Idempotency-Key": "k"})
    answer = client.post("/api/v1/tools/hat/builds/", body, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["status"]) == (status, status)


def test_builds_are_listed_shown_and_cancelled_over_rest(done, hat, alice, api_of):
    client = api_of(alice)
    start_build(hat, by=alice, source=Source(URL), at=NOW)
    listed = client.get("/api/v1/tools/hat/builds/?status=succeeded").json()["results"]
    assert [(each["number"], each["image"]["size"]) for each in listed] == [(1, 2048)]
    assert client.get("/api/v1/tools/hat/builds/1/").json()["image"]["default_process"] == "web"
    assert client.post("/api/v1/tools/hat/builds/2/cancel/").status_code == 202
    assert client.post("/api/v1/tools/hat/builds/1/cancel/").status_code == 409
    assert client.get("/api/v1/tools/hat/builds/9/").status_code == 404
    assert client.get("/api/v1/tools/hat/builds/9/logs/").status_code == 404
