"""Caddy as the proxy: its whole configuration is made from the routes, every time.

The configuration does not name the ports, but files that hold them: Caddy reads them for each
request. A new release so changes files only; a new configuration would close every idle connection.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from portal.webservices.engines.base import EngineError

# Seconds.
TIMEOUT = 5.0
RETRY_FOR = "3s"

STOPPED = "This tool's webservice is not running.\n"
UNKNOWN = "There is no tool of this name here.\n"
SOCKET = "admin.sock"
NO_ANSWER = "The tool's webservice did not answer. Its maintainers can see why on its page.\n"


def configuration(
    routes: Mapping[str, Sequence[int]], *, listen: str, domain: str, folder: Path
) -> dict[str, Any]:
    """What Caddy is to do: one route per tool, and an answer in words for everything else."""
    tools = [_route(tool, len(ports), domain, folder) for tool, ports in sorted(routes.items())]
    server = {
        "listen": [listen],
        "automatic_https": {"disable": True},
        "routes": [*tools, {"handle": [_say(404, UNKNOWN)]}],
        "errors": {"routes": [{"handle": [_say(502, NO_ANSWER)]}]},
    }
    return {
        "admin": {"listen": f"unix/{folder / SOCKET}|0600"},
        "logging": {"logs": {"default": {"level": "WARN"}}},
        "apps": {"http": {"grace_period": "30s", "servers": {"tools": server}}},
    }


def _route(tool: str, replicas: int, domain: str, folder: Path) -> dict[str, Any]:
    files = [_port_file(folder, tool, number) for number in range(replicas)]
    handle = _proxy(files) if files else _say(503, STOPPED)
    return {"match": [{"host": [f"{tool}.{domain}"]}], "handle": [handle], "terminal": True}


def _port_file(folder: Path, tool: str, number: int) -> Path:
    """Holds the address of one replica."""
    return folder / "ports" / f"{tool}.{number}"


def _proxy(files: Sequence[Path]) -> dict[str, Any]:
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"{{file.{path}}}"} for path in files],
        "load_balancing": {
            "selection_policy": {"policy": "round_robin"},
            "try_duration": RETRY_FOR,
            "try_interval": "100ms",
        },
        "health_checks": {"passive": {"fail_duration": "2s"}},
        "flush_interval": -1,
    }


def _say(status: int, text: str) -> dict[str, Any]:
    headers = {"Content-Type": ["text/plain; charset=utf-8"], "Cache-Control": ["no-store"]}
    return {
        "handler": "static_response",
        "status_code": status,
        "headers": headers,
        "body": text,
    }


class Caddy:
    """The running Caddy, spoken to over a socket that only this user can open."""

    def __init__(self, folder: Path, *, listen: str, domain: str) -> None:
        self.folder = folder
        self._listen = listen
        self._domain = domain
        self._socket = folder / SOCKET
        self._file = folder / "caddy.json"

    def apply(self, routes: Mapping[str, Sequence[int]]) -> None:
        """Make these the routes, also for a proxy that starts later. Raises EngineError."""
        wanted = self._configuration(routes)
        self._remember(wanted, routes)
        if not self._socket.exists():
            # No Caddy yet, which will start with what was remembered; or the other proxy.
            return
        transport = httpx.HTTPTransport(uds=str(self._socket))
        try:
            with httpx.Client(transport=transport, timeout=TIMEOUT) as client:
                loaded = client.get("http://caddy/config/")
                if loaded.json() != wanted:
                    client.post("http://caddy/load", json=wanted).raise_for_status()
        except (httpx.HTTPError, ValueError) as error:
            raise EngineError(f"The proxy does not take the routes: {error}") from error

    def _configuration(self, routes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        return configuration(routes, listen=self._listen, domain=self._domain, folder=self.folder)

    def _remember(self, wanted: Mapping[str, Any], routes: Mapping[str, Sequence[int]]) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.folder / "ports").mkdir(exist_ok=True)
        for tool, ports in routes.items():
            for number, port in enumerate(ports):
                _write(_port_file(self.folder, tool, number), f"127.0.0.1:{port}")
        _write(self._file, json.dumps(wanted, sort_keys=True))
        _write(self.folder / "routes.json", json.dumps(routes, sort_keys=True))

    def prepare(self) -> Path:
        """The configuration to start Caddy with: the last routes, with today's addresses."""
        try:
            routes = json.loads((self.folder / "routes.json").read_text())
        except (OSError, ValueError):
            routes = {}
        self._remember(self._configuration(routes), routes)
        self._socket.unlink(missing_ok=True)
        return self._file


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and only if it changes something."""
    if not path.exists() or path.read_text() != text:
        # Several threads may write at once, also of several processes.
        new = path.with_name(f".{path.name}.{threading.get_native_id()}.new")
        new.write_text(text)
        new.replace(path)
