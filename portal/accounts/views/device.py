"""The page on which somebody lets a command line act for them."""

from http import HTTPStatus

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from portal.accounts.device import Asked, answer, asked_with
from portal.accounts.events import tell
from portal.accounts.permissions import MemberRequest, requires


@never_cache
@requires("member")
@require_http_methods(["GET", "POST"])
def device(request: MemberRequest) -> HttpResponse:
    """Ask for the code, show what is asked with it, take the answer."""
    code = str(request.POST.get("code") or request.GET.get("code") or "")
    asked = asked_with(code) if code else None
    status = HTTPStatus.NOT_FOUND if code and not asked else HTTPStatus.OK
    answered = _take_answer(asked, request) if asked and request.method == "POST" else ""
    context = {"code": code, "asked": asked, "answered": answered}
    return render(request, "accounts/device.html", context, status=status)


def _take_answer(asked: Asked, request: MemberRequest) -> str:
    """Which it was; "" if it was answered or ran out meanwhile."""
    is_allowed = request.POST.get("answer") == "allow"
    if not answer(asked, request.user, is_allowed=is_allowed):
        return ""
    answered = "allowed" if is_allowed else "declined"
    summary = f"{asked.user_code}: {', '.join(asked.scopes)}"
    action = f"account.command_line_{answered}"
    tell(by=request.user, action=action, summary=summary, at=timezone.now())
    return answered
