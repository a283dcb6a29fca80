"""The one way by which the portal itself calls out, against real servers."""

import socket
import threading
import time

import pytest

from portal.outgoing import CallFailed, CallRefused, call, check_url
from tests.internet import PUBLIC, Internet, Server, make_certificate

HOST = "hooks.example.org"
URL = f"https://{HOST}/hook?x=1"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("certificates"), HOST)


@pytest.fixture
def internet(monkeypatch, certificate):
    """A public host with a certificate that is trusted, and a secret server on loopback."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    internet = Internet(monkeypatch)
    internet.servers = {PUBLIC: Server(certificate), "127.0.0.1": Server()}
    internet.servers["127.0.0.1"].say(200, b"the inside")
    internet.name(HOST, [PUBLIC])
    yield internet
    internet.close()


@pytest.fixture
def server(internet):
    return internet.servers[PUBLIC]


def failure(url=URL, **options):
    with pytest.raises((CallRefused, CallFailed)) as caught:
        call("GET", url, **options)
    text = str(caught.value)
    assert text.endswith(".")
    assert not any(each in text for each in ("127.", "10.0", PUBLIC, "inside", "Errno"))
    return text


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.org",
        "http://hooks.example.org/",
        "ftp://hooks.example.org/",
        "file:///etc/passwd",
        "gopher://hooks.example.org/",
        "https://",
        "https:///path",
        "https://user:secret@hooks.example.org/",
        "https://hooks.example.org:22/",
        "https://hooks.example.org:0/",
        "https://hooks.example.org:99999/",
        "https://hooks.example.org:x/",
        "https://localhost/",
        "https://portal.localhost/",
        "https://db.internal/",
        "https://server/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://hooks.example.org\\@127.0.0.1/",
        "https://hooks.example.org/a b",
        "https://hooks.example.org/a\r\nX: y",
        "https://hooks.example.org/\0",
        "https://[broken/",
        "https://hooks.example.org/" + "a" * 1000,
    ],
)
def test_an_address_that_may_not_be_called_is_refused_before_anything_is_looked_up(url, internet):
    internet.names.clear()
    with pytest.raises(CallRefused):
        check_url(url)
    with pytest.raises(CallRefused):
        call("GET", url)
    assert internet.connections == []


def test_a_public_host_is_called_by_its_name(server):
    answer = call("POST", URL, content=b"raw \xff bytes", headers={"X-Own": "1"})
    assert (answer.status, answer.body, answer.is_cut, answer.is_public) == (
        200, b"thanks", False, True,
    )  # fmt: skip
    [(method, path, headers, body)] = server.requests
    assert (method, path, body) == ("POST", "/hook?x=1", b"raw \xff bytes")
    assert (headers["Host"], headers["X-Own"]) == (HOST, "1")


def test_a_name_that_changes_its_mind_leads_nowhere_else(internet, server):
    internet.name(HOST, [PUBLIC], ["127.0.0.1"])
    call("GET", URL)
    assert internet.connections == [(PUBLIC, 443)]
    assert len(server.requests) == 1
    assert internet.servers["127.0.0.1"].requests == []
    failure()
    assert internet.servers["127.0.0.1"].requests == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], [PUBLIC, "127.0.0.1"],
        ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["100.64.0.1"], ["0.0.0.0"],
    ],
)  # fmt: skip
def test_a_host_with_an_address_inside_is_not_called(addresses, internet):
    internet.name(HOST, addresses)
    refused = failure()
    assert internet.connections == []
    internet.names.clear()
    assert failure() == refused, "an unknown host must look the same as one on the inside"


def test_a_redirect_is_an_answer_and_not_followed(server, internet):
    server.say(302, Location="http://127.0.0.1/")
    assert call("GET", URL).status == 302
    assert internet.connections == [(PUBLIC, 443)]


def test_the_next_address_is_tried_when_one_refuses(internet, server):
    internet.name(HOST, ["8.8.8.8", PUBLIC])
    assert call("GET", URL).status == 200
    assert internet.connections == [("8.8.8.8", 443), (PUBLIC, 443)]


def test_a_certificate_of_another_name_is_not_accepted(internet):
    internet.name("other.example.org", [PUBLIC])
    assert "certificate" in failure("https://other.example.org/")


def test_a_certificate_that_nobody_vouches_for_is_not_accepted(internet, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    assert "certificate" in failure()


def test_a_server_without_tls_is_told_apart(internet):
    internet.servers[PUBLIC] = internet.servers["127.0.0.1"]
    assert "https" in failure(seconds=3)


def test_a_host_that_cannot_be_reached_is_told_so(internet):
    del internet.servers[PUBLIC]
    assert "could not be reached" in failure()


def test_a_large_answer_is_cut(server):
    server.say(200, b"x" * 100_000)
    answer = call("GET", URL, limit=1000)
    assert answer.is_cut
    assert len(answer.body) == 1000


def test_a_packed_answer_is_not_unpacked(server):
    server.say(200, b"\x1f\x8b" + b"z" * 50, **{"Content-Encoding": "gzip"})
    assert call("GET", URL).body.startswith(b"\x1f\x8b")
    assert server.requests[0][2]["Accept-Encoding"] == "identity"


def test_a_server_that_says_nothing_is_given_up(server):
    server.answer = lambda _handler: time.sleep(2)
    started = time.monotonic()
    assert "did not answer" in failure(seconds=0.5)
    assert time.monotonic() - started < 1.5


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_server_that_drips_cannot_hold_the_caller(server, head):
    def drip(handler):
        handler.wfile.write(head)
        for _number in range(40):
            handler.wfile.write(b"x")
            time.sleep(0.1)

    server.answer = drip
    started = time.monotonic()
    assert "did not answer" in failure(seconds=0.5)
    assert time.monotonic() - started < 1.5


def test_something_that_is_no_http_is_told_so(server):
    server.answer = lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.2 inside\r\n")
    assert "no HTTP" in failure()


def test_the_operators_proxy_variables_do_not_lead_calls_away(internet, server, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert call("GET", URL).status == 200
    assert internet.connections == [(PUBLIC, 443)]


def test_what_the_operator_trusts_need_not_be_public(internet, settings):
    internet.name("chat.internal", ["127.0.0.1"])
    settings.OUTGOING_TRUSTED_PREFIXES = ["http://chat.internal:8065/hooks/"]
    answer = call("GET", "http://chat.internal:8065/hooks/1")
    assert answer.body == b"the inside"
    assert not answer.is_public
    for url in (
        "http://chat.internal:8065/admin",
        "http://chat.internal:8065/hooks/../admin",
        "http://chat.internal:8065/hooks/%2e%2e/admin",
        "http://chat.internal.evil.org:8065/hooks/",
        "http://chat.internal:8065@evil.org/hooks/",
        "http://chat.internal/hooks/",
    ):
        with pytest.raises(CallRefused):
            check_url(url)


def test_other_ports_are_the_operators_choice(internet, settings):
    settings.OUTGOING_PORTS = [8443]
    assert call("GET", f"https://{HOST}:8443/").status == 200
    assert internet.connections == [(PUBLIC, 8443)]


def test_a_server_that_hangs_up_is_told_so(internet):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        internet.servers[PUBLIC].shutdown()
        internet.servers[PUBLIC].server_close()
        internet.servers[PUBLIC] = _Port(listener.getsockname()[1])
        threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
        assert failure(seconds=3)


class _Port:
    def __init__(self, port):
        self.server_port = port

    def shutdown(self):
        pass

    server_close = shutdown
