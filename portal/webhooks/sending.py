"""One try to tell somebody: the call or the mail, and what is noted about it."""

import hashlib
import hmac
import random
import smtplib
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from portal import outgoing
from portal.tools.operations import record_event
from portal.webhooks.models import Delivery, Subscription

# After the first failure, then four times as long each time.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=10), timedelta(hours=3)
HOUR = timedelta(hours=1)
CALL_SECONDS = 10
RESPONSE_SHOWN = 2048


@dataclass(frozen=True)
class Outcome:
    """What came of one try."""

    ok: bool
    reason: str = ""
    # The HTTP status, if there was an answer.
    status: int | None = None
    response: str = ""


def attempt(delivery: Delivery, *, now: datetime) -> timedelta | None:
    """Try once; the time until the next try, or None when it is delivered or given up."""
    if delivery.status != Delivery.Status.WAITING:
        return None
    if why := _why_not(delivery, now):
        _finish(delivery, Delivery.Status.GIVEN_UP, reason=why, at=now)
        return None
    started = time.monotonic()
    outcome = _post(delivery, now) if delivery.subscription else _mail(delivery)
    _note(delivery, outcome, seconds=time.monotonic() - started, at=now)
    if outcome.ok:
        _finish(delivery, Delivery.Status.DELIVERED, reason="", at=now)
        return None
    pause = pause_after(len(delivery.attempts), jitter=random.uniform(0.8, 1.2))
    if now + pause > delivery.created_at + timedelta(hours=settings.DELIVERY_DEADLINE_HOURS):
        why = _("given up after %(hours)d hours; the last time: %(reason)s") % {
            "hours": settings.DELIVERY_DEADLINE_HOURS,
            "reason": outcome.reason,
        }
        _finish(delivery, Delivery.Status.GIVEN_UP, reason=why, at=now)
        return None
    return pause


def pause_after(attempts: int, *, jitter: float) -> timedelta:
    """How long to wait after so many failures; jitter keeps many from coming at once."""
    return min(FIRST_PAUSE * 4 ** min(attempts - 1, 10), LONGEST_PAUSE) * jitter


def _why_not(delivery: Delivery, now: datetime) -> str:
    """Why nobody wants it any more; empty if somebody does."""
    subscription = delivery.subscription
    if subscription is None:
        return _why_no_mail(delivery, now)
    is_test = delivery.asked_by_id is not None
    is_wanted = subscription.is_active or is_test
    return "" if is_wanted else _("given up because the subscription is paused")


def _why_no_mail(delivery: Delivery, now: datetime) -> str:
    person, most = delivery.recipient, settings.MAILS_PER_HOUR
    if person is None or not person.is_active or not delivery.tool.can_view(person):
        return _("given up because this person keeps the tool no longer")
    if not person.email:
        return _("given up because this person has no confirmed address")
    # A webservice that is ill and well by turns must not fill anybody's mailbox.
    sent = Delivery.objects.filter(recipient=person, tool=delivery.tool)
    recent = sent.filter(status=Delivery.Status.DELIVERED, finished_at__gt=now - HOUR)
    if recent.count() >= most:
        return _("given up because this person got %(most)d mails in an hour") % {"most": most}
    return ""


def _post(delivery: Delivery, now: datetime) -> Outcome:
    subscription = delivery.subscription
    assert subscription is not None
    body = delivery.notice.body.encode()
    stamp = str(int(now.timestamp()))
    headers = {
        "Content-Type": "application/json",
        "X-Portal-Event": delivery.notice.event,
        "X-Portal-Delivery": delivery.ident,
        "X-Portal-Timestamp": stamp,
        "X-Portal-Signature": signature(subscription.secret, delivery.ident, stamp, body),
    }
    try:
        answer = outgoing.call(
            "POST", subscription.url, headers=headers, content=body,
            seconds=CALL_SECONDS, limit=RESPONSE_SHOWN,
        )  # fmt: skip
    except (outgoing.CallRefused, outgoing.CallFailed) as error:
        return Outcome(False, str(error))
    text = answer.body.decode("utf-8", "replace").replace("\0", "�") if answer.is_public else ""
    if 200 <= answer.status < 300:
        return Outcome(True, "", answer.status, text)
    why = _("The server answered %(status)d.") % {"status": answer.status}
    if 300 <= answer.status < 400:
        why = _("The server answered %(status)d; redirects are not followed.")
        why %= {"status": answer.status}
    return Outcome(False, why, answer.status, text)


def signature(secret: str, ident: str, stamp: str, body: bytes) -> str:
    """Over the delivery's id, the time and the bytes of the body, with dots between."""
    signed = f"{ident}.{stamp}.".encode() + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def _mail(delivery: Delivery) -> Outcome:
    notice, person = delivery.notice, delivery.recipient
    assert person is not None
    message = EmailMessage(
        subject=f"[{delivery.tool.name}] {notice.title}",
        body=mail_text(notice.data, title=notice.title),
        to=[person.email],
        # Keeps vacation messages and the like from answering.
        headers={"Auto-Submitted": "auto-generated", "Message-ID": _message_id(delivery)},
    )
    try:
        message.send()
    except (OSError, smtplib.SMTPException):
        return Outcome(False, _("The mail server did not take the message."))
    return Outcome(True)


def _message_id(delivery: Delivery) -> str:
    """The same for each try, so that a mail that was sent twice is shown once."""
    return f"<{delivery.ident}@portal.invalid>"


def mail_text(data: dict[str, Any], *, title: str) -> str:
    """What a person is told: what happened, why, where to look, how to end these messages."""
    about = [data[key] for key in ("build", "release", "webservice") if key in data]
    subject: dict[str, Any] = about[0] if about else {}
    lines = [f"{title}: {subject.get('name', data['tool']['name'])}", ""]
    lines += [subject["reason"], ""] if subject.get("reason") else []
    lines += [subject.get("url", data["tool"]["url"]), ""]
    choices = settings.PORTAL_URL.rstrip("/") + reverse("mail_choices")
    lines += [_("Choose what you get mail about: %(address)s") % {"address": choices}]
    return "\n".join(lines)


def _note(delivery: Delivery, outcome: Outcome, *, seconds: float, at: datetime) -> None:
    """Keep what came of the try, and how the subscription does."""
    entry = {
        "at": at.isoformat(),
        "status": outcome.status,
        "seconds": round(seconds, 3),
        "reason": outcome.reason,
    }
    delivery.attempts = [*delivery.attempts, entry]
    delivery.response, delivery.reason = outcome.response, outcome.reason
    delivery.save(update_fields=["attempts", "response", "reason"])
    if delivery.subscription:
        _note_health(delivery.subscription, outcome, at=at)


def _note_health(subscription: Subscription, outcome: Outcome, *, at: datetime) -> None:
    same = Subscription.objects.filter(pk=subscription.pk)
    if outcome.ok:
        same.exclude(failing_since=None).update(failing_since=None)
        return
    same.filter(failing_since=None).update(failing_since=at)
    days = settings.SUBSCRIPTION_PAUSED_AFTER_DAYS
    reason = _("Every call for %(days)d days failed; the last time: %(reason)s")
    reason %= {"days": days, "reason": outcome.reason}
    with transaction.atomic():
        ill = same.filter(is_active=True, failing_since__lte=at - timedelta(days=days))
        if ill.update(is_active=False, paused_reason=reason):
            record_event(
                subscription.tool, by=None, action="subscription.paused", summary=reason, at=at
            )


def _finish(delivery: Delivery, status: str, *, reason: str, at: datetime) -> None:
    delivery.status, delivery.reason, delivery.finished_at = status, reason, at
    delivery.save(update_fields=["status", "reason", "finished_at"])
