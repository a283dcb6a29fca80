"""Device login: a command line gets a token because somebody in a browser says so."""

from urllib.parse import urlencode

import pytest
from allauth.idp.oidc.models import Token
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from portal.accounts.device import CLIENT_ID, register_client
from portal.accounts.models import User
from portal.accounts.tasks import forget_ended_tokens
from portal.tools.models import AuditEvent

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
EVERYTHING = {"read", "deploy", "write", "stories:read", "stories:write"}


class CommandLine:
    """What a command line does, with nothing but HTTP."""

    def __init__(self):
        self.client, self.tokens = Client(), {}

    def post(self, place, **form):
        kind = "application/x-www-form-urlencoded"
        data = urlencode({"client_id": CLIENT_ID, **form})
        return self.client.post(f"/identity/o/api/{place}", data, content_type=kind)

    def begin(self, scope="read deploy"):
        answer = self.post("device/code", **({"scope": scope} if scope else {}))
        self.asked = answer.json()
        return answer

    def poll(self):
        # As if the interval had passed.
        key = f"allauth.idp.oidc.device_code[{self.asked['device_code']}]"
        if waiting := cache.get(key):
            cache.set(key, {**waiting, "last_poll_at": 0}, timeout=300)
        answer = self.post("token", grant_type=GRANT, device_code=self.asked["device_code"])
        if answer.status_code == 200:
            self.tokens = answer.json()
        return answer

    def renew(self):
        refresh = self.tokens["refresh_token"]
        answer = self.post("token", grant_type="refresh_token", refresh_token=refresh)
        if answer.status_code == 200:
            self.tokens = answer.json()
        return answer

    @property
    def api(self):
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {self.tokens['access_token']}")
        return client


@pytest.fixture
def command_line(db):
    return CommandLine()


def say(browser, command_line, answer):
    form = {"code": command_line.asked["user_code"], "answer": answer}
    return browser.post("/identity/o/device", form)


@pytest.fixture
def signed_in(command_line, alice, client_of):
    command_line.begin()
    say(client_of(alice), command_line, "allow")
    command_line.poll()
    return command_line


def test_a_command_line_signs_in(command_line, alice, client_of, hat):
    assert command_line.begin().status_code == 200
    assert command_line.poll().json()["error"] == "authorization_pending"
    browser = client_of(alice)
    page = browser.get(command_line.asked["verification_uri_complete"]).content.decode()
    assert command_line.asked["user_code"] in page
    assert "build, deploy, start and stop" in page
    assert "change tools" not in page
    assert "is signed in" in say(browser, command_line, "allow").content.decode()
    assert command_line.poll().status_code == 200
    assert set(command_line.tokens["scope"].split()) == {"read", "deploy"}
    mine = command_line.api.get("/api/v1/tools/?mine=1").json()["results"]
    assert [tool["name"] for tool in mine] == ["hat"]
    event = AuditEvent.objects.get(action="account.command_line_allowed")
    assert event.actor == alice


def test_its_scopes_are_kept_to(signed_in, hat):
    assert signed_in.api.get("/api/v1/tools/hat/builds/").status_code == 200
    refused = signed_in.api.post("/api/v1/tools/hat/variables/", {"name": "A", "value": "b"})
    assert refused.status_code == 403
    assert "“write”" in refused.json()["detail"]


def test_without_scopes_it_asks_for_all(command_line, alice, client_of):
    command_line.begin(scope="")
    say(client_of(alice), command_line, "allow")
    assert set(command_line.poll().json()["scope"].split()) == EVERYTHING


def test_a_scope_that_there_is_not_is_refused(command_line):
    assert command_line.begin(scope="read everything").status_code == 400


def test_who_refuses_gives_nothing(command_line, alice, client_of):
    command_line.begin()
    assert "was refused" in say(client_of(alice), command_line, "decline").content.decode()
    assert command_line.poll().json()["error"] == "access_denied"


def test_a_code_is_answered_once(signed_in, mallory, client_of):
    assert say(client_of(mallory), signed_in, "allow").status_code == 404
    assert signed_in.poll().status_code == 400


@pytest.mark.parametrize("code", ["XXXX-XXXX", "", " ", "<b>", "%00", "x" * 500])
def test_a_code_that_nobody_waits_with_is_said_in_words(alice, client_of, code, db):
    browser = client_of(alice)
    for answer in (
        browser.get("/identity/o/device", {"code": code}),
        browser.post("/identity/o/device", {"code": code, "answer": "allow"}),
    ):
        assert answer.status_code in (200, 404)
        assert "Code that the command line shows" in answer.content.decode()


def test_a_code_may_be_typed_carelessly(command_line, alice, client_of):
    command_line.begin()
    careless = f" {command_line.asked['user_code'].lower()} "
    page = client_of(alice).get("/identity/o/device", {"code": careless})
    assert "It could then" in page.content.decode()


def test_who_is_not_signed_in_signs_in_first(command_line, client):
    command_line.begin()
    answer = client.get(command_line.asked["verification_uri_complete"])
    assert answer.status_code == 302
    assert "identity%2Fo%2Fdevice" in answer.url.replace("/", "%2F")


def test_a_forged_request_allows_nothing(command_line, alice):
    command_line.begin()
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    assert say(browser, command_line, "allow").status_code == 403
    assert command_line.poll().json()["error"] == "authorization_pending"


def test_looking_at_the_page_allows_nothing(command_line, alice, client_of):
    command_line.begin()
    client_of(alice).get(command_line.asked["verification_uri_complete"] + "&answer=allow")
    assert command_line.poll().json()["error"] == "authorization_pending"


def test_impatience_is_slowed_down(command_line):
    command_line.begin()
    form = {"grant_type": GRANT, "device_code": command_line.asked["device_code"]}
    answers = [command_line.post("token", **form) for _ in range(2)]
    assert [each.json()["error"] for each in answers] == ["authorization_pending", "slow_down"]


def test_its_token_is_renewed_and_the_old_one_of_both_works_once(signed_in):
    used = signed_in.tokens["refresh_token"]
    assert signed_in.renew().status_code == 200
    assert signed_in.api.get("/api/v1/tokens/").status_code == 200
    signed_in.tokens["refresh_token"] = used
    assert signed_in.renew().status_code == 400


def test_a_suspended_persons_command_line_is_refused(signed_in):
    User.objects.update(is_active=False)
    assert signed_in.api.get("/api/v1/tokens/").status_code == 401
    assert signed_in.renew().status_code in (400, 401)


def test_a_token_that_is_wrong_is_401(signed_in):
    signed_in.tokens["access_token"] += "x"
    answer = signed_in.api.get("/api/v1/tools/")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_a_refresh_token_is_no_access_token(signed_in):
    signed_in.tokens["access_token"] = signed_in.tokens["refresh_token"]
    assert signed_in.api.get("/api/v1/tools/").status_code == 401


@pytest.mark.parametrize("address", ["/accounts/tokens/command-lines/", "/accounts/sessions/end/"])
def test_command_lines_can_be_signed_out_in_a_browser(signed_in, alice, client_of, address):
    browser = client_of(alice)
    assert "One command line is signed in" in browser.get("/accounts/tokens/").content.decode()
    browser.post(address)
    assert signed_in.api.get("/api/v1/tokens/").status_code == 401
    assert signed_in.renew().status_code == 400


def test_a_command_line_can_sign_itself_out(signed_in):
    assert signed_in.post("revoke", token=signed_in.tokens["refresh_token"]).status_code == 200
    assert signed_in.renew().status_code == 400


def test_it_makes_no_token_that_may_more_than_it_may(signed_in):
    new = {"name": "n", "scopes": ["write"]}
    assert signed_in.api.post("/api/v1/tokens/", new).status_code == 403


def test_tokens_that_have_ended_are_forgotten(signed_in):
    lasting = Token.objects.filter(expires_at=None).count()
    Token.objects.exclude(expires_at=None).update(expires_at=timezone.now())
    assert Token.objects.count() > lasting
    forget_ended_tokens()
    assert Token.objects.count() == lasting
    assert signed_in.renew().status_code == 200


def test_the_client_can_be_registered_again(db):
    register_client()
    register_client()
