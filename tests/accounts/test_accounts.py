"""Users, tokens, the development identity, declared permissions."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.test import RequestFactory
from django.urls import get_resolver, path
from rest_framework.test import APIClient

from portal.accounts import checks
from portal.accounts.checks import OURS, views
from portal.accounts.models import ApiToken, User
from portal.accounts.permissions import ANY_TOKEN, RECORDS, RUNNING, TOOLS, requires
from portal.tools.models import AuditEvent
from tests.conftest import NOW


def test_a_token_acts_for_its_user(alice, api_of, hat):
    assert api_of(alice).get("/api/v1/tools/?mine=1").json()["results"][0]["name"] == "hat"


def test_only_a_digest_of_a_token_is_stored(alice):
    token, value = ApiToken.issue(alice, name="x", at=NOW)
    assert value.startswith("cht_")
    assert value not in str(ApiToken.objects.values().get())
    assert str(token) == f"{value[:10]}… (x)"


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer ", "bearer cht_" + "x" * 40])
def test_a_wrong_token_is_401_and_says_how(client, db, header):
    answer = client.get("/api/v1/tools/", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "tokens page" in answer.json()["detail"]


def test_an_expired_token_and_one_of_a_suspended_user_work_no_longer(alice, api_of):
    client = api_of(alice)
    ApiToken.objects.update(expires_at=NOW)
    assert client.get("/api/v1/tools/").status_code == 401
    ApiToken.objects.update(expires_at=None)
    assert client.get("/api/v1/tools/").status_code == 200
    User.objects.update(is_active=False)
    assert client.get("/api/v1/tools/").status_code == 401


def test_a_suspended_users_session_ends(alice, client_of):
    client = client_of(alice)
    User.objects.update(is_active=False)
    assert client.get("/accounts/tokens/").status_code == 302


def test_the_last_use_is_noted_once_a_minute(alice):
    token, _value = ApiToken.issue(alice, name="x", at=NOW)
    for seconds in (0, 30, 90):
        token.note_use(NOW + timedelta(seconds=seconds))
        token.refresh_from_db()
    assert token.last_used_at == NOW + timedelta(seconds=90)


def test_a_token_is_shown_once(alice, client_of):
    client = client_of(alice)
    answer = client.post(
        "/accounts/tokens/", {"name": "mine", "days": 30, "scopes": ["read"]}
    ).content.decode()
    assert "cht_" in answer.split("Copy the token now")[1][:200]
    assert "Copy the token now" not in client.get("/accounts/tokens/").content.decode()


def test_a_token_can_be_revoked_by_its_owner_only(alice, mallory, client_of):
    token, _value = ApiToken.issue(alice, name="x", at=NOW)
    address = f"/accounts/tokens/{token.pk}/revoke/"
    assert client_of(mallory).post(address).status_code == 404
    client_of(alice).post(address)
    assert not ApiToken.objects.exists()


def test_the_command_line_makes_a_token(db):
    out = StringIO()
    call_command("create_token", "alice", stdout=out)
    assert ApiToken.objects.get().digest == ApiToken.digest_of(out.getvalue().strip())


def test_the_command_line_makes_no_user_without_the_development_identity(db, settings):
    settings.DEVELOPMENT_IDENTITY = False
    with pytest.raises(CommandError, match="sign in once"):
        call_command("create_token", "alice")


def test_the_first_administrator_is_appointed_on_the_command_line(alice):
    call_command("appoint", "alice", "admin", stdout=StringIO())
    alice.refresh_from_db()
    assert alice.is_admin
    assert AuditEvent.objects.get().after == {"is_admin": True}
    call_command("appoint", "alice", "admin", "--take-back", stdout=StringIO())
    alice.refresh_from_db()
    assert not alice.is_admin
    with pytest.raises(CommandError, match="sign in once"):
        call_command("appoint", "bob", "admin")


def sign_in(client, name, **extra):
    return client.post("/accounts/development/", {"username": name, **extra})


@pytest.mark.parametrize(
    ("name", "admin", "workgroup"),
    [
        ("alice", False, False),
        ("wanda", False, True),
        ("ada", True, True),
        ("Alïcia Ж B", False, False),
    ],
)
def test_anyone_can_sign_in_with_the_development_identity(client, db, name, admin, workgroup):
    assert sign_in(client, name).url == "/"
    user = User.objects.get(username=name)
    assert (user.is_admin, user.is_workgroup) == (admin, workgroup)
    assert user.username.encode() in client.get("/").content


def test_the_same_name_is_the_same_user(client, alice):
    sign_in(client, "alice")
    client.post("/accounts/logout/")
    sign_in(client, "alice")
    assert User.objects.count() == 1


def test_signing_in_leads_back_but_not_away(client, db):
    assert sign_in(client, "bob", next="/status/").url == "/status/"
    assert sign_in(client, "bob", next="https://evil.example/").url == "/"


def test_the_session_changes_when_somebody_signs_in(client, db):
    client.get("/accounts/login/")
    before = client.session.session_key
    sign_in(client, "bob")
    assert client.session.session_key != before


def test_an_empty_name_is_refused_in_words(client, db):
    assert sign_in(client, "").url == "/accounts/login/"


def test_there_is_no_development_identity_without_debug(client, db, settings):
    settings.DEVELOPMENT_IDENTITY = False
    assert sign_in(client, "alice").status_code == 404
    assert b"No way to sign in" in client.get("/accounts/login/").content


def test_the_portal_does_not_start_with_it_without_debug(settings):
    settings.DEVELOPMENT_IDENTITY = True
    settings.DEBUG = False
    assert [each.id for each in checks.the_development_identity_needs_debug()] == ["portal.E002"]


def undeclared(request):
    return None


@pytest.mark.parametrize("module", ["builds.views", "allauth.account.views", "somewhere.views"])
def test_the_portal_does_not_start_with_a_view_that_declares_nothing(settings, monkeypatch, module):
    assert checks.every_view_declares_a_role() == []

    class Urls:
        urlpatterns = [path("x/", undeclared, name="x")]

    monkeypatch.setattr(undeclared, "__module__", module)
    settings.ROOT_URLCONF = Urls
    assert [each.id for each in checks.every_view_declares_a_role()] == ["portal.E001"]


def test_a_role_that_does_not_exist_cannot_be_declared():
    with pytest.raises(ValueError, match="unknown role"):
        requires("king")


def test_an_administrators_page_is_for_administrators(alice, ada):
    @requires("admin")
    def view(request):
        return "secret"

    request = RequestFactory().get("/")
    request.user = ada
    assert view(request) == "secret"
    request.user = alice
    with pytest.raises(PermissionDenied):
        view(request)


def test_administrators_may_look_at_everything(ada, client_of, hat):
    client = client_of(ada)
    for page in ("", "tools/tool/", "builds/build/", "webservices/webservice/", "accounts/user/"):
        assert client.get(f"/admin/{page}").status_code == 200
    assert client.get("/admin/builds/build/add/").status_code == 403


def test_a_token_does_what_its_scopes_say(hat, alice, wanda):
    def client(user, *scopes):
        _token, value = ApiToken.issue(user, name="x", at=NOW, scopes=scopes)
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {value}")
        return client

    reader, deployer, writer = (client(alice, each) for each in ("read", "deploy", "write"))
    assert reader.get("/api/v1/tools/hat/builds/").status_code == 200
    assert deployer.get("/api/v1/tools/hat/builds/").status_code == 200
    assert writer.get("/api/v1/tools/hat/builds/").status_code == 403
    refused = reader.post("/api/v1/tools/hat/builds/", {})
    assert refused.status_code == 403
    assert "“deploy”" in refused.json()["detail"]
    assert deployer.post("/api/v1/tools/hat/builds/", {}).status_code == 202
    value = {"name": "A", "value": "b"}
    assert deployer.post("/api/v1/tools/hat/variables/", value).status_code == 403
    assert writer.post("/api/v1/tools/hat/variables/", value).status_code == 201
    record = {"kind": "FT", "title": "T"}
    assert client(wanda, "write").post("/api/v1/records/", record).status_code == 403
    assert client(wanda, "stories:write").post("/api/v1/records/", record).status_code == 201
    assert client(wanda, "deploy").get("/api/v1/records/").status_code == 200


def test_every_rest_view_names_its_scopes():
    for route, view in views(get_resolver().url_patterns):
        if view.__module__.startswith(OURS) and route.startswith("api/"):
            assert view.scopes in (TOOLS, RUNNING, RECORDS, ANY_TOKEN), route


def test_a_token_is_made_with_chosen_scopes(client_of, alice):
    client = client_of(alice)
    client.post("/accounts/tokens/", {"name": "n", "days": 30, "scopes": ["read"]})
    assert ApiToken.objects.get().scopes == ["read"]
    client.post("/accounts/tokens/", {"name": "n", "days": 30, "scopes": ["everything"]})
    assert ApiToken.objects.count() == 1
