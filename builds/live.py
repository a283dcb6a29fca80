"""Live logs as Server-Sent Events: one poller a process, however many people watch.

The `id:` of an event is the byte offset after its lines, so a browser that reconnects with
`Last-Event-ID` loses and repeats nothing.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from asgiref.sync import sync_to_async
from django.db import DatabaseError, close_old_connections, connections
from django.http import HttpRequest, StreamingHttpResponse

log = logging.getLogger(__name__)
Result = TypeVar("Result")
# Seconds.
POLL_INTERVAL = 0.05
PING_INTERVAL = 15.0
# Bytes of log in one event at most.
READ_LIMIT = 256 * 1024
# Of an offset; more are no place in a log.
DIGITS = 18


@dataclass(frozen=True)
class Mark:
    """How far something has come: its log's size in bytes, and its state for the page."""

    size: int
    state: Mapping[str, object]
    is_final: bool


@dataclass(frozen=True)
class Event:
    """What a follower is told: `lines`, `state`, `end`, or `ping` when there is nothing new."""

    name: str
    data: Any = None
    # The offset after the lines.
    offset: int | None = None

    def as_sse(self) -> str:
        if self.name == "ping":
            return ": ping\n\n"
        place = "" if self.offset is None else f"id: {self.offset}\n"
        return f"event: {self.name}\n{place}data: {json.dumps(self.data, ensure_ascii=False)}\n\n"


class Feed(Protocol):
    """Where a hub finds out. Called in a thread, never in the event loop."""

    def marks(self, keys: Collection[int]) -> Mapping[int, Mark]:
        """The marks of those keys that still exist."""

    def read(self, key: int, *, offset: int, limit: int) -> tuple[int, bytes]:
        """Log bytes from `offset` on, or from the first later offset that is still there."""


@dataclass
class _Watch:
    mark: Mark
    followers: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def update(self, mark: Mark) -> None:
        if mark != self.mark:
            self.mark = mark
            self.changed.set()
            self.changed = asyncio.Event()


class Hub:
    """Polls a feed for what is watched and lets every follower know."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._watches: dict[int, _Watch] = {}
        self._reads: dict[tuple[int, int], asyncio.Future[tuple[int, bytes]]] = {}
        self._poller: asyncio.Task[None] | None = None
        # Threads of its own: those of a request would each keep a database connection open.
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="live")

    async def follow(self, key: int, *, offset: int) -> AsyncIterator[str]:
        """Events for one follower as Server-Sent Events."""
        async with aclosing(self.events(key, offset=offset)) as events:
            async for event in events:
                yield event.as_sse()

    async def events(self, key: int, *, offset: int) -> AsyncGenerator[Event]:
        """Events for one follower, from `offset` until the thing is final."""
        watch = await self._watch(key)
        if watch is None:
            return
        state: Mapping[str, object] | None = None
        try:
            while True:
                changed, mark = watch.changed, watch.mark
                while offset < mark.size:
                    start, lines = await self._lines(key, offset)
                    if not lines:
                        break
                    offset = start + len(lines)
                    yield Event("lines", _texts(lines), offset)
                if mark.state != state:
                    state = mark.state
                    yield Event("state", state)
                if mark.is_final and offset >= mark.size:
                    yield Event("end", {})
                    return
                if not await _happens(changed, PING_INTERVAL):
                    yield Event("ping")
        finally:
            self._leave(key, watch)

    async def _watch(self, key: int) -> _Watch | None:
        if key not in self._watches:
            marks = await self._call(self._feed.marks, [key])
            if key not in marks:
                return None
            self._watches.setdefault(key, _Watch(marks[key]))
        watch = self._watches[key]
        watch.followers += 1
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        return watch

    def _leave(self, key: int, watch: _Watch) -> None:
        watch.followers -= 1
        if not watch.followers:
            self._watches.pop(key, None)

    async def _poll(self) -> None:
        while self._watches:
            try:
                marks = await self._call(self._feed.marks, list(self._watches))
            except DatabaseError as error:
                log.warning("live logs: %s", error)
                marks = {}
            self._reads.clear()
            for key, mark in marks.items():
                if key in self._watches:
                    self._watches[key].update(mark)
            await asyncio.sleep(POLL_INTERVAL)

    async def _lines(self, key: int, offset: int) -> tuple[int, bytes]:
        """Complete lines from `offset` on; followers at the same place share one read."""
        read = self._reads.get((key, offset))
        if read is None:
            read = asyncio.ensure_future(
                self._call(lambda: self._feed.read(key, offset=offset, limit=READ_LIMIT))
            )
            self._reads[key, offset] = read
        start, data = await asyncio.shield(read)
        return start, data[: data.rfind(b"\n") + 1]

    async def _call(self, function: Callable[..., Result], *args: object) -> Result:
        def call() -> Result:
            close_old_connections()
            return function(*args)

        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), timeout=seconds)
    except TimeoutError:
        return False
    return True


def _texts(lines: bytes) -> list[str]:
    return lines.decode("utf-8", "replace").split("\n")[:-1]


def wanted_offset(request: HttpRequest) -> int:
    """Where the reader wants to go on: the last event that it saw, or `?offset=`, or the start."""
    for value in (request.headers.get("Last-Event-ID"), request.GET.get("offset")):
        if value and value.isascii() and value.isdigit() and len(value) <= DIGITS:
            return int(value)
    return 0


async def stream(hub: Hub, key: int, *, offset: int) -> StreamingHttpResponse:
    """The answer that carries a follower's events.

    Closes the request's database connections: a stream may stay open for hours.
    """
    await sync_to_async(close_connections)()
    return StreamingHttpResponse(
        hub.follow(key, offset=offset),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def close_connections() -> None:
    """Those that are not in the middle of a transaction."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
