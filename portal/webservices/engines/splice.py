"""The proxy where Caddy is missing: `python -m ...engines.splice LISTEN DOMAIN FILE`.

One request per connection to a replica, bytes passed on as they come, so that streams and
WebSockets work. The routes are read again when their file changes.
"""

import asyncio
import contextlib
import itertools
import json
import os
import re
import signal
import sys
from pathlib import Path

from portal.webservices.engines.caddy import NO_ANSWER, STOPPED, UNKNOWN

HEAD_LIMIT = 64 * 1024
# Seconds.
HEAD_TIMEOUT, CONNECT_TIMEOUT = 30.0, 3.0
PIECE = 64 * 1024
# What only the proxy may say, and what concerns one connection alone.
_DROPPED = re.compile(rb"(?:x-forwarded-[a-z]+|forwarded|x-real-ip|connection|keep-alive):", re.I)


class Splice:
    def __init__(self, routes: Path, *, domain: str) -> None:
        self._file = routes
        self._domain = domain
        self._seen = 0
        self._routes: dict[str, list[int]] = {}
        self._turn = itertools.count()

    def ports(self, host: str) -> list[int] | None:
        """Where a host's requests go; [] for a tool that is stopped, None for no tool."""
        with contextlib.suppress(OSError, ValueError):
            changed = os.stat(self._file).st_mtime_ns
            if changed != self._seen:
                self._routes = json.loads(self._file.read_text())
                self._seen = changed
        tool, _dot, domain = host.partition(":")[0].lower().partition(".")
        return self._routes.get(tool) if domain == self._domain else None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            try:
                async with asyncio.timeout(HEAD_TIMEOUT):
                    head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.LimitOverrunError:
                writer.write(_answer(431, "The request's head is too large.\n"))
            else:
                await self._pass_on(head, reader, writer)
            await writer.drain()
        writer.close()

    async def _pass_on(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        host = re.search(rb"\r\nhost:[ \t]*([^\r\n]*)", head, re.IGNORECASE)
        ports = self.ports(host[1].decode("latin-1").strip()) if host else None
        if not ports:
            writer.write(_answer(404, UNKNOWN) if ports is None else _answer(503, STOPPED))
            return
        upstream = await self._connect(ports)
        if upstream is None:
            writer.write(_answer(502, NO_ANSWER))
            return
        there, back = upstream[1], upstream[0]
        there.write(_rewritten(head, peer=writer.get_extra_info("peername")[0]))
        sending = asyncio.create_task(_copy(reader, there))
        await _copy(back, writer)
        sending.cancel()
        there.close()

    async def _connect(
        self, ports: list[int]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        turn = next(self._turn) % len(ports)
        for port in ports[turn:] + ports[:turn]:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    return await asyncio.open_connection("127.0.0.1", port)
        return None


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(PIECE):
            writer.write(data)
            await writer.drain()


def _rewritten(head: bytes, *, peer: str) -> bytes:
    """The request's head with truthful headers about where it came from."""
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    is_upgrade = any(line.lower().startswith(b"upgrade:") for line in lines)
    kept = [line for line in lines if not _DROPPED.match(line)]
    kept.append(b"Connection: upgrade" if is_upgrade else b"Connection: close")
    kept += [f"X-Forwarded-For: {peer}".encode(), b"X-Forwarded-Proto: http"]
    return b"\r\n".join([first, *kept]) + b"\r\n\r\n"


def _answer(status: int, text: str) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status} {'OK' if status < 400 else 'Error'}\r\nContent-Length: {len(body)}\r\n"
    )
    return (
        f"{head}Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n".encode()
        + body
    )


async def main(listen: str, domain: str, routes: Path) -> None:
    host, _colon, port = listen.rpartition(":")
    splice = Splice(routes, domain=domain)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    server = await asyncio.start_server(splice.serve, host, int(port), limit=HEAD_LIMIT)
    async with server:
        await stopping.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
