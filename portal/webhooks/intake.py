"""What becomes of a post to a hook: every one leaves a row that says what was decided and why."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from builds.models import Build
from builds.operations import BuildRefused, Source, start_build
from portal.accounts.models import User
from portal.tools.operations import variables_for
from portal.webhooks.decisions import Push, decide
from portal.webhooks.models import Arrival, Hook
from portal.webhooks.payloads import Malformed, read_payload, shown
from portal.webhooks.senders import SENDERS, Message, why_not_authentic

MINUTE = timedelta(minutes=1)
# How far the sender's clock, where it gives a time, may be from ours.
WINDOW = timedelta(minutes=5)


class PostRefused(Exception):
    """An answer for the sender: an HTTP status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def receive(hook: Hook, message: Message, *, at: datetime) -> tuple[Arrival, bool]:
    """Decide about a post; the second value tells whether it is new. Raises PostRefused.

    A repetition of a delivery gets the decision that the first one got.
    """
    sender = SENDERS[hook.sender]
    if why := why_not_authentic(sender, message, hook.secrets(at)):
        raise _refused(hook, 401, why, at=at)
    delivery_id = sender.delivery_id(message)
    if earlier := _earlier(hook, delivery_id):
        return earlier, False
    if _count(hook, at).exclude(decision="refused").count() >= settings.HOOK_POSTS_PER_MINUTE:
        raise PostRefused(429, _("Too many posts to this hook. Repeat it in a minute."))
    try:
        data = read_payload(message.body, content_type=message.header("content-type"))
    except Malformed as error:
        raise _refused(hook, 400, str(error), at=at) from error
    sent_at = sender.sent_at(message, data)
    if sent_at and abs(at - sent_at) > WINDOW:
        raise _refused(hook, 400, _("it was sent at another time than now"), at=at)
    event = sender.event(message, data)
    arrival = Arrival(
        hook=hook, at=at, delivery_id=delivery_id, event=event, payload=_shown(hook, data, at)
    )
    try:
        _settle(arrival, sender.push(data) if event == "push" else None)
    except IntegrityError:
        # The same delivery came twice at once, and the database let only one in.
        earlier = _earlier(hook, delivery_id)
        if earlier is None:
            raise
        return earlier, False
    return arrival, True


def decide_again(arrival: Arrival, *, by: User, at: datetime) -> Arrival:
    """A new row with what would be decided now about an earlier push; may start a build."""
    again = Arrival(
        hook=arrival.hook, at=at, event=arrival.event, payload=arrival.payload, asked_by=by
    )
    _settle(again, arrival.as_push)
    return again


def _earlier(hook: Hook, delivery_id: str) -> Arrival | None:
    same = hook.arrivals.filter(delivery_id=delivery_id).exclude(decision="refused")
    return same.select_related("build__tool").first()


def _count(hook: Hook, at: datetime) -> Any:  # noqa: ANN401 - a query of arrivals
    return hook.arrivals.filter(at__gt=at - MINUTE, asked_by=None)


def _refused(hook: Hook, status: int, why: str, *, at: datetime) -> PostRefused:
    """Note that a post was refused, unless a flood of them would fill the log."""
    refused = _count(hook, at).filter(decision="refused")
    if refused.count() < settings.HOOK_POSTS_PER_MINUTE:
        hook.arrivals.create(at=at, decision=Arrival.Decision.REFUSED, reason=why)
    return PostRefused(status, f"{why[:1].upper()}{why[1:].rstrip('.')}.")


def _shown(hook: Hook, data: dict[str, Any], at: datetime) -> str:
    own = [each.value for phase in ("build", "run") for each in _secret(hook, phase)]
    return shown(data, secrets=[*hook.secrets(at), *own])


def _secret(hook: Hook, phase: str) -> list[Any]:
    return [each for each in variables_for(hook.tool, phase=phase) if each.is_secret]


def _settle(arrival: Arrival, push: Push | None) -> None:
    """Decide and store; the row and the build come into being together, or neither does."""
    arrival.push = asdict(push) if push else None
    arrival.decision = Arrival.Decision.IGNORED
    with transaction.atomic():
        arrival.save(force_insert=True)
        if push is None:
            _note_other_event(arrival)
        elif not arrival.hook.is_active:
            arrival.reason = _("ignored because this hook is switched off")
        else:
            _follow(arrival, push)
        arrival.save(update_fields=["decision", "reason", "build"])


def _note_other_event(arrival: Arrival) -> None:
    if arrival.event == "ping":
        arrival.decision = Arrival.Decision.PING
        arrival.reason = _("ping; the secret is right")
    else:
        why = _("ignored because only pushes start builds, and this was “%(event)s”")
        arrival.reason = why % {"event": arrival.event or "?"}


def _follow(arrival: Arrival, push: Push) -> None:
    hook = arrival.hook
    decision = decide(push, hook.rules)
    arrival.reason = decision.reason
    if not decision.starts:
        return
    try:
        build, is_new = start_build(
            hook.tool,
            by=arrival.asked_by,
            source=Source(hook.tool.repository, push.name, hook.subdirectory, push.commit),
            deploy=hook.deploy,
            trigger=Build.Trigger.WEBHOOK,
            at=arrival.at,
        )
    except BuildRefused as refusal:
        arrival.reason = _("ignored because no build could start: %(why)s") % {"why": refusal}
        return
    arrival.decision, arrival.build = Arrival.Decision.STARTED, build
    what = _("started build %(build)s") if is_new else _("build %(build)s was under way already")
    parts = [what % {"build": build}, decision.reason]
    if not hook.deploy:
        parts.append(_("it is not deployed, as this hook asks"))
    arrival.reason = "; ".join(filter(None, parts))
