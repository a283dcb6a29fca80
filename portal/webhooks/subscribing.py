"""What people and programs may ask of subscriptions and mail; HTML and REST call these."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.encryption import encrypt
from portal.outgoing import CallRefused, check_url
from portal.tools.models import Tool
from portal.tools.operations import record_event
from portal.webhooks.announcing import deliver_to, make_notice
from portal.webhooks.events import EVENTS, TEST
from portal.webhooks.models import Delivery, MailChoice, Subscription
from portal.webhooks.operations import WebhookRefused, new_secret


def subscribe(
    tool: Tool, *, url: str, events: Sequence[str], by: User, at: datetime, is_active: bool = True
) -> tuple[Subscription, str]:
    """An address that is called from now on, and the secret, which cannot be had again."""
    most = settings.SUBSCRIPTIONS_PER_TOOL
    if tool.subscriptions.count() >= most:
        raise WebhookRefused(
            _("A tool has %(most)d subscriptions at most. Delete one first.") % {"most": most}
        )
    fields = _checked({"url": url, "events": events, "is_active": is_active})
    secret = new_secret()
    with transaction.atomic():
        subscription = tool.subscriptions.create(
            created_at=at, encrypted_secret=encrypt(secret), **fields
        )
        _record(subscription, "created", by=by, at=at)
    return subscription, secret


def edit_subscription(
    subscription: Subscription,
    *,
    by: User,
    at: datetime,
    **fields: Any,  # noqa: ANN401
) -> Subscription:
    """Change `url`, `events` or `is_active`; switching it on ends what the platform paused."""
    fields = _checked(fields)
    if fields.get("is_active"):
        fields |= {"paused_reason": "", "failing_since": None}
    before = {name: getattr(subscription, name) for name in ("events", "is_active")}
    for name, value in fields.items():
        setattr(subscription, name, value)
    after = {name: getattr(subscription, name) for name in before}
    with transaction.atomic():
        Subscription.objects.filter(pk=subscription.pk).update(**fields)
        _record(subscription, "edited", by=by, at=at, before=before, after=after)
    return subscription


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    fields = dict(fields)
    if "url" in fields:
        fields["url"] = fields["url"].strip()
        try:
            check_url(fields["url"])
        except CallRefused as refusal:
            raise WebhookRefused(str(refusal), field="url") from refusal
    if "events" in fields:
        fields["events"] = [event for event in EVENTS if event in fields["events"]]
        if not fields["events"]:
            raise WebhookRefused(_("Choose at least one event."), field="events")
    return fields


def _record(subscription: Subscription, what: str, *, by: User, at: datetime, **more: Any) -> None:  # noqa: ANN401
    record_event(
        subscription.tool,
        by=by,
        action=f"subscription.{what}",
        summary=str(subscription),
        at=at,
        **more,
    )


def change_secret(subscription: Subscription, *, by: User, at: datetime) -> str:
    """A new secret, which cannot be had again; calls are signed with it from now on."""
    secret = new_secret()
    with transaction.atomic():
        same = Subscription.objects.filter(pk=subscription.pk)
        same.update(encrypted_secret=encrypt(secret))
        _record(subscription, "secret-changed", by=by, at=at)
    return secret


def unsubscribe(subscription: Subscription, *, by: User, at: datetime) -> None:
    with transaction.atomic():
        _record(subscription, "deleted", by=by, at=at)
        subscription.delete()


def send_test(subscription: Subscription, *, by: User, at: datetime) -> Delivery:
    """Call the address now with a notice that says that it is a test."""
    with transaction.atomic():
        _record(subscription, "tested", by=by, at=at)
        notice = make_notice(subscription.tool, TEST, data={}, at=at)
        return deliver_to(notice, subscription, by=by, at=at)


def deliver_again(delivery: Delivery, *, by: User, at: datetime) -> Delivery:
    """Tell a notice once more, byte for byte, to the same address."""
    if delivery.subscription is None:
        raise WebhookRefused(_("Mail is not sent again."))
    with transaction.atomic():
        _record(delivery.subscription, "redelivered", by=by, at=at)
        return deliver_to(delivery.notice, delivery.subscription, by=by, at=at)


def choose_mail(tool: Tool, *, user: User, level: str, at: datetime) -> None:
    """What the user gets mail about: nothing (an empty level), problems, or everything."""
    if level and level not in MailChoice.Level.values:
        raise WebhookRefused(_("Choose what you want mail about."), field="level")
    if level and not user.email:
        raise WebhookRefused(
            _("You have no confirmed e-mail address. Confirm one where you sign in from."),
            field="level",
        )
    with transaction.atomic():
        if level:
            user.mail_choices.update_or_create(tool=tool, defaults={"level": level})
        else:
            user.mail_choices.filter(tool=tool).delete()
        record_event(tool, by=user, action="mail.chosen", summary=level or "none", at=at)


def mail_level(tool: Tool, user: User) -> str:
    """What the user chose; empty for nothing."""
    choice = user.mail_choices.filter(tool=tool).first()
    return choice.level if choice else ""
