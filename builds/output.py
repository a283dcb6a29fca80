"""The answer that carries a build's log as plain text, whole or in part."""

import re
from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from builds import logs
from builds.live import DIGITS, wanted_offset
from builds.models import Build

_RANGE = re.compile(rf"bytes=([0-9]{{1,{DIGITS}}})-([0-9]{{0,{DIGITS}}})")


def log_response(request: HttpRequest, build: Build) -> HttpResponseBase:
    """A log in pieces; 206 for a satisfiable Range, 416 for one past the end."""
    size = build.log_size
    asked = _RANGE.fullmatch(request.headers.get("Range", ""))
    start = int(asked[1]) if asked else min(wanted_offset(request), size)
    end = min(int(asked[2]) + 1, size) if asked and asked[2] else size
    if asked and start >= end:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    headers = _headers(request, build) | {"Content-Length": str(end - start)}
    if asked:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    pieces = logs.read_all(build, offset=start, end=end)
    return StreamingHttpResponse(
        one_by_one(pieces) if hasattr(request, "scope") else pieces,
        status=206 if asked else 200,
        content_type="text/plain; charset=utf-8",
        headers=headers,
    )


def _headers(request: HttpRequest, build: Build) -> dict[str, str]:
    told = {"Accept-Ranges": "bytes", "Log-Is-Complete": "true" if build.is_final else "false"}
    if "download" in request.GET:
        told["Content-Disposition"] = f'attachment; filename="{build.name}.log"'
    return told


async def one_by_one(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The same for an ASGI server, which would otherwise collect all pieces first."""
    while piece := await sync_to_async(_next)(pieces):
        yield piece


def _next(pieces: Iterator[bytes]) -> bytes:
    return next(pieces, b"")
