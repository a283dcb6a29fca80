"""OAuth 2 as rest.php speaks it: authorization codes with PKCE, refresh tokens, the profile."""

import base64
import hashlib
import secrets
from urllib.parse import urlencode


class Refused(Exception):
    def __init__(self, status, error, message):
        super().__init__(message)
        self.status, self.body = status, {"error": error, "error_description": message}


def ask(wiki, given):
    """Remember what a client asked for; the token that the page of the wiki carries."""
    if given.get("client_id") != wiki.key or given.get("response_type") != "code":
        raise Refused(401, "invalid_client", "Client authentication failed")
    key, asked = wiki.ask(callback=given["redirect_uri"], challenge=given.get("code_challenge", ""))
    asked.secret = given.get("state", "")
    return key


def approve(wiki, key, person):
    asked = wiki.asked[key]
    asked.person, asked.verifier = person, secrets.token_hex(16)
    return f"{asked.callback}?{urlencode({'code': asked.verifier, 'state': asked.secret})}"


def decline(wiki, key):
    asked = wiki.asked.pop(key)
    back = {"error": "access_denied", "state": asked.secret}
    return f"{asked.callback}?{urlencode(back)}"


def access_token(wiki, given):
    if (given.get("client_id"), given.get("client_secret")) != (wiki.key, wiki.secret):
        raise Refused(401, "invalid_client", "Client authentication failed")
    if given.get("grant_type") == "refresh_token":
        return _answer(wiki, _refreshed(wiki, given.get("refresh_token", "")))
    with wiki.lock:
        found = [
            key
            for key, asked in wiki.asked.items()
            if asked.verifier and asked.verifier == given.get("code")
        ]
        asked = wiki.asked.pop(found[0]) if found else None
    if asked is None or asked.callback != given.get("redirect_uri"):
        raise Refused(400, "invalid_grant", "The authorization code is not valid")
    if asked.challenge and asked.challenge != _challenge(given.get("code_verifier", "")):
        raise Refused(400, "invalid_grant", "Failed to verify `code_verifier`.")
    return _answer(wiki, asked.person)


def _challenge(verifier):
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _refreshed(wiki, refresh):
    for key, grant in list(wiki.grants.items()):
        if grant.refresh == refresh:
            del wiki.grants[key]
            return grant.person
    raise Refused(400, "invalid_grant", "The refresh token is invalid.")


def _answer(wiki, person):
    key, grant = wiki.grant(person)
    return {
        "token_type": "Bearer",
        "expires_in": wiki.token_life,
        "access_token": key,
        "refresh_token": grant.refresh,
    }


def profile(wiki, header, now):
    grant = wiki.grants.get(header.removeprefix("Bearer "))
    if grant is None or grant.ends < now:
        raise Refused(401, "access_denied", "The resource owner denied the request.")
    if grant.person.locked:
        raise Refused(403, "rest-permission-denied-error", "This user is locked")
    claims = wiki.identity(grant.person)
    return {
        name: value for name, value in claims.items() if name not in ("aud", "exp", "iat", "iss")
    }
