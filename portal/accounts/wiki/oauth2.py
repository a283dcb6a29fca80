"""Asks a wiki by OAuth 2: the profile of whoever granted it, and a new token when one has ended."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
from django.conf import settings
from django.utils.translation import gettext as _

from portal.accounts.wiki.grant import Grant
from portal.accounts.wiki.identity import GrantRevoked, PersonBarred, WikiUnavailable

# MediaWiki's names for the errors of a grant that does not hold any more.
REVOKED = ("invalid_grant", "access_denied", "mwoauthdatastore-access-token-not-found")
# A token that ends within this time is renewed before it is used.
MARGIN = timedelta(minutes=1)


def profile(grant: Grant) -> Mapping[str, Any]:
    """What the wiki says about the person, over TLS and for their token: it is not signed."""
    return _ask("GET", "resource/profile", headers={"Authorization": f"Bearer {grant.key}"})


def renewed(grant: Grant, *, now: datetime) -> Grant:
    """A grant that can be asked with: this one, or the one that follows it, to be stored."""
    if grant.expires_at is None or grant.expires_at > now + MARGIN:
        return grant
    asked = {
        "grant_type": "refresh_token",
        "refresh_token": grant.secret,
        "client_id": settings.OAUTH_KEY,
        "client_secret": settings.OAUTH_SECRET,
    }
    answer = _ask("POST", "access_token", data=asked)
    try:
        ends = now + timedelta(seconds=int(answer["expires_in"]))
        return Grant(answer["access_token"], answer["refresh_token"], ends)
    except (KeyError, TypeError, ValueError) as error:
        raise WikiUnavailable(_("The wiki's answer cannot be understood.")) from error


def _ask(method: str, place: str, **options: Any) -> Mapping[str, Any]:  # noqa: ANN401
    headers = {"User-Agent": settings.USER_AGENT, **options.pop("headers", {})}
    try:
        with httpx.Client(timeout=settings.WIKI_TIMEOUT, headers=headers) as client:
            answer = client.request(method, f"{settings.WIKI_REST_URL}/oauth2/{place}", **options)
        said = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise WikiUnavailable(_("The wiki does not answer. Try again in a minute.")) from error
    if not answer.is_success or not isinstance(said, dict):
        _raise_error_of(answer.status_code, said if isinstance(said, dict) else {})
    return said


def _raise_error_of(status: int, said: Mapping[str, Any]) -> None:
    key = said.get("error") or said.get("errorKey") or ""
    message = said.get("error_description") or said.get("message") or status
    if key in REVOKED:
        raise GrantRevoked(_("The wiki refused: %s") % message)
    if status == httpx.codes.FORBIDDEN:
        raise PersonBarred(_("The wiki refused: %s") % message)
    raise WikiUnavailable(_("The wiki refused: %s") % message)
