"""Pages and REST about the hooks that forges post to."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from builds.models import Build
from builds.states import Status
from portal.webhooks.models import Hook
from portal.webhooks.operations import WebhookRefused, create_hook
from tests.conftest import NOW
from tests.webhooks.conftest import GitHubForge

FIELDS = {"sender": "github", "branches": "main\nrelease/*", "deploy": "on", "is_active": "on"}


def page(client, path, data=None):
    answer = client.post(path, data) if data is not None else client.get(path)
    return answer.content.decode()


def test_a_hook_is_made_and_its_secret_shown_once(hat, alice, client_of):
    client = client_of(alice)
    text = page(client, "/tools/hat/webhooks/new/", FIELDS)
    hook = Hook.objects.get()
    [secret] = hook.secrets(NOW)
    assert secret in text
    assert hook.address in text
    assert hook.branches == ["main", "release/*"]
    assert secret not in page(client, f"/tools/hat/webhooks/{hook.pk}/")
    assert secret.encode() not in bytes(hook.encrypted_secret)
    assert GitHubForge(hook, secret).push("release/1").status_code == 202
    assert hat.events.filter(action="hook.created").exists()


def test_the_log_is_on_the_page_with_its_reasons(forge, hook, alice, client_of):
    forge.push("dev")
    forge.push()
    forge.post(b"{}")
    text = page(client_of(alice), f"/tools/hat/webhooks/{hook.pk}/")
    assert "ignored because the push was to “dev”" in text
    assert "started build hat-1" in text
    assert "there was no signature" in text
    assert "Last delivery" in page(client_of(alice), "/tools/hat/webhooks/")


def test_the_number_of_queries_does_not_grow_with_the_hooks(
    forge, hook, alice, client_of, django_assert_num_queries
):
    client = client_of(alice)
    forge.push()
    with CaptureQueriesContext(connection) as few:
        page(client, "/tools/hat/webhooks/")
    count = len(few)
    for _number in range(5):
        GitHubForge(*create_hook(hook.tool, sender="github", by=alice, at=NOW)).push("dev")
    with django_assert_num_queries(count):
        page(client, "/tools/hat/webhooks/")


def test_what_a_payload_holds_stays_text(forge, hook, alice, client_of):
    forge.push(note="<script>alert(1)</script>")
    number = hook.arrivals.get().pk
    text = page(client_of(alice), f"/tools/hat/webhooks/{hook.pk}/deliveries/{number}/")
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text


def test_settings_are_changed_with_what_was_before(hook, hat, alice, client_of):
    page(client_of(alice), f"/tools/hat/webhooks/{hook.pk}/", {**FIELDS, "include": "web/**"})
    hook.refresh_from_db()
    assert hook.include == ["web/**"]
    event = hat.events.filter(action="hook.edited").get()
    assert event.before["branches"] == ["main", "master"]


def test_a_new_secret_is_shown_once(hook, alice, client_of):
    text = page(client_of(alice), f"/tools/hat/webhooks/{hook.pk}/secret/", {})
    hook.refresh_from_db()
    assert hook.secrets(NOW)[0] in text
    assert hook.tool.events.filter(action="hook.secret-changed").exists()


def test_a_hook_that_is_deleted_answers_404(hook, forge, alice, client_of):
    client_of(alice).post(f"/tools/hat/webhooks/{hook.pk}/delete/")
    assert forge.push().status_code == 404


def test_redelivering_builds_anew(forge, hook, alice, client_of):
    forge.push()
    Build.objects.update(status=Status.FAILED)
    number = hook.arrivals.get().pk
    client_of(alice).post(f"/tools/hat/webhooks/{hook.pk}/deliveries/{number}/redeliver/")
    assert Build.objects.count() == 2
    assert Build.objects.first().actor == alice
    assert hook.tool.events.filter(action="hook.redelivered", actor=alice).exists()


def test_hooks_of_others_are_not_there(hook, forge, bob, mallory, client_of, api_of):
    forge.push()
    number = hook.arrivals.get().pk
    for user in (bob, mallory):
        for path in ("", "secret/", "delete/", f"deliveries/{number}/redeliver/"):
            address = f"/tools/hat/webhooks/{hook.pk}/{path}"
            assert client_of(user).post(address).status_code == 404
        assert api_of(user).get(f"/api/v1/tools/hat/hooks/{hook.pk}/").status_code == 404
    assert Build.objects.count() == 1


def test_a_hook_is_reached_through_its_own_tool_only(hook, forge, alice, client_of):
    forge.push()
    number = hook.arrivals.get().pk
    other, _secret = create_hook(hook.tool, sender="gitlab", by=alice, at=NOW)
    path = f"/tools/hat/webhooks/{other.pk}/deliveries/{number}/"
    assert client_of(alice).get(path).status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("branches", ["x"] * 3 + [str(n) for n in range(60)]),
        ("include", ["x" * 201]),
        ("exclude", ["a\nb"]),
        ("subdirectory", "../x"),
        ("sender", "bitbucket"),
    ],
)
def test_what_cannot_be_is_refused_by_field(field, value, hat, alice):
    with pytest.raises(WebhookRefused) as caught:
        create_hook(hat, by=alice, at=NOW, **{"sender": "github", field: value})
    assert caught.value.field == field


def test_there_is_a_limit_of_hooks(hat, alice, settings):
    settings.HOOKS_PER_TOOL = 1
    create_hook(hat, sender="github", by=alice, at=NOW)
    with pytest.raises(WebhookRefused, match="1 hooks at most"):
        create_hook(hat, sender="github", by=alice, at=NOW)


def test_the_api_can_do_what_the_pages_can(hat, alice, api_of):
    api = api_of(alice)
    made = api.post("/api/v1/tools/hat/hooks/", {"sender": "github", "branches": ["main"]})
    assert made.status_code == 201
    place, secret = f"/api/v1/tools/hat/hooks/{made.data['id']}/", made.data["secret"]
    assert "secret" not in api.get(place).data
    assert "secret" not in api.get("/api/v1/tools/hat/hooks/").data[0]
    forge = GitHubForge(Hook.objects.get(), secret)
    forge.push()
    [arrival] = api.get(f"{place}deliveries/").data["results"]
    assert (arrival["decision"], arrival["build"]) == ("started", 1)
    shown = api.get(f"{place}deliveries/{arrival['id']}/").data
    assert "app.py" in shown["payload"]
    again = api.post(f"{place}deliveries/{arrival['id']}/redeliver/")
    assert (again.status_code, again.data["asked_by"]) == (201, "alice")
    assert api.patch(place, {"deploy": False}).data["deploy"] is False
    assert api.patch(place, {"subdirectory": "/etc"}).status_code == 422
    assert api.post(f"{place}secret/").data["secret"] != secret
    assert api.delete(place).status_code == 204
    assert api.get(place).status_code == 404


def test_a_ping_cannot_be_delivered_again(forge, hook, alice, api_of):
    forge.send({}, event="ping")
    place = f"/api/v1/tools/hat/hooks/{hook.pk}/deliveries/{hook.arrivals.get().pk}/redeliver/"
    assert api_of(alice).post(place).status_code == 409
