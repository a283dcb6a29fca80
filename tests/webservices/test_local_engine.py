"""The local webservice engine: real keepers, real processes, real proxies."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from builds.lifecycle import enforcement
from builds.lifecycle.build import Built
from builds.lifecycle.buildpack import Buildpack, host_target
from builds.lifecycle.cache import Cache
from builds.lifecycle.cgroups import Cgroup
from builds.lifecycle.export import Exporter, Source
from builds.lifecycle.layers import Process
from builds.lifecycle.layout import Layout
from builds.lifecycle.oci import ImageStore
from portal.webservices.engines import proxy
from portal.webservices.engines.base import EngineError, Phase, ReplicaOrder
from portal.webservices.engines.local import LocalSettings, LocalWebserviceEngine
from portal.webservices.engines.shim import PIDS, RotatingLog

pytestmark = pytest.mark.skipif(
    enforcement.probe().mode != "namespaces",
    reason=f"no sandbox here: {enforcement.probe().means[0]}",
)
SERVER = """
import http.server, os, sys
print("secret is", os.environ.get("TOKEN"), flush=True)

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/exit":
            os._exit(3)
        status = 500 if self.path == "/broken" else 200
        body = (os.environ["NAME"] + " " + self.headers.get("X-Forwarded-For", "")).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
COMMANDS = {
    "web": "exec python3 -u server.py",
    "exits": "echo going; exit 4",
    "silent": "sleep 600",
    "chatty": "yes 'a line of some length' | head -n 600000; sleep 600",
    "busy": "echo going; while :; do :; done",
    "hungry": "echo going; python3 -c 'x = bytearray(200_000_000)'",
    "elsewhere": "python3 -m http.server --bind 127.0.0.1 $((PORT + 1))",
}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_for(check, *, seconds=20):
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    return tmp_path_factory.mktemp("webservices") / "state"


@pytest.fixture(scope="module")
def digest(state, tmp_path_factory):
    layout = Layout(tmp_path_factory.mktemp("build"))
    layout.make()
    (layout.workspace / "server.py").write_text(SERVER)
    processes = {kind: Process(kind, ("bash", "-c", line)) for kind, line in COMMANDS.items()}
    built = Built((Buildpack("test/one", "1", "0.10", Path("/")),), [], processes, "web")
    store = ImageStore(state / "images" / "hat")
    exporter = Exporter(layout, store, target=host_target(), restored={})
    return exporter.export(built, Source("", ""), tag="hat-1", cache=Cache(state / "c")).digest


@pytest.fixture
def engine(state):
    return LocalWebserviceEngine(LocalSettings(state=state))


@pytest.fixture
def replica(engine, digest):
    """Submits a replica; all are gone when the test ends."""
    orders = []

    def submit(kind="web", **changes):
        order = ReplicaOrder(
            name=f"hat-{len(orders)}-{os.getpid()}-{time.monotonic_ns()}",
            tool="hat",
            tool_id=8,
            image_reference="",
            image_digest=digest,
            process_type=kind,
            port=free_port(),
            environment={"NAME": "one", "TOKEN": "hunter2-hunter2"},
            secrets=("hunter2-hunter2",),
        )
        order = replace(order, **changes)
        engine.submit(order)
        orders.append(order)
        return order

    yield submit
    for order in orders:
        engine.remove(order)
    for order in orders:
        wait_for(lambda order=order: engine.remove(order) or is_missing(engine, order))


def is_missing(engine, order):
    return engine.observe(order).phase is Phase.MISSING


def healthy(engine, order):
    return wait_for(lambda: (seen := engine.observe(order)).phase is Phase.HEALTHY and seen)


def log_of(engine, order):
    return engine.logs(order, since=0, limit=10**6)[0].decode()


def processes_with(text):
    done = subprocess.run(["pgrep", "-f", text], capture_output=True, text=True)
    return done.stdout.split()


def test_a_replica_starts_answers_and_ends(engine, replica):
    order = replica()
    seen = healthy(engine, order)
    assert (seen.restarts, seen.probe.answer) == (0, "HTTP 200")
    assert httpx.get(f"http://127.0.0.1:{order.port}", trust_env=False).text.startswith("one")
    engine.remove(order)
    wait_for(lambda: is_missing(engine, order))
    wait_for(lambda: processes_with(order.name) == [])


def test_submitting_twice_starts_one(engine, replica):
    order = replica()
    threads = [threading.Thread(target=engine.submit, args=[order]) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    healthy(engine, order)
    keepers = processes_with(f"engines.shim .*{order.name}")
    assert len(keepers) == 1


def test_secrets_do_not_reach_the_log(engine, replica):
    order = replica()
    wait_for(lambda: "secret is" in log_of(engine, order))
    assert "secret is [redacted]" in log_of(engine, order)


def test_a_process_that_ends_is_started_again(engine, replica):
    order = replica()
    healthy(engine, order)
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{order.port}/exit", trust_env=False)
    seen = wait_for(lambda: (seen := engine.observe(order)).restarts == 1 and seen)
    assert seen.exit_code == 3
    assert healthy(engine, order).restarts == 1


def test_a_process_that_exits_at_once_says_so(engine, replica):
    order = replica("exits")
    seen = wait_for(lambda: (seen := engine.observe(order)).restarts >= 2 and seen)
    assert (seen.phase, seen.exit_code) == (Phase.STARTING, 4)
    assert "The process ended with exit code 4." in log_of(engine, order)


@pytest.mark.parametrize("kind", ["silent", "elsewhere"])
def test_a_process_that_does_not_listen_on_its_port_is_told_to(engine, replica, kind):
    order = replica(kind)
    seen = wait_for(lambda: (seen := engine.observe(order)).probe and seen)
    assert seen.phase is Phase.STARTING
    assert "the web process has to listen on $PORT" in seen.probe.answer


def test_an_error_on_the_health_check_is_shown_with_its_answer(engine, replica):
    order = replica(health_check_path="/broken")
    answered = "HTTP 500 for /broken: one"
    wait_for(lambda: (p := engine.observe(order).probe) and p.answer.startswith(answered))
    assert engine.observe(order).phase is Phase.STARTING


def test_a_replica_is_asked_for_its_health_at_any_time(engine, replica):
    order = replica()
    healthy(engine, order)
    answer = engine.check(order)
    assert (answer.ok, answer.status, answer.said) == (True, 200, "one ")
    broken = engine.check(replace(order, health_check_path="/broken"))
    assert (broken.ok, broken.status) == (False, 500)
    assert "[redacted]" in engine.check(replace(order, secrets=("one ",))).said
    assert "listens" in engine.check(replace(order, port=free_port())).said


needs_groups = pytest.mark.skipif(
    not all(
        each.enforced
        for each in enforcement.probe().means
        if each.name in (enforcement.MEMORY_LIMIT, enforcement.CPU_LIMIT)
    ),
    reason="no control groups here",
)


@needs_groups
def test_a_replica_gets_no_more_processor_time_than_it_may(engine, replica, state):
    order = replica("busy", cpu_millis=100)
    wait_for(lambda: "going" in log_of(engine, order))
    group = Cgroup.of(
        state / "services" / order.name,
        memory_bytes=order.memory_bytes,
        pids=PIDS,
        cpu_millis=order.cpu_millis,
    )
    assert group and group.limits_cpu

    def throttled():
        for folder in group.folders:
            if (folder / "cpu.stat").exists():
                lines = (folder / "cpu.stat").read_text().splitlines()
                return int(dict(line.split() for line in lines)["nr_throttled"])
        return 0

    wait_for(lambda: throttled() > 3)


@needs_groups
def test_a_replica_that_needs_more_memory_than_it_may_is_told(engine, replica):
    order = replica("hungry", memory_bytes=64 * 1024**2)
    wait_for(lambda: "it needed more than 64 MB of memory" in log_of(engine, order))


def test_a_flood_of_output_is_kept_to_a_limit_with_true_offsets(engine, replica):
    order = replica("chatty")
    wait_for(lambda: engine.logs(order, since=-1, limit=1)[1] > 13_000_000, seconds=60)
    data, start = engine.logs(order, since=0, limit=100)
    assert start > 1_000_000
    again, same = engine.logs(order, since=start, limit=100)
    assert (again, same) == (data, start)


def test_a_rotated_log_keeps_its_offsets(tmp_path):
    log = RotatingLog(tmp_path, part=10)
    for number in range(6):
        log.write(b"line %d\n" % number)
    log.close()
    assert (tmp_path / "log.start").read_text() == "28"


def test_killing_the_keeper_ends_the_replica_and_it_can_start_again(engine, replica):
    order = replica()
    healthy(engine, order)
    (keeper,) = processes_with(f"engines.shim .*{order.name}")
    os.kill(int(keeper), signal.SIGKILL)
    wait_for(lambda: is_missing(engine, order))
    with pytest.raises(httpx.HTTPError):
        wait_for(lambda: not httpx.get(f"http://127.0.0.1:{order.port}", trust_env=False))
    engine.submit(order)
    healthy(engine, order)


def test_an_image_that_is_gone_is_said(engine, replica):
    order = replica(image_digest="sha256:" + "0" * 64)
    wait_for(lambda: "It cannot be started" in log_of(engine, order))
    assert engine.observe(order).phase is Phase.UNHEALTHY


def test_a_keeper_that_is_told_to_stop_again_and_again_ends(engine, replica):
    order = replica(image_digest="sha256:" + "0" * 64)
    wait_for(lambda: "It cannot be started" in log_of(engine, order))
    # Signals that interrupt the handling of signals once made it wait for itself.
    end = time.monotonic() + 10
    while not is_missing(engine, order):
        assert time.monotonic() < end
        engine.remove(order)


def test_output_of_a_replica_that_never_was_is_empty(engine, digest):
    order = ReplicaOrder("never", "hat", 8, "", digest, "web", 1)
    assert engine.logs(order, since=-5, limit=10) == (b"", 0)
    assert is_missing(engine, order)
    engine.remove(order)


@pytest.fixture(params=["caddy", "splice"])
def proxied(request, tmp_path, monkeypatch):
    """An engine with a real proxy in front: gives a function that asks as a browser would."""
    if request.param == "caddy" and not proxy.find_caddy():
        pytest.skip("Caddy is not installed")
    if request.param == "splice":
        monkeypatch.setattr(proxy.shutil, "which", lambda name: None)
        monkeypatch.setattr(proxy.sys, "executable", str(tmp_path / "python"))
    listen = f"127.0.0.1:{free_port()}"
    command, env = proxy.command(tmp_path, listen=listen, domain="localhost")
    monkeypatch.undo()
    command[0] = sys.executable if request.param == "splice" else command[0]
    process = subprocess.Popen(command, env={**os.environ, **env}, stderr=subprocess.DEVNULL)
    engine = LocalWebserviceEngine(LocalSettings(state=tmp_path, listen=listen))

    def get(tool="hat", path="/", **headers):
        headers["Host"] = f"{tool}.localhost"
        return httpx.get(f"http://{listen}{path}", headers=headers, trust_env=False)

    wait_for(lambda: listens(listen))
    yield engine.route, get
    process.terminate()
    process.wait(timeout=10)


def listens(address):
    host, _colon, port = address.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def answer_of(get, status):
    return wait_for(lambda: (found := get()).status_code == status and found)


def test_requests_are_led_by_the_name_of_the_host(proxied, engine, replica):
    route, get = proxied
    order = replica()
    healthy(engine, order)
    route({"hat": [order.port], "off": []})
    assert answer_of(get, 200).text == "one 127.0.0.1"
    assert get(**{"X-Forwarded-For": "6.6.6.6"}).text == "one 127.0.0.1"
    assert get("off").status_code == 503
    assert "not running" in get("off").text
    assert get("other").status_code == 404


def test_a_replica_that_is_gone_is_answered_for(proxied):
    route, get = proxied
    route({"hat": [free_port()]})
    assert "did not answer" in answer_of(get, 502).text


def test_no_request_fails_while_releases_switch(proxied, engine, replica):
    route, get = proxied
    old, new = replica(), replica(environment={"NAME": "two"})
    healthy(engine, old), healthy(engine, new)
    route({"hat": [old.port]})
    answer_of(get, 200)
    answers, stopping = [], threading.Event()

    def ask():
        while not stopping.is_set():
            answers.append((get().status_code, get().text[:3]))

    asking = threading.Thread(target=ask)
    asking.start()
    for port in (new.port, old.port, new.port):
        time.sleep(0.4)
        route({"hat": [port]})
    wait_for(lambda: answers and answers[-1][1] == "two")
    stopping.set()
    asking.join()
    assert {status for status, _text in answers} == {200}


@pytest.mark.parametrize("proxied", ["caddy"], indirect=True)
def test_a_connection_that_is_idle_outlives_the_switch(proxied, engine, replica):
    route, get = proxied
    old, new = replica(), replica(environment={"NAME": "two"})
    healthy(engine, old), healthy(engine, new)
    route({"hat": [old.port]})
    connection = http.client.HTTPConnection(get().url.host, get().url.port, timeout=10)

    def ask():
        """On the same connection; this client opens no other when it was closed."""
        connection.request("GET", "/", headers={"Host": "hat.localhost"})
        return connection.getresponse().read()[:3]

    assert ask() == b"one"
    address = connection.sock.getsockname()
    for port, name in ((new.port, b"two"), (old.port, b"one"), (new.port, b"two")):
        route({"hat": [port]})
        time.sleep(0.3)
        assert ask() == name
    assert connection.sock.getsockname() == address
    connection.close()


def test_routes_are_remembered_for_a_proxy_that_starts_later(tmp_path):
    LocalWebserviceEngine(LocalSettings(state=tmp_path)).route({"hat": []})
    assert (tmp_path / "proxy" / "routes.json").read_text() == '{"hat": []}'


def test_many_threads_may_lead_requests_at_once(tmp_path):
    engine = LocalWebserviceEngine(LocalSettings(state=tmp_path))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda port: engine.route({"hat": [port]}), range(1000, 1200)))
    left = {path.name for path in (tmp_path / "proxy").iterdir()}
    assert left == {"caddy.json", "ports", "routes.json"}


def test_a_proxy_that_does_not_answer_is_an_error_that_can_be_repeated(tmp_path):
    engine = LocalWebserviceEngine(LocalSettings(state=tmp_path))
    (tmp_path / "proxy").mkdir()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "proxy" / "admin.sock"))
        stale.listen()
        threading.Thread(target=lambda: stale.accept()[0].close(), daemon=True).start()
        with pytest.raises(EngineError, match="proxy"):
            engine.route({"hat": []})


def test_what_runs_is_never_cleaned_away(engine, replica, state, digest):
    order = replica()
    healthy(engine, order)
    assert engine.keep_unpacked(()) == 0
    assert (state / "releases" / digest.removeprefix("sha256:")).is_dir()
    engine.remove(order)
    wait_for(lambda: engine.remove(order) or is_missing(engine, order))
    assert wait_for(lambda: engine.keep_unpacked(())) == 1
