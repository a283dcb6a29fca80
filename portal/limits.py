"""How much one request may bring, held before Django reads a byte of it."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from portal.apis import error_body

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
SENTENCE = "This is more than {limit} bytes, which is all that one request may bring."


class TooLarge(Exception):
    """The body grew past the limit while it came in."""


class LimitedBody:
    """An ASGI application that answers 413 to bodies of more than `limit` bytes.

    Counts what comes, because a body in chunks does not say its length beforehand.
    """

    def __init__(self, application: Application, *, limit: int) -> None:
        self.application = application
        self.limit = limit

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        if _declared(scope) > self.limit:
            await self._refuse(scope, send)
            return
        try:
            await self.application(scope, self._counted(receive), send)
        except TooLarge:
            await self._refuse(scope, send)

    def _counted(self, receive: Receive) -> Receive:
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.limit:
                raise TooLarge
            return message

        return counted

    async def _refuse(self, scope: Message, send: Send) -> None:
        sentence = SENTENCE.format(limit=self.limit)
        body, kind = error_body(scope["path"], status=413, code="too-large", sentence=sentence)
        text = json.dumps(body).encode() if body else f"{sentence}\n".encode()
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(text)).encode())]
        headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": text})


def _declared(scope: Message) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
