"""Toolforge's builds API: requests as its own client makes them."""

import asyncio
import json

import pytest
from django.db import connections
from django.test import AsyncClient
from django.utils import timezone

from builds import logs
from builds.models import Build, Image
from builds.operations import Source, cancel_build, start_build
from builds.reconcile import reconcile
from builds.states import Status
from builds.toolforge.api import document
from builds.toolforge.shapes import number_of
from portal.accounts.models import ApiToken
from portal.tools.models import AuditEvent
from portal.webservices.releases import make_release
from portal.webservices.retention import remove_old_images
from tests.conftest import NOW
from tests.engines import ScriptedBuilds

URL = "https://git.example.org/hat.git"
BASE = "/builds/v1/tool/hat"
ID = "hat-buildpacks-pipelinerun-1"
LOG = b"===> CLONE\nCloning\n===> BUILD\n<b>caf\xc3\xa9</b>\xe2\x80\xa8x\n===> FAILED: Oh.\n"


@pytest.fixture
def build(hat, alice):
    return start_build(hat, by=alice, source=Source(URL, "main"), at=NOW)[0]


@pytest.fixture
def done(build):
    build.move_to(Status.RUNNING, at=NOW, started_at=NOW)
    logs.append(build, LOG, secrets=[], at=NOW)
    build.move_to(Status.SUCCEEDED, at=NOW, finished_at=NOW, commit="c" * 40)
    logs.archive(build)
    image_of(build)
    return build


def image_of(build, digest="d"):
    return Image.objects.create(
        tool=build.tool,
        build=build,
        digest="sha256:" + digest * 64,
        reference=f"oci:{build.name}",
        size=1024**3,
        processes={"web": ["serve"]},
        default_process="web",
        created_at=NOW,
    )


class Store:
    def __init__(self):
        self.kept = None

    def keep_images(self, tool, digests):
        self.kept = digests
        return 1


def lines_of(text):
    return [json.loads(line) for line in text.decode().splitlines()]


def test_a_build_is_started_as_toolforges_client_does(hat, alice, api_of):
    answer = api_of(alice).post(f"{BASE}/builds", {"source_url": URL, "ref": "main"})
    assert answer.status_code == 200
    assert answer.json()["new_build"] == {
        "name": ID,
        "resolved_ref": "",
        "parameters": {
            "source_url": URL,
            "ref": "main",
            "envvars": {},
            "image_name": "tool-hat",
            "use_latest_versions": True,
        },
    }
    assert answer.json()["messages"] == {"info": [], "warning": [], "error": []}
    assert Build.objects.get().trigger == "token"


def test_a_build_is_shown_with_every_field_that_the_client_reads(done, alice, api_of):
    shown = api_of(alice).get(f"{BASE}/builds/{ID}").json()["build"]
    assert shown == {
        "build_id": ID,
        "status": "BUILD_SUCCESS",
        "message": "Succeeded",
        "start_time": "2026-05-04T12:00:00+00:00",
        "end_time": "2026-05-04T12:00:00+00:00",
        "parameters": shown["parameters"],
        "destination_image": "oci:hat-1@sha256:" + "d" * 64,
        "resolved_ref": "c" * 40,
    }


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("queued", "BUILD_PENDING"),
        ("running", "BUILD_RUNNING"),
        ("failed", "BUILD_FAILURE"),
        ("cancelled", "BUILD_CANCELLED"),
        ("timed-out", "BUILD_TIMEOUT"),
    ],
)
def test_a_status_has_toolforges_word(build, alice, api_of, status, word):
    Build.objects.update(status=status)
    assert api_of(alice).get(f"{BASE}/builds/latest").json()["build"]["status"] == word


def test_builds_are_listed_newest_first(done, hat, alice, api_of):
    start_build(hat, by=alice, source=Source(URL), at=NOW)
    answer = api_of(alice).get(f"{BASE}/builds").json()
    numbers = [each["build_id"].rpartition("-")[2] for each in answer["builds"]]
    assert numbers == ["2", "1"]
    assert answer["messages"]["warning"] == []


def test_a_list_costs_the_same_queries_however_long_it_is(
    hat, alice, api_of, django_assert_num_queries
):
    rows = [
        Build(tool=hat, number=n, status="failed", source_url=URL, created_at=NOW)
        for n in range(1, 1003)
    ]
    Build.objects.bulk_create(rows)
    client = api_of(alice)
    client.get(f"{BASE}/builds")
    with django_assert_num_queries(3):
        answer = client.get(f"{BASE}/builds").json()
    assert len(answer["builds"]) == 1000
    assert "newest 1000" in answer["messages"]["warning"][0]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "source_url: This field is required."),
        ({"source_url": "file:///etc/passwd"}, "source_url: Use an https address"),
        ({"source_url": URL, "ref": "--upload-pack=x"}, "must not begin with a hyphen"),
        ({"source_url": URL, "envvars": {"1X": "y"}}, "variables: 1X: Use letters"),
        ({"source_url": URL, "envvars": {"LD_PRELOAD": "y"}}, "The platform sets this"),
        ({"source_url": URL, "envvars": {"OK": "a\0b"}}, "Null characters are not allowed"),
        ({"source_url": URL, "image_name": "other"}, "image_name: A build makes one image"),
        ({"source_url": URL, "use_latest_versions": "perhaps"}, "Must be a valid boolean"),
        ([], "Invalid data"),
    ],
)
def test_a_bad_parameter_is_400_in_a_bare_object_of_messages(hat, alice, api_of, body, words):
    answer = api_of(alice).post(f"{BASE}/builds", body)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert words in " ".join(answer.json()["error"])
    assert not Build.objects.exists()


def test_text_that_is_no_json_is_400(hat, alice, api_of):
    answer = api_of(alice).post(f"{BASE}/builds", b"{", content_type="application/json")
    assert answer.status_code == 400
    assert "JSON" in answer.json()["error"][0]


def test_the_usual_image_name_is_taken_and_old_versions_are_warned_of(hat, alice, api_of):
    body = {"source_url": URL, "image_name": "tool-hat", "use_deprecated_versions": True}
    answer = api_of(alice).post(f"{BASE}/builds", body)
    assert answer.status_code == 200
    assert "no effect" in answer.json()["messages"]["warning"][0]


def test_nobody_is_401_and_a_stranger_finds_nothing(build, mallory, client, api_of):
    answer = client.get(f"{BASE}/builds", headers={"X-Toolforge-Tool": "hat"})
    assert (answer.status_code, list(answer.json())) == (401, ["error"])
    foreign = api_of(mallory).get(f"{BASE}/builds", headers={"X-Toolforge-Tool": "hat"})
    assert (foreign.status_code, list(foreign.json())) == (404, ["error"])


def test_a_token_that_may_only_read_starts_nothing(hat, alice, client):
    value = ApiToken.issue(alice, name="x", at=NOW, scopes=["read"])[1]
    headers = {"Authorization": f"Bearer {value}"}
    assert client.get(f"{BASE}/builds", headers=headers).status_code == 200
    answer = client.post(f"{BASE}/builds", {"source_url": URL}, headers=headers)
    assert answer.status_code == 403
    assert "scope" in answer.json()["error"][0]


@pytest.mark.parametrize(
    "name",
    ["hat-2", "scarf-buildpacks-pipelinerun-1", f"{ID}0", "hat-buildpacks-pipelinerun-", "٣"],
)
def test_a_build_that_is_not_there_is_404(build, alice, api_of, name):
    client = api_of(alice)
    for answer in (
        client.get(f"{BASE}/builds/{name}"),
        client.get(f"{BASE}/builds/{name}/logs"),
        client.put(f"{BASE}/builds/{name}/cancel"),
        client.delete(f"{BASE}/builds/{name}"),
    ):
        assert (answer.status_code, list(answer.json())) == (404, ["error"])


def test_an_id_is_a_number_within_bounds():
    assert number_of(ID, tool_name="hat") == 1
    assert number_of("hat-buildpacks-pipelinerun-" + "9" * 40, tool_name="hat") is None
    assert number_of("hat-buildpacks-pipelinerun-²", tool_name="hat") is None


def test_no_builds_are_404_with_toolforges_words(hat, alice, api_of):
    answer = api_of(alice).get(f"{BASE}/builds/latest")
    assert (answer.status_code, answer.json()) == (404, {"error": ["No builds exist yet."]})


def test_a_build_is_cancelled_once(build, alice, api_of):
    client = api_of(alice)
    answer = client.put(f"{BASE}/builds/{ID}/cancel")
    assert (answer.status_code, answer.json()["id"]) == (200, ID)
    assert client.put(f"{BASE}/builds/{ID}/cancel").status_code == 409


def test_an_ended_build_is_not_cancelled(done, alice, api_of):
    answer = api_of(alice).put(f"{BASE}/builds/{ID}/cancel")
    assert (answer.status_code, list(answer.json())) == (409, ["error"])


def test_a_deleted_build_is_gone_here_and_stays_in_the_history(done, alice, api_of):
    client = api_of(alice)
    assert client.delete(f"{BASE}/builds/{ID}").json()["id"] == ID
    assert client.get(f"{BASE}/builds").json()["builds"] == []
    assert client.get(f"{BASE}/builds/{ID}").status_code == 404
    assert client.get("/api/v1/tools/hat/builds/1/").status_code == 200
    assert AuditEvent.objects.filter(action="build.hidden", actor=alice).count() == 1
    store = Store()
    remove_old_images(store=store, now=NOW)
    assert store.kept == set()
    assert Image.objects.get().removed_at == NOW


def test_deleting_a_build_that_runs_ends_it(build, alice, api_of):
    build.move_to(Status.RUNNING, at=NOW, started_at=NOW)
    api_of(alice).delete(f"{BASE}/builds/{ID}")
    build.refresh_from_db()
    assert (build.stop_as, build.is_hidden) == (Status.CANCELLED, True)


def test_clean_gives_up_what_no_release_needs(done, hat, alice, api_of):
    make_release(done.image, process_type="web", by=alice, note="x", at=NOW)
    second = start_build(hat, by=alice, source=Source(URL), at=NOW)[0]
    second.move_to(Status.FAILED, at=NOW, finished_at=NOW)
    image_of(second, "e")
    answer = api_of(alice).post(f"{BASE}/clean")
    assert "2 images were given up" in answer.json()["messages"]["info"][0]
    store = Store()
    remove_old_images(store=store, now=NOW)
    assert store.kept == {"sha256:" + "d" * 64}
    assert Image.objects.get(build=second).removed_at == NOW
    assert Image.objects.get(build=done).removed_at is None


def test_quotas_are_texts(done, alice, api_of):
    quota = api_of(alice).get(f"{BASE}/quotas").json()["quota"]
    storage, images = quota["categories"][0]["items"]
    assert (storage["name"], storage["used"], storage["limit"]) == (
        "Storage",
        "1.00Gi",
        "unlimited",
    )
    assert (images["used"], images["available"], images["capacity"]) == ("1", "4", "20%")


def test_a_log_is_one_object_a_line_that_any_client_splits_alike(done, alice, api_of):
    # Toolforge's client sends the word as Python writes it.
    answer = api_of(alice).get(f"{BASE}/builds/{ID}/logs?follow=False")
    assert answer.headers["Content-Type"] == "text/plain"
    body = answer.getvalue()
    assert body.isascii()
    assert [each["line"] for each in lines_of(body)] == [
        "[clone] ===> CLONE",
        "[clone] Cloning",
        "[build] ===> BUILD",
        "[build] <b>café</b>\u2028x",
        "[build] ===> FAILED: Oh.",
    ]


def test_the_log_of_a_build_that_waits_says_so(build, alice, api_of):
    body = api_of(alice).get(f"{BASE}/builds/{ID}/logs").getvalue()
    assert "number 1 in the queue" in lines_of(body)[0]["line"]


def test_a_log_that_cannot_be_read_ends_with_a_message(done, alice, api_of):
    logs._storage().delete("hat/1.log.gz")
    body = api_of(alice).get(f"{BASE}/builds/{ID}/logs").getvalue()
    assert lines_of(body) == [{"message": "The log cannot be read now. Try again."}]


def test_a_word_that_is_no_yes_or_no_is_400(done, alice, api_of):
    assert api_of(alice).get(f"{BASE}/builds/{ID}/logs?follow=maybe").status_code == 400


@pytest.mark.django_db(transaction=True)
def test_a_log_is_followed_until_the_build_has_ended(build, alice):
    build.move_to(Status.RUNNING, at=NOW, started_at=NOW)
    value = ApiToken.issue(alice, name="x", at=NOW)[1]

    def end():
        logs.append(build, LOG, secrets=[], at=NOW)
        build.move_to(Status.FAILED, at=NOW, finished_at=NOW)
        connections.close_all()

    async def grow():
        await asyncio.sleep(0.2)
        await asyncio.to_thread(end)

    async def follow():
        headers = {"Authorization": f"Bearer {value}"}
        growing = asyncio.create_task(grow())
        answer = await AsyncClient().get(f"{BASE}/builds/{ID}/logs?follow=True", headers=headers)
        body = b"".join([part async for part in answer.streaming_content])
        await growing
        return body

    assert [each["line"][:7] for each in lines_of(asyncio.run(follow()))] == [
        "[clone]",
        "[clone]",
        "[build]",
        "[build]",
        "[build]",
    ]


def test_variables_of_a_build_reach_it_redacted_and_encrypted(hat, alice, api_of):
    client = api_of(alice)
    client.post(f"{BASE}/builds", {"source_url": URL, "envvars": {"KEY": "hunter2-hunter2"}})
    build = Build.objects.get()
    assert b"hunter2" not in bytes(build.encrypted_variables)
    shown = client.get(f"{BASE}/builds/latest").json()["build"]["parameters"]["envvars"]
    assert shown == {"KEY": "••••••"}
    engine = ScriptedBuilds(output={"hat-1": b"KEY is hunter2-hunter2\n"})
    for _look in range(3):
        reconcile(Build.objects.get(), engine=engine, now=timezone.now())
    assert engine.submitted[0].environment == {"KEY": "hunter2-hunter2"}
    build = Build.objects.get()
    assert b"hunter2" not in logs.read(build, offset=0, limit=100)
    assert build.log_size


def test_other_variables_for_a_build_under_way_are_a_conflict(hat, alice, api_of):
    client = api_of(alice)
    client.post(f"{BASE}/builds", {"source_url": URL, "envvars": {"KEY": "one"}})
    answer = client.post(f"{BASE}/builds", {"source_url": URL, "envvars": {"KEY": "two"}})
    assert (answer.status_code, list(answer.json())) == (409, ["error"])
    again = client.post(f"{BASE}/builds", {"source_url": URL, "envvars": {"KEY": "one"}})
    assert again.json()["new_build"]["name"] == ID


def test_a_tool_that_is_not_active_is_not_built(hat, alice, api_of):
    type(hat).objects.update(status="disabled")
    answer = api_of(alice).post(f"{BASE}/builds", {"source_url": URL})
    assert (answer.status_code, list(answer.json())) == (409, ["error"])


def test_a_cancelled_build_can_be_deleted(build, alice, api_of):
    cancel_build(build, by=alice, at=NOW)
    assert api_of(alice).delete(f"{BASE}/builds/{ID}").status_code == 200


def test_health_metrics_and_the_document_are_public(build, client):
    assert client.get("/builds/v1/healthz").json()["status"] == "OK"
    metrics = client.get("/builds/v1/metrics")
    assert b'builds_under_way{status="queued"} 1\n' in metrics.content
    got = client.get("/builds/openapi.json").json()
    assert got == document()
    assert "/v1/tool/{name}/builds/{build_id}/cancel" in got["paths"]
    assert "/builds/v1/tool/{name}/builds" not in client.get("/api/v1/schema/").content.decode()
