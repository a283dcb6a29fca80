"""API tokens: list, create, rotate, revoke; command lines that are signed in."""

from django.contrib import messages
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts.forms import RotateForm, TokenForm
from portal.accounts.permissions import MemberRequest, requires
from portal.accounts.sessions import command_lines_of, end_command_lines
from portal.accounts.tokens import TokenRefused, issue_token, revoke_token, rotate_token


@never_cache
@requires("member")
@require_http_methods(["GET", "POST"])
def tokens(request: MemberRequest) -> HttpResponse:
    """List the user's tokens; a new one is shown in the answer that makes it, and never again."""
    form = TokenForm(request.POST or None, user=request.user)
    value = ""
    if request.method == "POST" and form.is_valid():
        now = timezone.now()
        try:
            _token, value = issue_token(request.user, at=now, **form.wanted(now))
            form = TokenForm(user=request.user)
        except TokenRefused as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
    return _page(request, form=form, value=value)


@never_cache
@requires("member")
@require_POST
def token_rotate(request: MemberRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(request.user.api_tokens, pk=pk)
    form = RotateForm(request.POST)
    value = ""
    if form.is_valid():
        try:
            _new, value = rotate_token(
                token, by=request.user, at=timezone.now(), overlap=form.cleaned_data["overlap"]
            )
        except TokenRefused as refusal:
            messages.error(request, str(refusal))
    return _page(request, form=TokenForm(user=request.user), value=value)


@requires("member")
@require_POST
def token_revoke(request: MemberRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(request.user.api_tokens, pk=pk)
    revoke_token(token, by=request.user, at=timezone.now())
    messages.success(request, _("The token %(token)s works no longer.") % {"token": token})
    return redirect("tokens")


@requires("member")
@require_POST
def command_lines_end(request: MemberRequest) -> HttpResponse:
    end_command_lines(request.user, by=request.user, at=timezone.now())
    messages.success(request, _("Every command line is signed out."))
    return redirect("tokens")


def _page(request: MemberRequest, *, form: Form, value: str) -> HttpResponse:
    now = timezone.now()
    context = {
        "form": form,
        "rotate_form": RotateForm(),
        "value": value,
        "tokens": [(token, token.has_ended(now)) for token in request.user.api_tokens.all()],
        "command_lines": command_lines_of(request.user),
    }
    return render(request, "accounts/tokens.html", context)
