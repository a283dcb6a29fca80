"""What must hold before the portal starts."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.urls import URLPattern, URLResolver, get_resolver

from portal.accounts.permissions import ROLES

OURS = ("portal.", "builds.", "stories.")
# Routes of packages, by name: who they are for. Start-up fails for one that is not here.
DECLARED = {
    "account_login": "public",
    "account_logout": "public",
    "account_inactive": "public",
    "socialaccount_login_cancelled": "public",
    "socialaccount_login_error": "public",
    "socialaccount_signup": "public",
    "socialaccount_connections": "member",
    "dummy_login": "public",
    "dummy_authenticate": "public",
    "usersessions_list": "member",
    "idp:oidc:configuration": "public",
    "idp:oidc:jwks": "public",
    "idp:oidc:authorization": "member",
    "idp:oidc:device_authorization": "member",
    "idp:oidc:logout": "public",
    "idp:oidc:token": "public",
    "idp:oidc:revoke": "public",
    "idp:oidc:device_code": "public",
    "idp:oidc:userinfo": "public",
    "schema": "public",
    "api_docs": "public",
    "set_language": "public",
}
# Whole packages whose routes are for administrators, and redirects from addresses of long ago.
DECLARED_SPACES, REDIRECTS = ("admin:",), "django.views.generic.base.RedirectView"


def named_views(
    patterns: Iterable[URLPattern | URLResolver], before: str = "", space: str = ""
) -> Iterator[tuple[str, str, Any]]:
    """Every route with its name (its namespace before it) and its view."""
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from named_views(pattern.url_patterns, route, inner)
        else:
            callback = pattern.callback
            view = getattr(callback, "cls", getattr(callback, "view_class", callback))
            yield route, space + (pattern.name or ""), view


def views(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[tuple[str, Any]]:
    """Every route with its view: function views as they are, class-based ones as the class."""
    return ((route, view) for route, _name, view in named_views(patterns))


def is_declared(name: str, view: Any) -> bool:  # noqa: ANN401
    if view.__module__.startswith(OURS):
        return getattr(view, "required_role", None) in ROLES
    is_redirect = f"{view.__module__}.{getattr(view, '__qualname__', '')}" == REDIRECTS
    return name in DECLARED or name.startswith(DECLARED_SPACES) or is_redirect


@register("portal")
def every_view_declares_a_role(
    app_configs: Sequence[Any] | None = None, **_kwargs: object
) -> list[CheckMessage]:
    return [
        Error(
            f"The view of {route} does not say who may call it.",
            hint="Mark it with @requires, give its class a required_role, or name it in DECLARED.",
            id="portal.E001",
        )
        for route, name, view in named_views(get_resolver().url_patterns)
        if not is_declared(name, view)
    ]


@register("portal", "security")
def the_development_identity_needs_debug(
    app_configs: Sequence[Any] | None = None, **_kwargs: object
) -> list[CheckMessage]:
    if not settings.DEVELOPMENT_IDENTITY or settings.DEBUG:
        return []
    return [
        Error(
            "The development identity signs anyone in as anyone, and DEBUG is off.",
            hint="Unset PORTAL_DEVELOPMENT_IDENTITY.",
            id="portal.E002",
        )
    ]
