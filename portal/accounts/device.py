"""Device login: the client that command lines are, and what a code on a screen asks for.

The protocol (RFC 8628) is allauth's; its page for the code is not used: it shows no scopes, and
takes the answer without a check against forged requests.
"""

import re
from dataclasses import dataclass

from allauth.idp.oidc.internal.oauthlib import device_codes
from allauth.idp.oidc.models import Client
from django.core.cache import cache
from django.core.exceptions import ValidationError

from portal.accounts.models import ApiToken, User

CLIENT_ID = "portal-cli"
# As allauth makes them; a dash may be left out.
USER_CODE = re.compile(r"([A-Z0-9]{4})-?([A-Z0-9]{4})")


@dataclass(frozen=True)
class Asked:
    """A command line that waits for an answer."""

    device_code: str
    user_code: str
    scopes: tuple[str, ...]

    @property
    def scope_labels(self) -> list[str]:
        labels = dict(ApiToken.Scope.choices)
        return [str(labels[scope]) for scope in self.scopes if scope in labels]


def asked_with(user_code: str) -> Asked | None:
    """What waits behind a code that somebody typed; None for one that nobody waits with."""
    match = USER_CODE.fullmatch(user_code.strip().upper())
    if match is None:
        return None
    try:
        device_code, client = device_codes.validate_user_code("-".join(match.groups()))
    except ValidationError:
        return None
    waiting = cache.get(device_codes.cache_device_code_key(device_code))
    if waiting is None or client.pk != CLIENT_ID:
        return None
    scopes = waiting["scope"] or client.get_default_scopes()
    return Asked(device_code, waiting["device"]["user_code"], tuple(scopes))


def answer(asked: Asked, user: User, *, is_allowed: bool) -> bool:
    """False if it was answered or ran out meanwhile."""
    return device_codes.confirm_or_deny_device_code(user, asked.device_code, confirm=is_allowed)


def register_client() -> None:
    """The public client of command lines: known to all, so it has no secret. May be repeated."""
    scopes = "\n".join(ApiToken.Scope.values)
    Client.objects.update_or_create(
        id=CLIENT_ID,
        defaults={
            "name": "portal command line",
            "type": Client.Type.PUBLIC,
            "scopes": scopes,
            "default_scopes": scopes,
            "grant_types": f"{Client.GrantType.DEVICE_CODE}\n{Client.GrantType.REFRESH_TOKEN}",
            "response_types": "",
            "redirect_uris": "",
        },
    )
