"""What speaks the registry protocol, against servers that answer as registries do."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from portal.registry import LARGEST, Distribution, Look, Registry, RegistryError


class Server(ThreadingHTTPServer):
    """Wants a token for everything; tests say what it holds and how it answers."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.images = {"tool-hat/hat": ["sha256:1", "sha256:2"]}
        self.status, self.body, self.scopes = 0, b"{}", []
        self.delay = threading.Event()
        self.is_slow = False

    @property
    def host(self):
        return f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.server.is_slow:
            self.server.delay.wait(5)
        if self.path.startswith("/token"):
            return self.give_token()
        if self.headers.get("Authorization") != "Bearer good":
            return self.challenge()
        return self.send(self.server.status or 200, self.server.body)

    def do_DELETE(self):
        if self.headers.get("Authorization") != "Bearer good":
            return self.challenge()
        if self.server.status or self.headers.get("Cookie"):
            return self.send(self.server.status or 403, b"{}")
        repository, _, digest = self.path.removeprefix("/v2/").partition("/manifests/")
        known = self.server.images.get(repository, [])
        if digest not in known:
            return self.send(404, b"{}")
        known.remove(digest)
        return self.send(202, b"")

    def give_token(self):
        pair = base64.b64encode(b"robot:secret").decode()
        self.server.scopes.append(self.path.partition("scope=")[2])
        if self.headers.get("Authorization") != f"Basic {pair}":
            return self.send(401, b"{}")
        return self.send(200, b'{"token": "good"}')

    def challenge(self):
        action = "delete" if self.command == "DELETE" else "pull"
        words = f'realm="http://{self.server.host}/token",service="r",scope="x:{action}"'
        self.send(401, b"{}", {"WWW-Authenticate": f"Bearer {words}"})

    def send(self, status, body, headers=None):
        self.send_response(status)
        self.send_header("Set-Cookie", "sid=5f1d; Path=/")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        """Tests say what went wrong."""


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.delay.set()
    server.shutdown()
    server.server_close()
    thread.join()


def speak(server, *, password="secret", timeout=5.0):
    entry = {"username": "robot", "password": password}
    credentials = json.dumps({"auths": {server.host: entry}})
    registry = Registry(server.host, is_insecure=True, credentials=credentials)
    return Distribution(registry, timeout=httpx.Timeout(timeout))


def test_an_image_is_deleted_by_its_digest_and_one_that_is_gone_is_fine(server):
    with speak(server) as registry:
        for _time in range(2):
            registry.remove_image("tool-hat/hat", "sha256:1")
    assert server.images == {"tool-hat/hat": ["sha256:2"]}
    assert server.scopes[0] == "x%3Adelete"


def test_a_session_that_a_registry_gives_is_never_shown_to_it(server):
    with speak(server) as registry:
        registry.look()
        registry.remove_image("tool-hat/hat", "sha256:1")
    assert server.images == {"tool-hat/hat": ["sha256:2"]}


def test_a_registry_that_does_not_delete_says_how_it_would(server):
    server.status = 405
    with speak(server) as registry, pytest.raises(RegistryError, match="DELETE_ENABLED"):
        registry.remove_image("tool-hat/hat", "sha256:1")


@pytest.mark.parametrize("status", [400, 403, 500, 503])
def test_one_that_refuses_says_so(server, status):
    server.status = status
    with speak(server) as registry:
        with pytest.raises(RegistryError, match=str(status)):
            registry.remove_image("tool-hat/hat", "sha256:1")
        with pytest.raises(RegistryError, match=str(status)):
            registry.look()


def test_a_wrong_password_is_said(server):
    with speak(server, password="wrong") as registry, pytest.raises(RegistryError, match="401"):
        registry.look()


@pytest.mark.parametrize("body", [b"<html>", b"", b"[" * LARGEST + b"[["])
def test_what_is_no_manifest_is_said(server, body):
    server.body = body
    with speak(server) as registry, pytest.raises(RegistryError, match="answer on manifests/x"):
        registry.read("tool-hat/hat", "manifests/x")


def test_a_silent_one_is_given_up_on(server):
    server.is_slow = True
    with speak(server, timeout=0.2) as registry, pytest.raises(RegistryError, match="in time"):
        registry.look()


def test_one_that_is_not_there_is_said():
    registry = Distribution(Registry("127.0.0.1:1", is_insecure=True))
    with registry, pytest.raises(RegistryError, match="cannot be reached"):
        registry.look()


def test_one_that_answers_is_known(server):
    with speak(server) as registry:
        assert registry.look() == Look("v2")
