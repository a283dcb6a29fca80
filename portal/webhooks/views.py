"""Pages about the hooks that forges post to."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import OuterRef, Subquery
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.accounts.permissions import MemberRequest, requires
from portal.tools.models import Tool
from portal.webhooks import operations
from portal.webhooks.forms import HookForm, NewHookForm
from portal.webhooks.models import Arrival, Hook
from portal.webhooks.operations import EDITABLE, WebhookRefused

PAGE_SIZE = 25


def maintained(request: MemberRequest, name: str) -> Tool:
    return get_object_or_404(Tool.objects.maintained_by(request.user), name=name)


def page(request: MemberRequest, template: str, tool: Tool, **context: Any) -> HttpResponse:  # noqa: ANN401
    shared = {"tool": tool, "tab": "webhooks", "can_edit": True, "can_view": True}
    return render(request, f"webhooks/{template}", shared | context)


def attempt(form: forms.Form, operation: Callable[[], Any]) -> Any:  # noqa: ANN401
    """What the operation gives; None when it refused, and then the form says why."""
    try:
        return operation()
    except WebhookRefused as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
        return None


@requires("maintainer")
@require_GET
def webhooks(request: MemberRequest, name: str) -> HttpResponse:
    tool = maintained(request, name)
    subscriptions = tool.subscriptions.all()
    return page(request, "webhooks.html", tool, hooks=_with_last(tool), subscriptions=subscriptions)


def _with_last(tool: Tool) -> list[tuple[Hook, Arrival | None]]:
    """The tool's hooks, each with the newest of what came in, in two queries."""
    newest = Arrival.objects.filter(hook=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    hooks = list(tool.hooks.annotate(newest=Subquery(newest)))
    arrivals = Arrival.objects.defer("payload", "push").in_bulk([each.newest for each in hooks])
    return [(hook, arrivals.get(hook.newest)) for hook in hooks]


@never_cache
@requires("maintainer")
@require_http_methods(["GET", "POST"])
def hook_new(request: MemberRequest, name: str) -> HttpResponse:
    tool = maintained(request, name)
    form = NewHookForm(request.POST or None)
    if request.method == "POST" and form.is_valid():

        def create() -> tuple[Hook, str]:
            return operations.create_hook(
                tool, by=request.user, at=timezone.now(), **form.cleaned_data
            )

        if made := attempt(form, create):
            hook, secret = made
            return _hook_page(request, hook, secret=secret)
    return page(request, "hook_new.html", tool, form=form)


def _hook(request: MemberRequest, name: str, pk: int) -> Hook:
    tool = maintained(request, name)
    hook = get_object_or_404(tool.hooks, pk=pk)
    hook.tool = tool
    return hook


@requires("maintainer")
@require_http_methods(["GET", "POST"])
def hook_detail(request: MemberRequest, name: str, pk: int) -> HttpResponse:
    hook = _hook(request, name, pk)
    if request.method != "POST":
        return _hook_page(request, hook)
    form = HookForm(request.POST)
    if form.is_valid():

        def edit() -> Hook:
            return operations.edit_hook(
                hook, by=request.user, at=timezone.now(), **form.cleaned_data
            )

        if attempt(form, edit):
            messages.success(request, _("Saved."))
            return redirect(hook)
    return _hook_page(request, hook, form=form)


def _hook_page(
    request: MemberRequest, hook: Hook, *, form: forms.Form | None = None, secret: str = ""
) -> HttpResponse:
    now = {name: getattr(hook, name) for name in EDITABLE}
    arrivals = hook.arrivals.select_related("build__tool", "asked_by").defer("payload", "push")
    log = Paginator(arrivals, PAGE_SIZE).get_page(request.GET.get("page"))
    return page(
        request,
        "hook_detail.html",
        hook.tool,
        hook=hook,
        form=form or HookForm(initial=now),
        secret=secret,
        arrivals=log,
        kept_days=settings.DELIVERIES_KEPT_DAYS,
        overlap_hours=settings.HOOK_OVERLAP_HOURS,
    )


@never_cache
@requires("maintainer")
@require_POST
def hook_secret(request: MemberRequest, name: str, pk: int) -> HttpResponse:
    """A new secret, shown in this answer and never again."""
    hook = _hook(request, name, pk)
    secret = operations.rotate_secret(hook, by=request.user, at=timezone.now())
    return _hook_page(request, hook, secret=secret)


@requires("maintainer")
@require_POST
def hook_delete(request: MemberRequest, name: str, pk: int) -> HttpResponse:
    operations.delete_hook(_hook(request, name, pk), by=request.user, at=timezone.now())
    messages.success(request, _("The hook is deleted; posts to it are answered with 404."))
    return redirect("webhooks", name)


def _arrival(request: MemberRequest, name: str, pk: int, number: int) -> Arrival:
    hook = _hook(request, name, pk)
    arrivals = hook.arrivals.select_related("build__tool", "asked_by")
    arrival = get_object_or_404(arrivals, pk=number)
    arrival.hook = hook
    return arrival


@requires("maintainer")
@require_GET
def arrival_detail(request: MemberRequest, name: str, pk: int, number: int) -> HttpResponse:
    arrival = _arrival(request, name, pk, number)
    return page(
        request, "arrival_detail.html", arrival.hook.tool, arrival=arrival, hook=arrival.hook
    )


@requires("maintainer")
@require_POST
def arrival_again(request: MemberRequest, name: str, pk: int, number: int) -> HttpResponse:
    arrival = _arrival(request, name, pk, number)
    try:
        again = operations.decide_again(arrival, by=request.user, at=timezone.now())
    except WebhookRefused as refusal:
        messages.warning(request, str(refusal))
    else:
        messages.info(request, _("Decided again: %(reason)s.") % {"reason": again.reason})
    return redirect(arrival.hook)
