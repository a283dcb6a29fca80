"""Builds and runs an application; what it saw goes to standard output as JSON.

A program of its own because it runs as another user, see tests.unprivileged.
"""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import asdict
from pathlib import Path

from builds.engines.base import Order, Phase
from builds.engines.local import LocalEngine, LocalSettings
from portal.webservices.engines.base import Phase as ReplicaPhase
from portal.webservices.engines.base import ReplicaOrder
from portal.webservices.engines.local import LocalSettings as ServiceSettings
from portal.webservices.engines.local import LocalWebserviceEngine

STATE, URL, SLEEP = Path(sys.argv[1]), sys.argv[2], sys.argv[3]


def wait_for(check, *, seconds=60):
    end = time.monotonic() + seconds
    while not (found := check()):
        if time.monotonic() > end:
            sys.exit("waited too long")
        time.sleep(0.05)
    return found


def build(engine, order):
    engine.submit(order)
    running = (Phase.RUNNING, Phase.MISSING)
    wait_for(lambda: engine.observe(order).phase not in running)
    return engine.observe(order)


def remove(engine, order, folder):
    def is_gone():
        engine.remove(order)
        return not folder.exists()

    wait_for(is_gone)


def cancelled(engine, order):
    """The processes that are left of a build that was ended in its middle."""
    engine.submit(order)
    wait_for(lambda: b"started" in engine.logs(order, since=0, limit=10**6).data)
    remove(engine, order, STATE / "builds" / order.name)
    time.sleep(0.5)
    found = subprocess.run(["pgrep", "-fa", f"^{SLEEP}"], capture_output=True, text=True)
    return found.stdout


def served(image):
    """The page of a webservice that runs the image."""
    engine = LocalWebserviceEngine(ServiceSettings(state=STATE))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    order = ReplicaOrder("hat-r1-0", "hat", 7, "", image.digest, "web", port)
    engine.submit(order)
    wait_for(lambda: engine.observe(order).phase is ReplicaPhase.HEALTHY)
    page = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).read().decode()
    kept = engine.keep_unpacked(())

    def is_gone():
        engine.remove(order)
        return engine.observe(order).phase is ReplicaPhase.MISSING

    wait_for(is_gone)
    return {"page": page, "deleted_while_running": kept, "deleted": engine.keep_unpacked(())}


def main():
    (STATE / "secret").write_text("hunter2")
    engine = LocalEngine(LocalSettings(state=STATE, trusted_prefixes=(URL,)))
    order = Order(name="hat-1", tool="hat", tool_id=7, source_url=f"{URL}nobody.git")
    seen = build(engine, order)
    result = {"mode": engine.enforcement().mode, "phase": seen.phase, "reason": seen.reason}
    result["log"] = engine.logs(order, since=0, limit=10**6).data.decode()
    if seen.image:
        remove(engine, order, STATE / "builds" / order.name)
        result |= served(seen.image)
        result["image"] = asdict(seen.image)
    slow = Order(name="hat-2", tool="hat", tool_id=7, source_url=f"{URL}nobody-slow.git")
    result["left"] = cancelled(engine, slow)
    result["places"] = [path.name for path in (STATE / "places").iterdir()]
    print(json.dumps(result))


main()
