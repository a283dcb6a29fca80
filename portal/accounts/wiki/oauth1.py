"""Asks a wiki by OAuth 1.0a, through mwoauth; its errors end here.

mwoauth has no way to set a time-out or to see an answer, so its `requests` is replaced: by one that
gives up in time, follows no redirects, and says what MediaWiki's errors, which come with status
200, mean. That is a patch of another package's module: mwoauth is pinned to the version it fits.
"""

import logging
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import mwoauth
import requests
from django.conf import settings
from django.utils.translation import gettext as _
from mwoauth import AccessToken, ConsumerToken, Handshaker, OAuthException, RequestToken

from portal.accounts.wiki.grant import Grant
from portal.accounts.wiki.identity import (
    GrantRevoked,
    PersonBarred,
    WikiError,
    WikiUnavailable,
    WikiUntrusted,
)

log = logging.getLogger(__name__)

# What mwoauth raises for answers that it did not expect, besides its own error.
SURPRISES = (OAuthException, TypeError, KeyError, AttributeError, ValueError)
# MediaWiki's names for its messages, and what they mean to somebody whose grant is asked with.
MEANINGS: Mapping[str, type[WikiError]] = {
    "mwoauthdatastore-access-token-not-found": GrantRevoked,
    "mwoauth-invalid-access-token": GrantRevoked,
    "mwoauth-invalid-authorization-invalid-user": GrantRevoked,
    "mwoauth-invalid-authorization-blocked-user": PersonBarred,
}


def _post(url: str, **options: Any) -> requests.Response:  # noqa: ANN401
    timeout = (min(3.05, settings.WIKI_TIMEOUT), settings.WIKI_TIMEOUT)
    try:
        answer = requests.post(url, timeout=timeout, allow_redirects=False, **options)
    except requests.RequestException as error:
        raise WikiUnavailable(_("The wiki does not answer. Try again in a minute.")) from error
    if not answer.ok or answer.text.lstrip().startswith("<"):
        raise WikiUnavailable(_("The wiki cannot sign anyone in just now. Try again in a minute."))
    if answer.text.startswith("{"):
        _raise_error_of(answer)
    return answer


def _raise_error_of(answer: requests.Response) -> None:
    try:
        said = answer.json()
    except requests.JSONDecodeError:
        return
    key, message = said.get("error"), said.get("message")
    if key is not None:
        log.warning("the wiki answered %s: %s", key, message)
        meaning = MEANINGS.get(str(key), WikiUnavailable)
        raise meaning(_("The wiki refused: %s") % message)


mwoauth.functions.requests = SimpleNamespace(post=_post)


def _handshaker() -> Handshaker:
    consumer = ConsumerToken(settings.OAUTH_KEY, settings.OAUTH_SECRET)
    return Handshaker(settings.WIKI_URL, consumer, user_agent=settings.USER_AGENT)


def initiate(callback: str) -> tuple[str, Grant]:
    """Where to send the browser, and the request token that must come back with it."""
    try:
        address, token = _handshaker().initiate(callback)
    except SURPRISES as error:
        # A wrong consumer key, for example: what to do stands in the operator's log.
        log.error("the wiki began no sign-in: %s", error)
        raise WikiUnavailable(
            _("The wiki refused to begin. The operator of this site has to look at it.")
        ) from error
    return address, Grant(token.key, token.secret)


def complete(request_token: Grant, query: str) -> Grant:
    """The grant for what the wiki sent back in `query`; it can be had once."""
    token = RequestToken(request_token.key, request_token.secret)
    try:
        access = _handshaker().complete(token, query)
    except SURPRISES as error:
        raise WikiUntrusted(_("The wiki did not confirm this sign-in. Begin again.")) from error
    return Grant(access.key, access.secret)


def identify(grant: Grant) -> Mapping[str, Any]:
    """What the wiki states about the person: signed, for us, fresh, and for this very request."""
    try:
        claims = _handshaker().identify(AccessToken(grant.key, grant.secret))
    except SURPRISES as error:
        raise WikiUntrusted(
            _("The wiki's statement about you cannot be trusted. Nothing was changed.")
        ) from error
    if "exp" not in claims:
        raise WikiUntrusted(_("The wiki's statement about you has no end. Nothing was changed."))
    return claims
