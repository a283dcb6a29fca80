"""Logs as Toolforge's clients read them: one JSON object a line, `{"line": "[step] text"}`."""

import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

from django.db import DatabaseError
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import gettext as _

from builds import logs
from builds.admission import waiting
from builds.live import close_connections
from builds.models import Build
from builds.output import one_by_one
from builds.toolforge.shapes import Steps
from builds.views import hub

log = logging.getLogger(__name__)


def log_response(request: HttpRequest, build: Build, *, follow: bool) -> StreamingHttpResponse:
    """The log so far, or with `follow` until the build has ended.

    Following needs an ASGI server; it closes the request's database connections, because it may
    take long.
    """
    is_async = hasattr(request, "scope")
    before = _before(build)
    pieces: Iterator[bytes] | AsyncIterator[bytes] = _stored(build, before)
    if is_async and follow and not build.is_final:
        close_connections()
        pieces = _followed(build, before)
    elif is_async:
        pieces = one_by_one(_stored(build, before))
    return StreamingHttpResponse(
        pieces,
        content_type="text/plain",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _before(build: Build) -> bytes:
    """What to say while nothing has started; nothing else would come."""
    place = waiting(build)
    if place is None:
        return b""
    sentence = _("The build has not started: it is number %(position)d in the queue, %(because)s.")
    words = {"position": place.position, "because": place.because}
    return _packed([f"[queue] {sentence % words}"])


def _packed(lines: list[str]) -> bytes:
    return b"".join(json.dumps({"line": line}).encode() + b"\n" for line in lines)


def _failed(build: Build, error: Exception) -> bytes:
    """The status was sent long ago, so an error is one more line."""
    log.warning("log of build %s: %s", build, error)
    return json.dumps({"message": _("The log cannot be read now. Try again.")}).encode() + b"\n"


def _stored(build: Build, before: bytes) -> Iterator[bytes]:
    steps, rest = Steps(), b""
    if before:
        yield before
    try:
        for piece in logs.read_all(build):
            text, _newline, rest = (rest + piece).rpartition(b"\n")
            if text:
                lines = text.decode("utf-8", "replace").split("\n")
                yield _packed(list(steps.lines(lines)))
    except (DatabaseError, OSError) as error:
        yield _failed(build, error)


async def _followed(build: Build, before: bytes) -> AsyncIterator[bytes]:
    steps = Steps()
    if before:
        yield before
    try:
        async with aclosing(hub.events(build.pk, offset=0)) as events:
            async for event in events:
                if event.name == "lines":
                    yield _packed(list(steps.lines(event.data)))
    except (DatabaseError, OSError) as error:
        yield _failed(build, error)
