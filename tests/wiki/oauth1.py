"""OAuth 1.0a as Special:OAuth speaks it: errors come with status 200, as text or as JSON."""

import hmac
import secrets
import time
from urllib.parse import urlencode

from tests.wiki.signing import authorization, signature, web_token

FRESH = 300
PROTOCOL = "An error occurred in the OAuth protocol: "


class Refused(Exception):
    """An error of the protocol: MediaWiki's key for the message, and the message."""

    def __init__(self, message, key="mwoauth-oauth-exception"):
        prefix = PROTOCOL if key == "mwoauth-oauth-exception" else ""
        super().__init__(prefix + message)
        self.key = key


def checked(wiki, request, token_secret_of):
    """The parameters of a signed request; raises Refused for anything that is not right."""
    given = authorization(request.headers.get("Authorization", ""))
    if given.get("oauth_consumer_key") != wiki.key:
        raise Refused("Invalid consumer key" if token_secret_of is None else "Invalid consumer")
    if abs(time.time() - int(given.get("oauth_timestamp", 0))) > FRESH:
        raise Refused("Expired timestamp, yours is old")
    secret = token_secret_of(given.get("oauth_token", "")) if token_secret_of else ""
    expected = signature(
        request.command,
        request.full_url,
        given,
        consumer_secret=wiki.secret,
        token_secret=secret,
    )
    if not hmac.compare_digest(expected, given.get("oauth_signature", "")):
        raise Refused("Invalid signature")
    mark = (given.get("oauth_token"), given["oauth_timestamp"], given.get("oauth_nonce"))
    with wiki.lock:
        if not given.get("oauth_nonce") or mark in wiki.nonces:
            raise Refused("Nonce already used")
        wiki.nonces.add(mark)
    return given


def initiate(wiki, request):
    given = checked(wiki, request, None)
    if "oauth_callback" not in given:
        raise Refused("oauth_callback must be set", "mwoauth-callback-not-oob-or-prefix")
    key, asked = wiki.ask(callback=given["oauth_callback"])
    answer = {"oauth_token": key, "oauth_token_secret": asked.secret}
    return urlencode({**answer, "oauth_callback_confirmed": "true"})


def approve(wiki, token, person):
    """Where the browser is sent after somebody allowed it."""
    asked = wiki.asked[token]
    asked.person, asked.verifier = person, secrets.token_hex(16)
    joint = "&" if "?" in asked.callback else "?"
    back = urlencode({"oauth_verifier": asked.verifier, "oauth_token": token})
    return asked.callback + joint + back


def token(wiki, request):
    def secret_of(key):
        if key not in wiki.asked:
            raise Refused("OAuth token not found", "mwoauthdatastore-request-token-not-found")
        return wiki.asked[key].secret

    given = checked(wiki, request, secret_of)
    with wiki.lock:
        asked = wiki.asked.pop(given["oauth_token"])
    if not asked.verifier or asked.verifier != given.get("oauth_verifier"):
        raise Refused(
            "The verification code provided was not valid.", "mwoauthdatastore-bad-verifier"
        )
    key, grant = wiki.grant(asked.person)
    return urlencode({"oauth_token": key, "oauth_token_secret": grant.secret})


def identify(wiki, request):
    def secret_of(key):
        if key not in wiki.grants:
            raise Refused(
                "No approved grant was found for that authorization token.",
                "mwoauthdatastore-access-token-not-found",
            )
        return wiki.grants[key].secret

    given = checked(wiki, request, secret_of)
    person = wiki.grants[given["oauth_token"]].person
    if person.locked:
        raise Refused(
            "The authorization headers in your request are for a user who is blocked",
            "mwoauth-invalid-authorization-blocked-user",
        )
    claims = wiki.identity(person)
    claims["nonce"] = "another" if wiki.lie == "nonce" else given["oauth_nonce"]
    if wiki.lie == "no-nonce":
        del claims["nonce"]
    secret = "another-secret-of-a-forger-000000" if wiki.lie == "signature" else wiki.secret
    algorithm = "none" if wiki.lie == "unsigned" else "HS256"
    return web_token(claims, secret=secret, algorithm=algorithm)
