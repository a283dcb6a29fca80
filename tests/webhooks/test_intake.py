"""Posts of forges: who signed, what was decided, and that nothing hostile breaks it."""

import base64
import hashlib
import hmac
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.db import connections
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from builds.models import Build
from builds.states import Status
from portal.tools.operations import edit_tool, set_status, set_variable
from portal.webhooks.models import Arrival
from portal.webhooks.operations import create_hook, edit_hook, rotate_secret
from portal.webhooks.tasks import clean_up
from tests.conftest import NOW
from tests.webhooks.conftest import COMMIT, Forge, github_push


def test_a_push_starts_a_build_of_its_commit(forge, hook):
    answer = forge.push()
    assert answer.status_code == 202
    assert answer.json()["reason"] == "started build hat-1"
    build = Build.objects.get()
    assert (build.ref, build.wanted_commit, build.trigger) == ("main", COMMIT, "webhook")
    assert build.source_url == "https://git.example.org/hat.git"
    assert build.deploy_when_built
    assert build.order({}).commit == COMMIT
    arrival = hook.arrivals.get()
    assert (arrival.decision, arrival.event, arrival.build) == ("started", "push", build)
    assert hook.tool.events.filter(action="build.started").exists()


def test_a_second_push_is_built_even_while_the_first_is_under_way(forge):
    forge.push(after="a" * 40)
    forge.push(after="b" * 40)
    commits = Build.objects.order_by("pk").values_list("wanted_commit", flat=True)
    assert list(commits) == ["a" * 40, "b" * 40]


def test_another_delivery_of_the_same_push_joins_the_build_under_way(forge):
    forge.push()
    assert "under way already" in forge.push().json()["reason"]
    assert Build.objects.count() == 1


def test_a_repeated_delivery_gets_the_first_decision(forge, hook):
    first = forge.send(github_push(), delivery="one")
    Build.objects.update(status=Status.FAILED)
    again = forge.send(github_push(), delivery="one")
    assert again.status_code == 200
    assert again.json() == {**first.json(), "repeated": True}
    assert Build.objects.count() == hook.arrivals.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_delivery_several_times_at_once_starts_one_build(forge, hook):
    body = json.dumps(github_push()).encode()
    headers = {
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": "one",
        "X-Hub-Signature-256": forge.sign(body),
    }
    start = threading.Barrier(4)

    def post(_number):
        start.wait()
        try:
            return Forge(hook, forge.secret).post(body, **headers).json()["repeated"]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(post, range(4))) == [False, True, True, True]
    assert Build.objects.count() == hook.arrivals.count() == 1


def test_the_signature_is_of_the_bytes_and_not_of_what_they_mean(forge):
    spaced = json.dumps(github_push(), indent=4, ensure_ascii=False).encode() + b"\n"
    assert forge.send(spaced).status_code == 202
    same_meaning = json.dumps(json.loads(spaced)).encode()
    signature = forge.sign(spaced)
    answer = forge.post(
        same_meaning, **{"X-GitHub-Event": "push", "X-Hub-Signature-256": signature}
    )
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "signature",
    ["", "sha256=", "sha256=" + "0" * 64, "sha1=" + "0" * 40, "ÿ", "sha256=\u00e9", "0"],
)
def test_a_wrong_signature_is_refused_and_noted(signature, forge, hook):
    answer = forge.post(
        json.dumps(github_push()), **{"X-GitHub-Event": "push", "X-Hub-Signature-256": signature}
    )
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    arrival = hook.arrivals.get()
    assert arrival.decision == "refused"
    assert "signature" in arrival.reason
    assert arrival.payload == ""
    assert not Build.objects.exists()


def test_who_cannot_sign_cannot_use_up_ids(forge):
    forge.post(b"{}", **{"X-GitHub-Event": "push", "X-GitHub-Delivery": "delivery-1"})
    assert forge.push().status_code == 202


def test_a_flood_without_signature_neither_fills_the_log_nor_shuts_the_forge_out(
    forge, hook, settings
):
    settings.HOOK_POSTS_PER_MINUTE = 3
    for _number in range(6):
        assert forge.post(b"{}").status_code == 401
    assert hook.arrivals.count() == 3
    assert forge.push().status_code == 202


def test_a_flood_with_signature_is_slowed_down(forge, hook, settings):
    settings.HOOK_POSTS_PER_MINUTE = 2
    forge.push()
    forge.push()
    answer = forge.push()
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")
    assert hook.arrivals.count() == 2


def test_the_secret_before_the_last_change_fits_for_a_while(forge, hook, alice):
    now = timezone.now()
    new = rotate_secret(hook, by=alice, at=now)
    assert forge.push().status_code == 202
    old, forge.secret = forge.secret, new
    assert forge.push().status_code == 202
    forge.secret = old
    type(hook).objects.update(previous_until=now - timedelta(seconds=1))
    assert forge.push().status_code == 401


def test_a_ping_is_answered(forge, hook):
    assert forge.send({"zen": "x"}, event="ping").json()["decision"] == "ping"
    assert hook.arrivals.get().reason == "ping; the secret is right"


def test_another_event_is_named(forge):
    answer = forge.send({}, event="issues")
    assert answer.status_code == 200
    assert "“issues”" in answer.json()["reason"]


def test_a_push_to_another_branch_is_ignored_in_words(forge):
    answer = forge.push("dev").json()
    assert answer["decision"] == "ignored"
    assert answer["reason"].startswith("ignored because the push was to “dev”")
    assert not Build.objects.exists()


def test_a_hook_that_is_switched_off_builds_nothing(forge, hook, alice):
    edit_hook(hook, by=alice, at=NOW, is_active=False)
    assert "switched off" in forge.push().json()["reason"]
    assert not Build.objects.exists()


def test_a_tool_that_is_disabled_is_not_built(forge, hat, ada):
    set_status(hat, "disabled", by=ada, at=NOW)
    answer = forge.push().json()
    assert answer["decision"] == "ignored"
    assert "not active" in answer["reason"]
    assert not Build.objects.exists()


def test_a_hook_without_deploy_does_not_deploy(forge, hook, alice):
    edit_hook(hook, by=alice, at=NOW, deploy=False)
    assert "not deployed" in forge.push().json()["reason"]
    assert not Build.objects.get().deploy_when_built


def test_a_push_of_another_repository_is_ignored(forge, hat, alice):
    edit_tool(hat, by=alice, at=NOW, version=1, repository="https://git.example.org/scarf.git")
    answer = forge.push().json()
    assert answer["decision"] == "ignored"
    assert "scarf" in answer["reason"]


def test_an_annotated_tag_is_built_at_its_commit(forge, hook, alice):
    edit_hook(hook, by=alice, at=NOW, builds_tags=True)
    tag = github_push("refs/tags/v1", after="c" * 40, head_commit={"id": COMMIT})
    assert forge.send(tag).status_code == 202
    build = Build.objects.get()
    assert (build.ref, build.wanted_commit) == ("v1", COMMIT)


def test_a_forced_push_is_built_though_its_files_are_not_known(forge, hook, alice):
    edit_hook(hook, by=alice, at=NOW, include=["web/**"])
    assert forge.push(files=["docs/a"]).json()["decision"] == "ignored"
    assert "forced" in forge.push(files=["docs/a"], forced=True).json()["reason"]


def test_a_form_with_the_payload_is_read_too(forge):
    body = urlencode({"payload": json.dumps(github_push())}).encode()
    answer = forge.send(body, type="application/x-www-form-urlencoded")
    assert answer.status_code == 202


def test_the_log_shows_the_payload_without_secrets(forge, hook, hat, alice):
    set_variable(hat, name="V", value="hunter2-“hunter2”", by=alice, at=NOW)
    forge.push(
        token="t0ps3cret",
        nested=[{"api_key": "k3y", "note": "uses hunter2-“hunter2” here", "nul": "a\0b"}],
        url="https://user:pa55@git.example.org/x",
        own=forge.secret,
    )
    payload = hook.arrivals.get().payload
    for secret in ("t0ps3cret", "k3y", "hunter2", "pa55", forge.secret, "\0"):
        assert secret not in payload
    assert "app.py" in payload


def test_a_long_payload_is_cut_in_the_log_and_still_decided_again(forge, hook, alice, client_of):
    files = [f"directory/{number:05}.txt" for number in range(4000)]
    edit_hook(hook, by=alice, at=NOW, include=["directory/03999.txt"])
    assert forge.push(files=files, padding="x" * 100_000).status_code == 202
    arrival = hook.arrivals.get()
    assert len(arrival.payload) < 70_000
    edit_hook(hook, by=alice, at=NOW, include=["other/**"])
    client_of(alice).post(f"/tools/hat/webhooks/{hook.pk}/deliveries/{arrival.pk}/redeliver/")
    again = hook.arrivals.first()
    assert (again.decision, again.asked_by) == ("ignored", alice)
    assert "4000 changed files" in again.reason


def test_a_body_that_is_too_large_is_refused(forge, settings):
    settings.HOOK_BODY_BYTES = 1000
    assert forge.push(padding="x" * 1000).status_code == 413


def test_an_address_that_is_not_there_is_404(forge, hook, client):
    hook.ident = "f" * 24
    assert forge.push().status_code == 404
    assert client.get(f"/hooks/hat/{hook.ident}/").status_code == 405


BROKEN = [
    b"",
    b"null",
    b"[]",
    b'"push"',
    b"{",
    b"\xff\xfe{}",
    b'{"a": 1, "a": 2}',
    b'{"a": NaN}',
    b'{"a": ' + b"9" * 5000 + b"}",
    b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"a":' + b'{"a":' * 60 + b"1" + b"}" * 61,
    b"payload=%7B%7D",
]


@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_payload_is_told_what_is_wrong_with_it(body, forge, hook):
    answer = forge.send(body)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("The payload")
    assert hook.arrivals.get().decision == "refused"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
NAMES = sorted(
    {
        *github_push(), *github_push()["repository"], "project", "refUpdate", "type", "object_kind",
        "eventCreatedOn", "total_commits_count", "added", "id", "refName", "newRev", "checkout_sha",
    }
)  # fmt: skip
SOMETHING_LIKE_A_PUSH = st.dictionaries(
    st.sampled_from(NAMES),
    ANYTHING | st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=4)
    | st.lists(st.dictionaries(st.sampled_from(NAMES), ANYTHING), max_size=2)
    | st.sampled_from(["push", "refs/heads/main", "refs/heads/\0", "\ud800", COMMIT]),
    max_size=8,
)  # fmt: skip


@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=SOMETHING_LIKE_A_PUSH, sender=st.sampled_from(["github", "gitlab", "gerrit"]))
def test_nothing_that_is_signed_breaks_it(data, sender, forge, hook, settings):
    settings.HOOK_POSTS_PER_MINUTE = 10_000
    hook.sender = sender
    type(hook).objects.update(sender=sender)
    answer = forge.send(
        data,
        **{"X-Gitlab-Token": forge.secret, "Authorization": f"Bearer {forge.secret}"},
    )
    assert answer.status_code in (200, 202, 400)


@hypothesis_settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.binary(max_size=60))
def test_no_bytes_break_it(body, forge, settings):
    settings.HOOK_POSTS_PER_MINUTE = 10_000
    assert forge.send(body).status_code in (200, 400)


# --- GitLab ---------------------------------------------------------------------------------
def gitlab_push(**more):
    return {
        "object_kind": "push",
        "ref": "refs/heads/main",
        "after": COMMIT,
        "checkout_sha": COMMIT,
        "project": {"git_http_url": "https://git.example.org/hat.git"},
        "commits": [{"added": ["app.py"], "modified": [], "removed": ["old.py"]}],
        "total_commits_count": 1,
        **more,
    }


@pytest.fixture
def gitlab(hat, alice):
    return Forge(*create_hook(hat, sender="gitlab", by=alice, at=NOW))


def test_gitlab_is_known_by_its_token(gitlab):
    body = json.dumps(gitlab_push())
    named = {"X-Gitlab-Event-UUID": "13792a34-cac6-4fda-95a8-c58e00a3954e"}
    assert gitlab.post(body, **named).status_code == 401
    assert gitlab.post(body, **named, **{"X-Gitlab-Token": "wrong"}).status_code == 401
    right = {**named, "X-Gitlab-Token": gitlab.secret}
    assert gitlab.post(body, **right).status_code == 202
    assert gitlab.post(body, **right).json()["repeated"]
    assert Build.objects.get().wanted_commit == COMMIT


def signed(secret, body, *, sent_at, ident="msg_1"):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    stamp = str(int(sent_at.timestamp()))
    digest = hmac.new(key, f"{ident}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": ident,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def test_gitlab_is_known_by_its_signature(gitlab):
    body = json.dumps(gitlab_push()).encode()
    headers = signed(gitlab.secret, body, sent_at=timezone.now())
    assert gitlab.post(body, **headers).status_code == 202
    assert gitlab.post(body, **headers).json()["repeated"]
    assert gitlab.post(body + b" ", **headers).status_code == 401
    token_too = {**headers, "webhook-signature": "v1,AAAA", "X-Gitlab-Token": gitlab.secret}
    assert gitlab.post(body, **token_too).status_code == 401


@pytest.mark.parametrize("minutes", [-10, 10])
def test_an_old_signature_is_refused(gitlab, minutes):
    body = json.dumps(gitlab_push()).encode()
    sent_at = timezone.now() + timedelta(minutes=minutes)
    answer = gitlab.post(body, **signed(gitlab.secret, body, sent_at=sent_at))
    assert answer.status_code == 400
    assert "another time" in answer.json()["detail"]


def test_gitlab_that_lists_only_some_commits_is_built(gitlab, hat, alice):
    edit_hook(gitlab.hook, by=alice, at=NOW, include=["web/**"])
    token = {"X-Gitlab-Token": gitlab.secret}
    few = gitlab.post(json.dumps(gitlab_push()), **token, **{"Idempotency-Key": "1"})
    assert few.json()["decision"] == "ignored"
    many = json.dumps(gitlab_push(total_commits_count=50))
    more = gitlab.post(many, **token, **{"Idempotency-Key": "2"})
    assert "more commits than GitLab lists" in more.json()["reason"]


def test_a_deleted_branch_at_gitlab_is_ignored(gitlab):
    body = json.dumps(gitlab_push(after="0" * 40, checkout_sha=None, commits=[]))
    answer = gitlab.post(body, **{"X-Gitlab-Token": gitlab.secret})
    assert "deleted" in answer.json()["reason"]


# --- Gerrit ---------------------------------------------------------------------------------
@pytest.fixture
def gerrit(hat, alice):
    edit_tool(
        hat, by=alice, at=NOW, version=1, repository="https://gerrit.example.org/r/labs/tools/hat"
    )
    return Forge(*create_hook(hat, sender="gerrit", by=alice, at=NOW))


def gerrit_update(ref="refs/heads/master", *, sent_at, **more):
    return json.dumps(
        {
            "type": "ref-updated",
            "refUpdate": {
                "refName": ref, "newRev": COMMIT, "oldRev": "0" * 40, "project": "labs/tools/hat",
            },
            "eventCreatedOn": int(sent_at.timestamp()),
            **more,
        }
    )  # fmt: skip


def test_gerrit_is_known_by_its_token(gerrit):
    body = gerrit_update(sent_at=timezone.now())
    assert gerrit.post(body).status_code == 401
    assert gerrit.post(body, Authorization="Bearer wrong").status_code == 401
    right = {"Authorization": f"Bearer {gerrit.secret}"}
    assert gerrit.post(body, **right).status_code == 202
    assert gerrit.post(body, **right).json()["repeated"]
    assert Build.objects.get().ref == "master"


def test_changes_at_gerrit_and_old_posts_are_not_built(gerrit):
    right = {"Authorization": f"Bearer {gerrit.secret}"}
    now = timezone.now()
    change = gerrit.post(gerrit_update("refs/changes/01/1/1", sent_at=now), **right)
    assert "neither" in change.json()["reason"]
    old = gerrit.post(gerrit_update(sent_at=now - timedelta(hours=1)), **right)
    assert old.status_code == 400
    other = gerrit.post(gerrit_update(sent_at=now, type="change-merged"), **right)
    assert "“change-merged”" in other.json()["reason"]
    assert not Build.objects.exists()


def test_old_deliveries_are_forgotten(forge, hook, settings):
    forge.push()
    forge.push("dev")
    old = timezone.now() - timedelta(days=settings.DELIVERIES_KEPT_DAYS + 1)
    Arrival.objects.filter(pk=hook.arrivals.first().pk).update(at=old)
    clean_up()
    assert hook.arrivals.count() == 1
