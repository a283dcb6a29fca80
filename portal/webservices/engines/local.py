"""Webservices on this machine: a keeper process per replica, a proxy in front."""

import fcntl
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from builds.lifecycle import detached, enforcement
from builds.lifecycle.sandbox import Mode
from builds.lifecycle.unpack import remove_unpacked
from portal.redaction import Redactor
from portal.webservices.engines.base import (
    EngineError,
    Phase,
    Probe,
    ReplicaObservation,
    ReplicaOrder,
)
from portal.webservices.engines.caddy import Caddy
from portal.webservices.engines.probe import Answer, ask
from portal.webservices.engines.shim import Spec, start_of

# Bytes of an answer that somebody asked for.
BODY_ASKED = 2000


@dataclass(frozen=True)
class LocalSettings:
    """What the installation decides."""

    state: Path
    domain: str = "localhost"
    # Where the proxy listens.
    listen: str = "127.0.0.1:8001"
    connect_ports: tuple[int, ...] = (80, 443)
    # See builds.engines.local.
    sandbox: str = enforcement.AUTO
    trusts_all: bool = False


class LocalWebserviceEngine:
    """A WebserviceEngine; see shim.py for what stands in a replica's directory."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        self._services = settings.state / "services"
        self._proxy = Caddy(
            settings.state / "proxy", listen=settings.listen, domain=settings.domain
        )

    def _folder(self, order: ReplicaOrder) -> Path:
        return self._services / order.name

    def submit(self, order: ReplicaOrder) -> None:
        folder = self._folder(order)
        if self.enforcement().mode is Mode.NONE:
            raise EngineError("No sandbox works on this machine; see the status page.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = _lock(folder)
            if lock is None:
                return
            with lock:
                (folder / "state.json").unlink(missing_ok=True)
                self._write_spec(folder, order)
                self._start(folder, lock.fileno(), order)
        except OSError as error:
            raise EngineError(f"The replica cannot be started: {error}") from error

    def _write_spec(self, folder: Path, order: ReplicaOrder) -> None:
        state = self._settings.state
        spec = Spec(
            name=order.name,
            tool_id=order.tool_id,
            digest=order.image_digest,
            process_type=order.process_type,
            port=order.port,
            host=f"{order.tool}.{self._settings.domain}",
            health_check_path=order.health_check_path,
            images=str(state / "images" / order.tool),
            releases=str(state / "releases"),
            sandbox=self.enforcement().mode,
            places=str(state / "places"),
            bases=str(state / "bases"),
            connect_ports=list(self._settings.connect_ports),
            memory_bytes=order.memory_bytes,
            cpu_millis=order.cpu_millis,
        )
        new = folder / "spec.new"
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(spec), file)
        new.replace(folder / "spec.json")

    def enforcement(self) -> enforcement.Enforcement:
        """What keeps replicas in on this machine."""
        settings = self._settings
        return enforcement.probe(settings.sandbox, trusts_all=settings.trusts_all)

    def _start(self, folder: Path, lock: int, order: ReplicaOrder) -> None:
        """Start the keeper, which inherits the lock and holds it until it ends."""
        variables = {"environment": dict(order.environment), "secrets": list(order.secrets)}
        detached.start_module(
            "portal.webservices.engines.shim",
            str(folder),
            str(lock),
            output=folder / "shim.log",
            lock=lock,
            told=json.dumps(variables).encode(),
        )

    def observe(self, order: ReplicaOrder) -> ReplicaObservation:
        folder = self._folder(order)
        try:
            if not _is_locked(folder):
                return ReplicaObservation(Phase.MISSING)
            state = json.loads((folder / "state.json").read_text())
        except FileNotFoundError:
            return ReplicaObservation(Phase.STARTING)
        except (OSError, ValueError) as error:
            raise EngineError(f"The replica's directory cannot be read: {error}") from error
        started, probe = state["started_at"], state["probe"]
        return ReplicaObservation(
            phase=Phase(state["phase"]),
            started_at=datetime.fromisoformat(started) if started else None,
            restarts=state["restarts"],
            exit_code=state["exit_code"],
            probe=_probe(probe) if probe else None,
        )

    def logs(self, order: ReplicaOrder, *, since: int, limit: int) -> tuple[bytes, int]:
        folder = self._folder(order)
        try:
            return _read_log(folder, since=since, limit=limit)
        except FileNotFoundError:
            return b"", max(0, since)
        except OSError as error:
            raise EngineError(f"The replica's output cannot be read: {error}") from error

    def check(self, order: ReplicaOrder) -> Answer:
        """Ask the replica for its health now, from outside; takes no longer than a time-out."""
        host = f"{order.tool}.{self._settings.domain}"
        redactor = Redactor(order.secrets)
        return ask(
            order.port, host=host, path=order.health_check_path, redactor=redactor, shown=BODY_ASKED
        )

    def remove(self, order: ReplicaOrder) -> None:
        folder = self._folder(order)
        if not folder.is_dir():
            return
        if _is_locked(folder):
            with suppress(FileNotFoundError, ProcessLookupError, ValueError, KeyError):
                pid = json.loads((folder / "state.json").read_text())["pid"]
                os.kill(pid, signal.SIGTERM)
            return
        with suppress(FileNotFoundError):
            doomed = Path(tempfile.mkdtemp(dir=self._services, prefix=".gone-"))
            folder.rename(doomed / order.name)
            shutil.rmtree(doomed, ignore_errors=True)

    def route(self, routes: Mapping[str, Sequence[int]]) -> None:
        self._proxy.apply(routes)

    def keep_unpacked(self, digests: Collection[str]) -> int:
        """Delete unpacked images that are neither named nor run; how many went."""
        return remove_unpacked(self._settings.state / "releases", kept=digests)


def _lock(folder: Path) -> IO[bytes] | None:
    """The keeper's lock, or None if a keeper holds it."""
    file = (folder / "lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _is_locked(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    lock = _lock(folder)
    if lock:
        lock.close()
    return lock is None


def _probe(data: Mapping[str, Any]) -> Probe:
    return Probe(at=datetime.fromisoformat(data["at"]), ok=data["ok"], answer=data["answer"])


def _read_log(folder: Path, *, since: int, limit: int) -> tuple[bytes, int]:
    start = start_of(folder)
    current = folder / "log"
    earlier = folder / "log.1"
    first = start - (earlier.stat().st_size if earlier.exists() else 0)
    end = start + current.stat().st_size
    since = max(first, end + since if since < 0 else since)
    if since < start:
        with earlier.open("rb") as file:
            file.seek(since - first)
            return file.read(limit), since
    with current.open("rb") as file:
        file.seek(since - start)
        return file.read(limit), since
