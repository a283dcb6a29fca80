"""How often one address may try to sign in or ask for a token, and what it is told then."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

SECONDS: Mapping[str, int] = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse(rate: str) -> tuple[int, int]:
    """“30/min” is 30 in 60 seconds."""
    amount, _slash, period = rate.partition("/")
    return int(amount), SECONDS[period[0]]


def seconds_to_wait(name: str, address: str, *, rate: str, now: float) -> int:
    """Count one try; 0 if it may be made, else the seconds until the next may."""
    amount, period = parse(rate)
    window = int(now // period)
    key = f"rate:{name}:{address}:{window}"
    cache.add(key, 0, timeout=period)
    try:
        tries = cache.incr(key)
    except ValueError:
        # It ran out between the two.
        tries = 1
    return 0 if tries <= amount else max(1, int((window + 1) * period - now))


class Limits:
    """Middleware for the routes that PORTAL_RATE_* name; others pass."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., Any],
        args: Sequence[object],
        kwargs: Mapping[str, object],
    ) -> HttpResponse | None:
        match = request.resolver_match
        rate = settings.ROUTE_RATES.get(match.view_name) if match else None
        if match is None or rate is None:
            return None
        address = str(request.META.get("REMOTE_ADDR", ""))
        wait = seconds_to_wait(match.view_name, address, rate=rate, now=time.time())
        return _too_many(request, wait) if wait else None


def _too_many(request: HttpRequest, wait: int) -> HttpResponse:
    sentence = _("Too many tries from your address. Try again in %s seconds.") % wait
    answer: HttpResponse
    if "/api/" in request.path:
        body = {"error": "slow_down", "error_description": sentence}
        answer = JsonResponse(body, status=429)
    else:
        answer = render(request, "429.html", {"sentence": sentence}, status=429)
    answer.headers["Retry-After"] = str(wait)
    return answer
