"""Pages about the signed-in user's own account."""

import hashlib
from datetime import timedelta

from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.models import SocialLogin
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts.forms import DevelopmentForm, TokenForm
from portal.accounts.models import ApiToken
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


@never_cache
@requires("member")
@require_http_methods(["GET", "POST"])
def tokens(request: MemberRequest) -> HttpResponse:
    """List the user's tokens; a new one is shown in the answer that makes it, and never again."""
    form = TokenForm(request.POST or None)
    value = ""
    if request.method == "POST" and form.is_valid():
        now, days = timezone.now(), form.cleaned_data["days"]
        expires_at = now + timedelta(days=days) if days else None
        name = form.cleaned_data["name"]
        scopes = form.cleaned_data["scopes"]
        _token, value = ApiToken.issue(
            request.user, name=name, at=now, expires_at=expires_at, scopes=scopes
        )
        form = TokenForm()
    context = {"form": form, "value": value, "tokens": request.user.api_tokens.all()}
    return render(request, "accounts/tokens.html", context)


@requires("member")
@require_POST
def token_revoke(request: MemberRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(request.user.api_tokens, pk=pk)
    token.delete()
    messages.success(request, _("The token %(token)s works no longer.") % {"token": token})
    return redirect("tokens")
