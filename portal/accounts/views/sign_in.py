"""Signing in without a wiki, in development."""

import hashlib

from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.models import SocialLogin
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from portal.accounts.forms import DevelopmentForm
from portal.accounts.permissions import MemberRequest, requires


@requires("public")
@require_POST
def development_sign_in(request: MemberRequest) -> HttpResponse:
    """Sign in as anyone, through allauth's provider for development; 404 without DEBUG."""
    if not settings.DEVELOPMENT_IDENTITY:
        raise Http404
    form = DevelopmentForm(request.POST)
    if not form.is_valid():
        messages.error(request, str(form.errors["username"][0]))
        return redirect("account_login")
    name = form.cleaned_data["username"]
    # The provider wants a number; the same name has to give the same one.
    identity = {"id": int(hashlib.sha256(name.encode()).hexdigest()[:15], 16), "username": name}
    provider = get_adapter().get_provider(request, "dummy")
    login: SocialLogin = provider.sociallogin_from_response(request, identity)
    login.state = {"process": "login", "next": get_next_redirect_url(request) or "/"}
    return complete_social_login(request, login)
