"""The client where the network or the server fails, and while logs grow."""

import json

import httpx
import pytest

from builds import logs
from builds.models import Build
from builds.operations import Source, start_build
from builds.states import Status
from portal_cli import client, device
from portal_cli.client import Portal
from portal_cli.credentials import Credentials
from portal_cli.errors import Exit, NotSignedIn, Unavailable
from portal_cli.following import Output, Reader, build_log, follow
from portal_cli.output import clean
from tests.cli.conftest import SERVER
from tests.conftest import NOW


class Flaky(httpx.BaseTransport):
    """The real application behind a network that fails as the test says."""

    def __init__(self, inner, *troubles, after=False):
        self.inner, self.troubles, self.after, self.calls = inner, list(troubles), after, 0

    def handle_request(self, request):
        self.calls += 1
        trouble = self.troubles.pop(0) if self.troubles else None
        if self.after and isinstance(trouble, Exception):
            self.inner.handle_request(request).read()
        if isinstance(trouble, Exception):
            raise trouble
        return trouble or self.inner.handle_request(request)


LOST = httpx.ReadError("the connection was lost")


@pytest.fixture(autouse=True)
def slept(monkeypatch):
    """The seconds that the client would have waited."""
    seconds = []
    monkeypatch.setattr(client.time, "sleep", seconds.append)
    return seconds


def test_reading_is_repeated_when_the_connection_is_lost(alices, hat, transport):
    flaky = Flaky(transport, LOST, LOST)
    assert alices("tools", "show", "hat", through=flaky).exit_code == 0
    assert flaky.calls == 3


def test_a_network_that_stays_away_ends_with_its_own_exit_code(alices, hat, transport):
    done = alices("tools", "list", through=Flaky(transport, *[LOST] * 20))
    assert done.exit_code == Exit.UNAVAILABLE
    assert "cannot be reached" in done.stderr


def test_an_order_whose_answer_was_lost_is_repeated_and_gives_one_build(alices, hat, transport):
    done = alices("build", "start", "hat", through=Flaky(transport, LOST, after=True))
    assert done.exit_code == 0
    assert Build.objects.count() == 1


def test_what_is_not_safe_to_repeat_is_not(alices, hat, transport):
    flaky = Flaky(transport, LOST)
    done = alices("tools", "register", "scarf", "--title", "x", through=flaky)
    assert (done.exit_code, flaky.calls) == (Exit.UNAVAILABLE, 1)


def test_the_client_waits_as_long_as_it_is_asked_to(alices, hat, transport, slept):
    busy = httpx.Response(429, headers={"Retry-After": "7"}, json={"detail": "Too fast."})
    done = alices("tools", "show", "hat", through=Flaky(transport, busy))
    assert (done.exit_code, slept) == (0, [7.0])
    assert "wait 7 s" in done.stderr


@pytest.mark.parametrize("asked", ["100000", "soon", ""])
def test_it_does_not_wait_for_ever(alices, hat, transport, slept, asked):
    busy = httpx.Response(429, headers={"Retry-After": asked}, json={"detail": "Too fast."})
    done = alices("tools", "show", "hat", through=Flaky(transport, busy))
    assert (done.exit_code, slept) == (Exit.UNAVAILABLE, [])
    assert "Too fast." in done.stderr


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"detail": "\\u001b[2JGone."}'])
def test_an_answer_that_is_no_problem_is_said_plainly(alices, hat, transport, body):
    broken = httpx.Response(500, content=body)
    done = alices("tools", "show", "hat", through=Flaky(transport, broken))
    assert done.exit_code == Exit.UNAVAILABLE
    assert done.stderr.startswith("Error: ")
    assert "\x1b" not in done.stderr


def test_a_log_is_followed_over_lost_connections_without_losing_or_repeating(
    alices, hat, alice, transport
):
    build = start_build(hat, by=alice, source=Source("https://git.example.org/a"), at=NOW)[0]
    build.move_to(Status.RUNNING, at=NOW, started_at=NOW)
    pieces = [b"line 1\n", b"line 2\nline 3\n", b"caf\xc3\xa9\n"]
    portal = Portal(SERVER, transport=Flaky(transport, LOST, None, LOST, LOST, None))
    reader, got = Reader(), []

    def look():
        if pieces:
            logs.append(build, pieces.pop(0), secrets=[], at=NOW)
        elif build.status == Status.RUNNING:
            build.move_to(Status.SUCCEEDED, at=NOW, finished_at=NOW)
            logs.archive(build)
        lines = build_log(portal, "hat", 1, reader)
        got.extend(lines)
        return lines

    follow(look, lambda: reader.finished, sleep=lambda _seconds: None)
    assert got == ["line 1", "line 2", "line 3", "café"]


def test_a_character_that_is_cut_by_a_read_stays_whole():
    reader = Reader()
    data = "a\ncafé\n".encode()
    lines = [line for byte in data for line in reader.lines(bytes([byte]))]
    assert (lines, reader.offset) == (["a", "café"], len(data))


class Replicas(httpx.BaseTransport):
    """Answers with the output of replicas, as the test says."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def handle_request(self, request):
        self.asked.append(dict(request.url.params))
        replica, start, body = self.answers.pop(0)
        if replica is None:
            return httpx.Response(404, json={"detail": "Nothing runs."})
        headers = {"Log-Replica": replica, "Log-Offset": str(start)}
        return httpx.Response(200, headers=headers, content=body)


def test_output_goes_on_with_the_next_replica_when_one_is_gone(db):
    replicas = Replicas(("1", 90, b"a\nb"), ("1", 93, b"c\n"), (None, 0, b""), ("2", 0, b"d\n"))
    output = Output(Portal(SERVER, transport=replicas), "hat")
    assert [output.look() for _look in range(4)] == [["a"], ["bc"], [], ["d"]]
    assert replicas.asked == [
        {},
        {"offset": "93", "replica": "1"},
        {"offset": "95", "replica": "1"},
        {},
    ]


def test_output_that_was_deleted_meanwhile_is_skipped(db):
    output = Output(Portal(SERVER, transport=Replicas(("1", 0, b"a"), ("1", 50, b"b\n"))), "hat")
    assert [output.look(), output.look()] == [[], ["b"]]


class Identity(httpx.BaseTransport):
    """An identity provider's device flow (RFC 8628), with these answers to polls."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def handle_request(self, request):
        if request.url.path == device.CODE_URL:
            begun = {
                "device_code": "secret-device-code",
                "user_code": "BDWP-HQPK",
                "verification_uri": "http://localhost/device",
                "interval": 5,
                "expires_in": 60,
            }
            return httpx.Response(200, json=begun)
        self.asked.append(request.content.decode())
        status, body = self.answers.pop(0)
        return httpx.Response(status, json=body)


def signed_in(*answers):
    shown, slept = [], []
    http = httpx.Client(base_url=SERVER, transport=Identity(*answers))
    found = device.sign_in(http, show=lambda *said: shown.append(said), sleep=slept.append)
    return found, shown, slept


def test_a_code_in_a_browser_signs_in():
    pending, slower = {"error": "authorization_pending"}, {"error": "slow_down"}
    found, shown, slept = signed_in(
        (400, pending), (400, slower), (200, {"access_token": "t", "refresh_token": "r"})
    )
    assert found == Credentials("t", "r")
    assert shown == [("http://localhost/device", "BDWP-HQPK")]
    assert slept == [5, 5, 10]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("access_denied", "refused in the browser"),
        ("expired_token", "ran out"),
        ("invalid_grant", "invalid_grant"),
    ],
)
def test_a_sign_in_that_fails_says_why(error, words):
    with pytest.raises(NotSignedIn, match=words):
        signed_in((400, {"error": error}))


def test_a_code_that_nobody_enters_runs_out():
    with pytest.raises(NotSignedIn, match="ran out"):
        signed_in(*[(400, {"error": "authorization_pending"})] * 12)


def test_a_server_without_the_flow_says_what_else_to_do():
    html = httpx.MockTransport(lambda _request: httpx.Response(404, text="<html>"))
    http = httpx.Client(base_url=SERVER, transport=html)
    with pytest.raises(Unavailable, match="login --token"):
        device.sign_in(http, show=lambda *_said: None)


def test_a_token_that_ran_out_is_renewed_once(alices, alice, hat, transport, monkeypatch):
    portal = Portal(SERVER)
    good = portal.credentials.token
    portal.credentials = Credentials("cht_old", "refresh-1")

    def answer(request):
        if request.url.path == device.TOKEN_URL:
            return httpx.Response(200, json={"access_token": good, "refresh_token": "refresh-2"})
        return transport.handle_request(request)

    portal.http = httpx.Client(base_url=SERVER, transport=httpx.MockTransport(answer))
    assert portal.get("me/")["username"] == "alice"
    assert Portal(SERVER).credentials == Credentials(good, "refresh-2")


def test_colours_stay_and_other_escapes_go():
    assert clean("\x1b[31mred\x1b[0m\x1b[2J\x1b]0;title\x07\x00ok\tx") == (
        "\x1b[31mred\x1b[0m" + clean("\x1b]0;title\x07") + "ok\tx"
    )
    assert "\x1b" not in clean("\x1b]0;title\x07")
    assert json.loads(json.dumps(clean("é\u2028"))) == "é\u2028"
