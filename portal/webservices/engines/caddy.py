"""Caddy as the proxy: its whole configuration is made from the routes, every time."""

import json
import os
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
NO_ANSWER = "The tool's webservice did not answer. Its maintainers can see why on its page.\n"


def configuration(
    routes: Mapping[str, Sequence[int]], *, listen: str, domain: str, socket: Path
) -> dict[str, Any]:
    """What Caddy is to do: one route per tool, and an answer in words for everything else."""
    tools = [_route(tool, ports, domain) for tool, ports in sorted(routes.items())]
    server = {
        "listen": [listen],
        "automatic_https": {"disable": True},
        "routes": [*tools, {"handle": [_say(404, UNKNOWN)]}],
        "errors": {"routes": [{"handle": [_say(502, NO_ANSWER)]}]},
    }
    return {
        "admin": {"listen": f"unix/{socket}|0600"},
        "logging": {"logs": {"default": {"level": "WARN"}}},
        "apps": {"http": {"grace_period": "30s", "servers": {"tools": server}}},
    }


def _route(tool: str, ports: Sequence[int], domain: str) -> dict[str, Any]:
    handle = _proxy(ports) if ports else _say(503, STOPPED)
    return {"match": [{"host": [f"{tool}.{domain}"]}], "handle": [handle], "terminal": True}


def _proxy(ports: Sequence[int]) -> dict[str, Any]:
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"127.0.0.1:{port}"} for port in ports],
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
        self._socket = folder / "admin.sock"
        self._file = folder / "caddy.json"

    def apply(self, routes: Mapping[str, Sequence[int]]) -> None:
        """Make these the routes, also for a proxy that starts later. Raises EngineError."""
        wanted = configuration(
            routes, listen=self._listen, domain=self._domain, socket=self._socket
        )
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

    def _remember(self, wanted: Mapping[str, Any], routes: Mapping[str, Sequence[int]]) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, data in ((self._file, wanted), (self.folder / "routes.json", routes)):
            text = json.dumps(data, sort_keys=True)
            if not path.exists() or path.read_text() != text:
                new = path.with_suffix(f".{os.getpid()}.new")
                new.write_text(text)
                new.replace(path)

    def prepare(self) -> Path:
        """The configuration to start Caddy with: the last routes, with today's addresses."""
        try:
            routes = json.loads((self.folder / "routes.json").read_text())
        except (OSError, ValueError):
            routes = {}
        wanted = configuration(
            routes, listen=self._listen, domain=self._domain, socket=self._socket
        )
        self._remember(wanted, routes)
        self._socket.unlink(missing_ok=True)
        return self._file
