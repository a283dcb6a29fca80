"""API tokens: for one tool or all, with an end, rotated, revoked, made by other tokens."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from portal.accounts.models import ApiToken
from portal.tools.models import AuditEvent
from portal.tools.operations import register_tool
from tests.conftest import NOW


def client_with(value):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {value}")
    return client


@pytest.fixture
def token_of():
    def make(user, *scopes, **facts):
        token, value = ApiToken.issue(
            user, name="x", at=timezone.now(), scopes=scopes or None, **facts
        )
        return token, client_with(value)

    return make


@pytest.fixture
def scarf(alice):
    return register_tool("scarf", by=alice, at=NOW, title="Scarf")


def test_a_token_for_one_tool_sees_only_that_tool(alice, hat, scarf, token_of):
    _token, client = token_of(alice, tool_name="hat")
    assert client.get("/api/v1/tools/hat/").status_code == 200
    assert client.get("/api/v1/tools/hat/builds/").status_code == 200
    elsewhere = ["tools/scarf/", "tools/scarf/builds/", "tools/none/", "tools/", "records/"]
    for path in [*elsewhere, "tokens/", "sessions/"]:
        assert client.get(f"/api/v1/{path}").status_code == 403, path
    answer = client.get("/api/v1/tools/scarf/")
    assert "“hat” only" in answer.json()["detail"]
    assert answer.json() | {"instance": ""} == client.get("/api/v1/tools/none/").json() | {
        "instance": ""
    }


def test_a_token_for_one_tool_gives_no_rights_to_it(mallory, hat, token_of):
    _token, client = token_of(mallory, tool_name="hat")
    assert client.get("/api/v1/tools/hat/builds/").status_code == 404


def test_an_administrators_token_for_one_tool_is_for_that_one(ada, hat, scarf, token_of):
    _token, client = token_of(ada, tool_name="hat")
    assert client.get("/api/v1/tools/hat/variables/").status_code == 200
    assert client.get("/api/v1/tools/scarf/variables/").status_code == 403


def test_tokens_are_made_listed_and_revoked_over_rest(alice, hat, api_of):
    client = api_of(alice)
    new = {"name": "ci", "scopes": ["deploy"], "tool": "hat", "expires_at": "2999-01-01T00:00:00Z"}
    made = client.post("/api/v1/tokens/", new)
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    assert client_with(made.json()["token"]).get("/api/v1/tools/hat/builds/").status_code == 200
    listed = client.get("/api/v1/tokens/").json()[0]
    assert (listed["name"], listed["tool"], listed["scopes"]) == ("ci", "hat", ["deploy"])
    assert "token" not in listed
    assert client.get(made.headers["Location"]).json() == listed | {
        "last_used_at": client.get(made.headers["Location"]).json()["last_used_at"],
        "last_used_from": "127.0.0.1",
    }
    assert client.delete(made.headers["Location"]).status_code == 204
    assert client_with(made.json()["token"]).get("/api/v1/tools/hat/").status_code == 401
    told = AuditEvent.objects.filter(action__startswith="token.").values_list("action", flat=True)
    assert set(told) == {"token.created", "token.revoked"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"tool": "none"}, "tool"),
        ({"tool": "hat"}, "tool"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
    ],
)
def test_what_is_wrong_with_a_wish_is_said(mallory, hat, api_of, change, field):
    wish = {"name": "n", "scopes": ["read"], **change}
    answer = api_of(mallory).post("/api/v1/tokens/", wish)
    assert answer.status_code in (400, 422)
    assert answer.json()["errors"][0]["field"].startswith(field)
    assert ApiToken.objects.count() == 1


def test_a_token_makes_none_that_may_more(alice, token_of):
    _token, client = token_of(alice, "write", "deploy")
    assert client.post("/api/v1/tokens/", {"name": "n", "scopes": ["write"]}).status_code == 201
    assert client.post("/api/v1/tokens/", {"name": "n", "scopes": ["read"]}).status_code == 201
    refused = client.post("/api/v1/tokens/", {"name": "n", "scopes": ["read", "stories:write"]})
    assert refused.status_code == 422
    assert "stories:write" in refused.json()["detail"]


def test_a_token_makes_none_that_outlives_it(alice, token_of):
    end = timezone.now() + timedelta(days=2)
    _token, client = token_of(alice, expires_at=end)
    wish = {"name": "n", "scopes": ["read"]}
    assert client.post("/api/v1/tokens/", wish).status_code == 422
    for days, status in ((3, 422), (1, 201)):
        until = (timezone.now() + timedelta(days=days)).isoformat()
        assert client.post("/api/v1/tokens/", {**wish, "expires_at": until}).status_code == status


def test_a_token_without_write_makes_none(alice, token_of):
    _token, client = token_of(alice, "read", "deploy")
    assert client.post("/api/v1/tokens/", {"name": "n", "scopes": ["read"]}).status_code == 403


def test_tokens_of_others_are_not_there(alice, mallory, token_of, api_of):
    token, _client = token_of(alice)
    client = api_of(mallory)
    for method, path in (("get", ""), ("delete", ""), ("post", "rotate/")):
        answer = getattr(client, method)(f"/api/v1/tokens/{token.pk}/{path}")
        assert answer.status_code == 404
    assert [each["name"] for each in client.get("/api/v1/tokens/").json()] == ["test"]


def test_a_rotated_token_works_on_for_the_chosen_time(alice, hat, api_of, token_of):
    ends = timezone.now() + timedelta(days=30)
    old, old_client = token_of(alice, "deploy", tool_name="hat", expires_at=ends)
    answer = api_of(alice).post(f"/api/v1/tokens/{old.pk}/rotate/", {"overlap": 3600})
    assert answer.status_code == 201
    new = ApiToken.objects.get(pk=answer.json()["id"])
    assert (new.name, new.scopes, new.tool_name) == ("x", ["deploy"], "hat")
    assert abs(new.expires_at - ends) < timedelta(minutes=1)
    for client in (old_client, client_with(answer.json()["token"])):
        assert client.get("/api/v1/tools/hat/").status_code == 200
    old.refresh_from_db()
    assert timedelta(minutes=59) < old.expires_at - timezone.now() <= timedelta(hours=1)
    ApiToken.objects.filter(pk=old.pk).update(expires_at=timezone.now())
    assert old_client.get("/api/v1/tools/hat/").status_code == 401
    event = AuditEvent.objects.get(action="token.rotated")
    assert event.after["successor"] == new.prefix


def test_a_rotation_does_not_lengthen_the_life_of_the_old_token(alice, api_of, token_of):
    soon = timezone.now() + timedelta(minutes=5)
    old, _client = token_of(alice, expires_at=soon)
    api_of(alice).post(f"/api/v1/tokens/{old.pk}/rotate/", {"overlap": 3600})
    old.refresh_from_db()
    assert old.expires_at == soon


def test_without_an_overlap_the_old_token_stops(alice, api_of, token_of):
    old, old_client = token_of(alice)
    api_of(alice).post(f"/api/v1/tokens/{old.pk}/rotate/", {})
    assert old_client.get("/api/v1/tools/").status_code == 401


def test_a_token_may_rotate_itself_but_no_stronger_one(alice, token_of):
    weak, weak_client = token_of(alice, "write")
    strong, _client = token_of(alice)
    refused = weak_client.post(f"/api/v1/tokens/{strong.pk}/rotate/", {})
    assert refused.status_code == 422
    assert weak_client.post(f"/api/v1/tokens/{weak.pk}/rotate/", {}).status_code == 201


@pytest.mark.parametrize("overlap", [-1, 30 * 86400 + 1, "long", None])
def test_an_overlap_has_limits(alice, api_of, token_of, overlap):
    old, _client = token_of(alice)
    answer = api_of(alice).post(f"/api/v1/tokens/{old.pk}/rotate/", {"overlap": overlap})
    assert answer.status_code == 400


def test_a_token_that_has_ended_is_not_rotated(alice, api_of, token_of):
    old, _client = token_of(alice, expires_at=timezone.now())
    assert api_of(alice).post(f"/api/v1/tokens/{old.pk}/rotate/", {}).status_code == 409


def test_when_and_from_where_a_token_was_used_is_shown(alice, token_of, client_of):
    _token, client = token_of(alice)
    client.get("/api/v1/tools/", REMOTE_ADDR="2001:db8::7")
    page = client_of(alice).get("/accounts/tokens/").content.decode()
    assert "from 2001:db8::7" in page


def test_a_server_on_a_socket_file_knows_no_address(alice, token_of):
    token, client = token_of(alice)
    assert client.get("/api/v1/tools/", REMOTE_ADDR="").status_code == 200
    token.refresh_from_db()
    assert token.last_used_from is None


def test_a_person_makes_and_rotates_tokens_in_a_browser(alice, mallory, hat, client_of):
    client = client_of(alice)
    form = {"name": "ci", "days": 30, "scopes": ["deploy"], "tool": "hat"}
    assert "cht_" in client.post("/accounts/tokens/", form).content.decode()
    token = ApiToken.objects.get()
    assert token.tool_name == "hat"
    answer = client.post(f"/accounts/tokens/{token.pk}/rotate/", {"overlap": 24})
    assert "Copy the token now" in answer.content.decode()
    assert ApiToken.objects.count() == 2
    other = client_of(mallory)
    assert other.post(f"/accounts/tokens/{token.pk}/rotate/", {"overlap": 0}).status_code == 404
    assert other.post("/accounts/tokens/", form).status_code == 200
    assert ApiToken.objects.count() == 2


def test_an_ended_token_is_shown_as_such(alice, token_of, client_of):
    token_of(alice, expires_at=timezone.now() - timedelta(days=1))
    assert "ended" in client_of(alice).get("/accounts/tokens/").content.decode()
