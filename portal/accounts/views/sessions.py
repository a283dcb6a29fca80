"""Where somebody is signed in, and signing out there."""

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from portal.accounts.permissions import MemberRequest, requires
from portal.accounts.sessions import (
    command_lines_of,
    end_session,
    sessions_of,
    sign_out_everywhere,
)


@never_cache
@requires("member")
@require_GET
def sessions(request: MemberRequest) -> HttpResponse:
    context = {
        "sessions": sessions_of(request.user),
        "current": request.session.session_key,
        "command_lines": command_lines_of(request.user),
    }
    return render(request, "accounts/sessions.html", context)


@requires("member")
@require_POST
def session_end(request: MemberRequest, pk: int) -> HttpResponse:
    session = get_object_or_404(UserSession.objects.filter(user=request.user), pk=pk)
    end_session(session, by=request.user, at=timezone.now())
    if session.session_key == request.session.session_key:
        logout(request)
        return redirect("account_login")
    messages.success(request, _("That browser is signed out."))
    return redirect("sessions")


@requires("member")
@require_POST
def sessions_end(request: MemberRequest) -> HttpResponse:
    sign_out_everywhere(request.user, by=request.user, at=timezone.now())
    logout(request)
    return redirect("account_login")
