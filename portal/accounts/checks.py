"""What must hold before the portal starts."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.urls import URLPattern, URLResolver, get_resolver

from portal.accounts.permissions import ROLES

OURS = ("portal.", "builds.", "stories.")


def views(
    patterns: Iterable[URLPattern | URLResolver], before: str = ""
) -> Iterator[tuple[str, Any]]:
    """Every route with its view: function views as they are, class-based ones as the class."""
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, route)
        else:
            callback = pattern.callback
            yield route, getattr(callback, "cls", getattr(callback, "view_class", callback))


@register("portal")
def every_view_declares_a_role(
    app_configs: Sequence[Any] | None = None, **_kwargs: object
) -> list[CheckMessage]:
    return [
        Error(
            f"The view of {route} does not say who may call it.",
            hint="Mark it with @requires, or give its class a required_role.",
            id="portal.E001",
        )
        for route, view in views(get_resolver().url_patterns)
        if view.__module__.startswith(OURS) and getattr(view, "required_role", None) not in ROLES
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
