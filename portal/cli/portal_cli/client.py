"""Calls to the portal's REST API: whose token, what to repeat, what an answer means."""

import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import click
import httpx

from portal_cli import __version__, credentials
from portal_cli.credentials import Credentials
from portal_cli.device import refreshed
from portal_cli.errors import NotFound, NotSignedIn, Refused, Unavailable
from portal_cli.output import clean, note

TIMEOUT = httpx.Timeout(30, connect=10)
# How often a call is repeated, and the longest wait (seconds) that a server may ask for.
REPEATS = 4
PATIENCE = 120
SAFE = ("GET", "HEAD")
SIGN_IN = "Run `portal login`, or set PORTAL_TOKEN."


def address(*parts: object) -> str:
    """A path below /api/v1/ of words that people typed."""
    return "".join(f"{quote(str(part), safe='')}/" for part in parts)


def sentence_of(answer: httpx.Response) -> str:
    """What the server says went wrong, in its own words."""
    try:
        problem = answer.json()
    except ValueError:
        return f"The server answered {answer.status_code} {answer.reason_phrase}."
    if not isinstance(problem, dict):
        return f"The server answered {answer.status_code}."
    named = [each for each in problem.get("errors", []) if each.get("field")]
    lines = [f"{each['field']}: {each['detail']}" for each in named]
    return clean("\n".join(lines) or str(problem.get("detail", answer.status_code)))


def raise_for(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    sentence = sentence_of(answer)
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        raise NotSignedIn(f"{sentence}\n{SIGN_IN}")
    if answer.status_code == HTTPStatus.NOT_FOUND:
        raise NotFound(sentence)
    if answer.is_client_error and answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:
        raise Refused(sentence)
    raise Unavailable(sentence)


def wait_asked_for(answer: httpx.Response) -> float | None:
    """The seconds that the server asks to wait before the same call; None for any other answer."""
    if answer.status_code not in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        return None
    asked = answer.headers.get("Retry-After", "")
    return float(asked) if asked.isascii() and asked.isdigit() else None


class Portal:
    """One server, and who asks it."""

    def __init__(self, server: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self.server = server
        self.credentials: Credentials | None = credentials.load(server)
        self.http = httpx.Client(
            base_url=server,
            timeout=TIMEOUT,
            transport=transport,
            headers={"User-Agent": f"portal-cli/{__version__}", "Accept-Encoding": "identity"},
        )

    def call(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The answer; raises what its status means.

        What is safe to repeat is repeated when the network or the server fails for a moment.
        """
        given = {name: value for name, value in (params or {}).items() if value not in (None, "")}
        extra = dict(headers or {})
        may_repeat = method in SAFE or "Idempotency-Key" in extra
        url = path if path.startswith("http") else f"/api/v1/{path}"
        answer = self._attempt(
            may_repeat,
            lambda: self.http.build_request(
                method, url, json=json, params=given or None, headers={**extra, **self._who()}
            ),
        )
        raise_for(answer)
        return answer

    def _attempt(self, may_repeat: bool, request: Any) -> httpx.Response:  # noqa: ANN401
        for number in range(REPEATS + 1):
            is_last = number == REPEATS
            try:
                answer = self.http.send(request())
            except httpx.TransportError as error:
                if not may_repeat or is_last:
                    raise Unavailable(f"{self.server} cannot be reached: {error}") from error
                time.sleep(0.2 * 2**number)
                continue
            wait = wait_asked_for(answer)
            if answer.status_code == HTTPStatus.UNAUTHORIZED and self._refresh():
                continue
            if wait is None or is_last or wait > PATIENCE:
                return answer
            note(f"The portal asks to wait {wait:.0f} s.")
            time.sleep(wait)
        return answer

    def _who(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.credentials.token}"} if self.credentials else {}

    def _refresh(self) -> bool:
        """Get the next token of a device sign-in, once; False if there is none to be had."""
        if not self.credentials or not self.credentials.refresh_token:
            return False
        self.credentials = refreshed(self.http, self.credentials)
        if self.credentials:
            credentials.save(self.server, self.credentials)
        return self.credentials is not None

    def get(self, path: str, **params: object) -> Any:  # noqa: ANN401 - what the API says
        return self.call("GET", path, params=params).json()

    def post(self, path: str, json: object = None, **headers: str) -> Any:  # noqa: ANN401
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", path, json=json, headers=named).json()

    def pages(self, path: str, *, limit: int, **params: object) -> Iterator[dict[str, Any]]:
        """The first `limit` rows of a list, however many pages they take."""
        page = self.get(path, **params)
        rows = page if isinstance(page, list) else page["results"]
        while True:
            yield from rows[:limit]
            limit -= len(rows)
            following = None if isinstance(page, list) else page["next"]
            if limit <= 0 or not following:
                return
            # Only the query: whatever host a proxy in between makes of the address.
            page = self.get(f"{path}?{httpx.URL(following).query.decode()}")
            rows = page["results"]


pass_portal = click.make_pass_decorator(Portal)
