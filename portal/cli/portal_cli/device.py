"""Signing in without a browser on this machine: OAuth's device flow (RFC 8628)."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import click
import httpx

from portal_cli.credentials import Credentials
from portal_cli.errors import NotSignedIn, Unavailable
from portal_cli.output import clean

CODE_URL = "/identity/o/api/device/code"
TOKEN_URL = "/identity/o/api/token"
GRANT = "urn:ietf:params:oauth:grant-type:device_code"
CLIENT_ID = os.environ.get("PORTAL_CLIENT_ID", "portal-cli")
# Seconds, where the server says nothing; and what `slow_down` adds.
INTERVAL, LIFETIME, SLOWER = 5, 600, 5
REFUSALS = {
    "access_denied": "The sign-in was refused in the browser.",
    "expired_token": "The code ran out before it was entered. Run `portal login` again.",
}


def _post(http: httpx.Client, url: str, data: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    try:
        answer = http.post(url, data=dict(data))
        parsed = answer.json()
    except httpx.TransportError as error:
        raise Unavailable(f"{http.base_url} cannot be reached: {error}") from error
    except ValueError as error:
        raise Unavailable(
            f"This server knows no sign-in by a code (it answered {answer.status_code}). "
            "Make a token on its tokens page and run `portal login --token`."
        ) from error
    return answer.status_code, parsed if isinstance(parsed, dict) else {}


def _credentials(answer: Mapping[str, Any]) -> Credentials:
    return Credentials(answer["access_token"], answer.get("refresh_token") or "")


def sign_in(
    http: httpx.Client,
    *,
    show: Callable[[str, str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Credentials:
    """Have somebody enter a code in any browser; `show` gets the address and the code."""
    status, begun = _post(http, CODE_URL, {"client_id": CLIENT_ID})
    if status != httpx.codes.OK or "device_code" not in begun:
        raise NotSignedIn(f"The server refused to begin: {_reason(begun)}")
    show(begun.get("verification_uri_complete") or begun["verification_uri"], begun["user_code"])
    interval = float(begun.get("interval", INTERVAL))
    left = float(begun.get("expires_in", LIFETIME))
    asked = {"grant_type": GRANT, "device_code": begun["device_code"], "client_id": CLIENT_ID}
    while left > 0:
        sleep(interval)
        left -= interval
        status, answer = _post(http, TOKEN_URL, asked)
        if status == httpx.codes.OK and "access_token" in answer:
            return _credentials(answer)
        error = answer.get("error", "")
        if error == "slow_down":
            interval += SLOWER
        elif error != "authorization_pending":
            raise NotSignedIn(REFUSALS.get(error, f"Signing in failed: {_reason(answer)}"))
    raise NotSignedIn(REFUSALS["expired_token"])


def _reason(answer: Mapping[str, Any]) -> str:
    return clean(str(answer.get("error_description") or answer.get("error") or "no reason given"))


def refreshed(http: httpx.Client, old: Credentials) -> Credentials | None:
    """The next token of a device sign-in; None if the server gives none any more."""
    asked = {
        "grant_type": "refresh_token",
        "refresh_token": old.refresh_token,
        "client_id": CLIENT_ID,
    }
    try:
        status, answer = _post(http, TOKEN_URL, asked)
    except click.ClickException:
        return None
    if status != httpx.codes.OK or "access_token" not in answer:
        return None
    return Credentials(answer["access_token"], answer.get("refresh_token") or old.refresh_token)
