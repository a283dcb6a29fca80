"""How often somebody may ask for what costs much. `Retry-After` says when to come back."""

from collections.abc import Callable
from functools import wraps
from math import ceil
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import ngettext
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import ScopedRateThrottle

if TYPE_CHECKING:
    # rest_framework.views imports this module for its default throttles.
    from rest_framework.views import APIView

View = TypeVar("View", bound=Callable[..., Any])


class ChangeThrottle(ScopedRateThrottle):
    """Counts changes alone: reading the same address has the general limits.

    A view names its rate as `throttle_scope`.
    """

    def allow_request(self, request: Request, view: "APIView") -> bool:
        return request.method in SAFE_METHODS or super().allow_request(request, view)


def limited(scope: str) -> Callable[[View], View]:
    """The same for a page; whoever is too fast gets one that says so."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            throttle, named = ChangeThrottle(), SimpleNamespace(throttle_scope=scope)
            if throttle.allow_request(cast(Request, request), cast("APIView", named)):
                return view(request, *args, **kwargs)
            seconds = ceil(throttle.wait() or 1)
            sentence = ngettext(
                "You asked for this too often. Try again in %(count)d second.",
                "You asked for this too often. Try again in %(count)d seconds.",
                seconds,
            )
            context = {"sentence": sentence % {"count": seconds}}
            answer = render(request, "429.html", context, status=429)
            answer.headers["Retry-After"] = str(seconds)
            return answer

        return cast(View, guarded)

    return decorate
