"""Headers that every answer carries besides those that Django and django-csp set."""

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

Next = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class SecurityHeaders:
    async_capable = True
    sync_capable = True

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        answer = self.get_response(request)
        return _with_headers(answer) if isinstance(answer, HttpResponseBase) else _later(answer)


async def _later(answer: Awaitable[HttpResponseBase]) -> HttpResponseBase:
    return _with_headers(await answer)


def _with_headers(answer: HttpResponseBase) -> HttpResponseBase:
    answer.headers.setdefault("Permissions-Policy", settings.PERMISSIONS_POLICY)
    answer.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    return answer
