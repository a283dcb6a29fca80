"""`Authorization: Bearer <token>` for REST clients."""

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from portal.accounts.models import ApiToken, User


class TokenAuthentication(BaseAuthentication):
    """Knows a user by a token; anything wrong with a token that was sent is a 401."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _space, value = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        now = timezone.now()
        usable = ApiToken.objects.usable(now).select_related("user")
        token = usable.filter(digest=ApiToken.digest_of(value.strip())).first()
        if token is None:
            raise AuthenticationFailed(
                _("This token is unknown, expired or revoked. Make a new one on the tokens page.")
            )
        _refuse_missing_scope(token, request)
        token.note_use(now)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _refuse_missing_scope(token: ApiToken, request: Request) -> None:
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
