"""The page on which somebody lets a command line act for them."""

from http import HTTPStatus

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from portal.accounts.device import answer, asked_with
from portal.accounts.events import tell
from portal.accounts.permissions import MemberRequest, requires


@never_cache
@requires("member")
@require_http_methods(["GET", "POST"])
def device(request: MemberRequest) -> HttpResponse:
    """Ask for the code, show what is asked with it, take the answer."""
    code = str(request.POST.get("code") or request.GET.get("code") or "")
    asked = asked_with(code) if code else None
    context: dict[str, object] = {"code": code, "asked": asked, "answered": ""}
    status = HTTPStatus.NOT_FOUND if code and not asked else HTTPStatus.OK
    if asked and request.method == "POST":
        is_allowed = request.POST.get("answer") == "allow"
        if answer(asked, request.user, is_allowed=is_allowed):
            context["answered"] = "allowed" if is_allowed else "declined"
            summary = f"{asked.user_code}: {', '.join(asked.scopes)}"
            action = f"account.command_line_{context['answered']}"
            tell(by=request.user, action=action, summary=summary, at=timezone.now())
    return render(request, "accounts/device.html", context, status=status)
