"""`Authorization: Bearer <token>` for REST clients: an API token, or a command line's sign-in."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address

from allauth.idp.oidc.models import Token
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from portal.accounts.models import TOKEN_PREFIX, ApiToken, User, includes
from portal.accounts.tokens import Credential

# Routes that name the tool which they are about.
OF_A_TOOL = re.compile(r"(^|/)tools?/<slug:name>/")


@dataclass(frozen=True)
class CommandLine:
    """A command line that signed in by device login, as a Credential."""

    prefix: str
    scopes: Sequence[str]
    tool_name: str = ""
    # Its access token ends within the hour, and it renews that by itself.
    expires_at: datetime | None = None
    name: str = "command line"

    def allows(self, scope: str) -> bool:
        return includes(self.scopes, scope)


class TokenAuthentication(BaseAuthentication):
    """Knows a user by a token; anything wrong with a token that was sent is a 401.

    `request.auth` is the Credential that it came with, None for a session.
    """

    def authenticate(self, request: Request) -> tuple[User, Credential] | None:
        scheme, _space, value = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        find = _by_api_token if value.strip().startswith(TOKEN_PREFIX) else _by_command_line
        found = find(value.strip(), request)
        if found is None:
            raise AuthenticationFailed(
                _("This token is unknown, expired or revoked. Make a new one on the tokens page.")
            )
        _refuse_other_tools(found[1], request)
        _refuse_missing_scope(found[1], request)
        return found

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _by_api_token(value: str, request: Request) -> tuple[User, Credential] | None:
    now = timezone.now()
    usable = ApiToken.objects.usable(now).select_related("user")
    token = usable.filter(digest=ApiToken.digest_of(value)).first()
    if token is None:
        return None
    token.note_use(now, address=_address(request))
    return token.user, token


def _by_command_line(value: str, request: Request) -> tuple[User, Credential] | None:
    token = Token.objects.lookup(Token.Type.ACCESS_TOKEN, value)
    if token is None or token.user is None or not token.user.is_active:
        return None
    return token.user, CommandLine(f"command line {token.pk}"[:16], token.get_scopes())


def _address(request: Request) -> str | None:
    try:
        return str(ip_address(request.META.get("REMOTE_ADDR", "")))
    except ValueError:
        return None


def _refuse_other_tools(token: Credential, request: Request) -> None:
    """A token for one tool is for addresses that name it, and for what says who is asking."""
    view = request.parser_context["view"] if request.parser_context else None
    if not token.tool_name or getattr(view, "for_any_token", False):
        return
    match = request.resolver_match
    is_its_own = (
        match is not None
        and OF_A_TOOL.search(match.route)
        and match.kwargs.get("name") == token.tool_name
    )
    if not is_its_own:
        raise PermissionDenied(_("This token is for the tool “%s” only.") % token.tool_name)


def _refuse_missing_scope(token: Credential, request: Request) -> None:
    """A view names the scopes for reading and for changing; what is public needs none."""
    view = request.parser_context["view"] if request.parser_context else None
    reading, changing = getattr(view, "scopes", ("", ""))
    is_reading = request.method in SAFE_METHODS
    if is_reading and getattr(view, "required_role", "public") == "public":
        return
    scope = reading if is_reading else changing
    if scope and not token.allows(scope):
        raise PermissionDenied(_("This token lacks the scope “%s”. Make one that has it.") % scope)


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes the above in the OpenAPI document."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
