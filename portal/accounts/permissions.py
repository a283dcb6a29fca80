"""Every view says who may call it; start-up fails for one that does not.

A view is marked with `@requires(role)`; a REST view class has `required_role = role`. The roles:

- `public`: anyone
- `member`: anyone who is signed in
- `viewer`, `maintainer`: people with that role on the tool that the address names
- `workgroup`: members of the workgroup, and administrators
- `admin`: administrators

The mark makes sure that somebody is signed in. Which tool somebody may see or change is part of the
query: `get_object_or_404(Tool.objects.maintained_by(user), name=name)`.
"""

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from portal.accounts.models import User
from portal.accounts.origin import Origin


class MemberRequest(HttpRequest):
    """A request of somebody who is signed in, as `requires` made sure."""

    user: User


# Scopes that a token needs for reading and for changing; a REST view class names one of these.
TOOLS, RUNNING, RECORDS = ("read", "write"), ("read", "deploy"), ("stories:read", "stories:write")
# For what any token may ask.
ANY_TOKEN = ("", "")
ROLES = ("public", "member", "viewer", "maintainer", "workgroup", "admin")
View = TypeVar("View", bound=Callable[..., Any])


def requires(role: str) -> Callable[[View], View]:
    """Mark a function view with the role that it is for; sends visitors to the sign-in page."""
    if role not in ROLES:
        raise ValueError(f"unknown role {role}")

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            return _refusal(request, role) or view(request, *args, **kwargs)

        @wraps(view)
        async def guarded_async(
            request: HttpRequest, *args: object, **kwargs: object
        ) -> HttpResponseBase:
            refusal = await sync_to_async(_refusal)(request, role)
            return refusal or await view(request, *args, **kwargs)

        chosen: Any = guarded_async if iscoroutinefunction(view) else guarded
        chosen.required_role = role
        return chosen

    return decorate


def _refusal(request: HttpRequest, role: str) -> HttpResponseBase | None:
    if role == "public":
        return None
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    user = request.user
    if role == "admin" and not user.is_admin:
        raise PermissionDenied
    if role == "workgroup" and not (user.is_workgroup or user.is_admin):
        raise PermissionDenied
    user.origin = Origin.of(request.META)
    return None
