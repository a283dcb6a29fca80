"""Pages about the addresses that the portal calls, and about mail."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.accounts.permissions import MemberRequest, requires
from portal.tools.models import Tool
from portal.webhooks import subscribing
from portal.webhooks.forms import SubscriptionForm
from portal.webhooks.models import Delivery, MailChoice, Subscription
from portal.webhooks.operations import WebhookRefused
from portal.webhooks.views import PAGE_SIZE, attempt, maintained, page


@never_cache
@requires("maintainer")
@require_http_methods(["GET", "POST"])
def subscription_new(request: MemberRequest, name: str) -> HttpResponse:
    tool = maintained(request, name)
    form = SubscriptionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():

        def create() -> tuple[Subscription, str]:
            return subscribing.subscribe(
                tool, by=request.user, at=timezone.now(), **form.cleaned_data
            )

        if made := attempt(form, create):
            subscription, secret = made
            return _subscription_page(request, subscription, secret=secret)
    return page(request, "subscription_new.html", tool, form=form)


def _subscription(request: MemberRequest, name: str, pk: int) -> Subscription:
    tool = maintained(request, name)
    subscription = get_object_or_404(tool.subscriptions, pk=pk)
    subscription.tool = tool
    return subscription


@requires("maintainer")
@require_http_methods(["GET", "POST"])
def subscription_detail(request: MemberRequest, name: str, pk: int) -> HttpResponse:
    subscription = _subscription(request, name, pk)
    if request.method != "POST":
        return _subscription_page(request, subscription)
    form = SubscriptionForm(request.POST)
    if form.is_valid():

        def edit() -> Subscription:
            return subscribing.edit_subscription(
                subscription, by=request.user, at=timezone.now(), **form.cleaned_data
            )

        if attempt(form, edit):
            messages.success(request, _("Saved."))
            return redirect(subscription)
    return _subscription_page(request, subscription, form=form)


def _subscription_page(
    request: MemberRequest,
    subscription: Subscription,
    *,
    form: forms.Form | None = None,
    secret: str = "",
) -> HttpResponse:
    now = {name: getattr(subscription, name) for name in ("url", "events", "is_active")}
    deliveries = subscription.deliveries.select_related("notice", "asked_by")
    log = Paginator(deliveries, PAGE_SIZE).get_page(request.GET.get("page"))
    return page(
        request,
        "subscription_detail.html",
        subscription.tool,
        subscription=subscription,
        form=form or SubscriptionForm(initial=now),
        secret=secret,
        deliveries=log,
        kept_days=settings.DELIVERIES_KEPT_DAYS,
    )


@never_cache
@requires("maintainer")
@require_POST
def subscription_secret(request: MemberRequest, name: str, pk: int) -> HttpResponse:
    """A new secret, shown in this answer and never again."""
    subscription = _subscription(request, name, pk)
    secret = subscribing.change_secret(subscription, by=request.user, at=timezone.now())
    return _subscription_page(request, subscription, secret=secret)


@requires("maintainer")
@require_POST
def subscription_test(request: MemberRequest, name: str, pk: int) -> HttpResponse:
    subscription = _subscription(request, name, pk)
    subscribing.send_test(subscription, by=request.user, at=timezone.now())
    messages.info(request, _("A test is on its way; load this page again to see what came of it."))
    return redirect(subscription)


@requires("maintainer")
@require_POST
def subscription_delete(request: MemberRequest, name: str, pk: int) -> HttpResponse:
    subscription = _subscription(request, name, pk)
    subscribing.unsubscribe(subscription, by=request.user, at=timezone.now())
    messages.success(request, _("The subscription is deleted; its address is called no more."))
    return redirect("webhooks", name)


def _delivery(request: MemberRequest, name: str, pk: int, number: int) -> Delivery:
    subscription = _subscription(request, name, pk)
    deliveries = subscription.deliveries.select_related("notice__tool", "asked_by")
    delivery = get_object_or_404(deliveries, pk=number)
    delivery.subscription = subscription
    return delivery


@requires("maintainer")
@require_GET
def delivery_detail(request: MemberRequest, name: str, pk: int, number: int) -> HttpResponse:
    delivery = _delivery(request, name, pk, number)
    return page(
        request,
        "delivery_detail.html",
        delivery.notice.tool,
        delivery=delivery,
        subscription=delivery.subscription,
    )


@requires("maintainer")
@require_POST
def delivery_again(request: MemberRequest, name: str, pk: int, number: int) -> HttpResponse:
    delivery = _delivery(request, name, pk, number)
    subscribing.deliver_again(delivery, by=request.user, at=timezone.now())
    messages.info(request, _("It is on its way again."))
    return redirect("subscription", name, pk)


@requires("member")
@require_http_methods(["GET", "POST"])
def mail_choices(request: MemberRequest) -> HttpResponse:
    """What the signed-in person gets mail about, tool by tool."""
    tools = list(Tool.objects.of_member(request.user).order_by("name"))
    chosen = dict(request.user.mail_choices.values_list("tool", "level"))
    if request.method == "POST":
        return _save_choices(request, tools, chosen)
    rows = [{"tool": tool, "level": chosen.get(tool.pk, "")} for tool in tools]
    context: dict[str, Any] = {"rows": rows, "levels": MailChoice.Level.choices}
    return render(request, "webhooks/mail_choices.html", context)


def _save_choices(
    request: MemberRequest, tools: list[Tool], chosen: dict[int, str]
) -> HttpResponse:
    try:
        for tool in tools:
            level = request.POST.get(tool.name, "")
            if level != chosen.get(tool.pk, ""):
                subscribing.choose_mail(tool, user=request.user, level=level, at=timezone.now())
        messages.success(request, _("Saved."))
    except WebhookRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("mail_choices")
