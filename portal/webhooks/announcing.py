"""Makes notices of what happens, in the very transaction in which it does: none is lost."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models.signals import post_save
from django.dispatch import receiver

from builds.models import Build, Move
from portal.accounts.models import User
from portal.tools.models import Membership, Tool
from portal.webhooks.events import EVENTS
from portal.webhooks.models import Delivery, Notice, Subscription
from portal.webhooks.tasks import wake
from portal.webservices.models import Release, ReleaseMove, Webservice, WebserviceMove
from portal.webservices.states import Status

_UNHEALTHY = (Status.DEGRADED, Status.FAILED)


@receiver(post_save, sender=Move)
def note_build(sender: type[Move], instance: Move, created: bool, **_kwargs: object) -> None:
    event = f"build.{instance.to_status}"
    if created and event in EVENTS:
        build = instance.build
        data = {"build": _about_build(build, instance)}
        announce(build.tool, event, data=data, at=instance.at)


@receiver(post_save, sender=ReleaseMove)
def note_release(
    sender: type[ReleaseMove], instance: ReleaseMove, created: bool, **_kwargs: object
) -> None:
    event = f"release.{instance.to_status}"
    if created and event in EVENTS:
        release = instance.release
        data = {"release": _about_release(release, instance)}
        announce(release.webservice.tool, event, data=data, at=instance.at)


@receiver(post_save, sender=WebserviceMove)
def note_webservice(
    sender: type[WebserviceMove], instance: WebserviceMove, created: bool, **_kwargs: object
) -> None:
    if not created:
        return
    was_ill, is_ill = (
        status in _UNHEALTHY for status in (instance.from_status, instance.to_status)
    )
    webservice = instance.webservice
    data = {"webservice": _about_webservice(webservice, instance)}
    if is_ill and not was_ill:
        announce(webservice.tool, "webservice.unhealthy", data=data, at=instance.at)
    elif was_ill and instance.to_status == Status.RUNNING:
        announce(webservice.tool, "webservice.recovered", data=data, at=instance.at)


def announce(tool: Tool, event: str, *, data: Mapping[str, Any], at: datetime) -> Notice | None:
    """A notice, and a delivery for each who wants it; None when nobody does."""
    programs = [each for each in tool.subscriptions.filter(is_active=True) if event in each.events]
    people = _people(tool, event)
    if not programs and not people:
        return None
    notice = make_notice(tool, event, data=data, at=at)
    deliveries = [_delivery(notice, at, subscription=each) for each in programs]
    deliveries += [_delivery(notice, at, recipient=each) for each in people]
    wake(deliveries)
    return notice


def make_notice(tool: Tool, event: str, *, data: Mapping[str, Any], at: datetime) -> Notice:
    body = {
        "event": event,
        "at": at.isoformat(),
        "tool": {"name": tool.name, "title": tool.title, "url": _address(tool)},
        **data,
    }
    return tool.notices.create(event=event, at=at, body=json.dumps(body))


def deliver_to(notice: Notice, subscription: Subscription, *, by: User, at: datetime) -> Delivery:
    """Another delivery of a notice, because somebody asked for it."""
    delivery = _delivery(notice, at, subscription=subscription, asked_by=by)
    wake([delivery])
    return delivery


def _delivery(notice: Notice, at: datetime, **to: Any) -> Delivery:  # noqa: ANN401
    return notice.deliveries.create(tool=notice.tool, created_at=at, next_look_at=at, **to)


def _people(tool: Tool, event: str) -> list[User]:
    members = Membership.objects.filter(tool=tool).values("user")
    choices = tool.mail_choices.filter(user__in=members, user__is_active=True)
    wanting = [each.user for each in choices.select_related("user") if each.wants(event)]
    return [user for user in wanting if user.email]


def _address(thing: Tool | Build | Webservice) -> str:
    return settings.PORTAL_URL.rstrip("/") + thing.get_absolute_url()


def _about_build(build: Build, move: Move) -> dict[str, Any]:
    seconds = (move.at - build.started_at).total_seconds() if build.started_at else None
    return {
        "name": build.name,
        "number": build.number,
        "status": move.to_status,
        "reason_code": move.reason_code,
        "reason": move.reason,
        "source_url": build.source_url,
        "ref": build.ref,
        "commit": build.commit or build.wanted_commit,
        "trigger": build.trigger,
        "seconds": seconds,
        "url": _address(build),
    }


def _about_release(release: Release, move: ReleaseMove) -> dict[str, Any]:
    return {
        "name": str(release),
        "number": release.number,
        "status": move.to_status,
        "reason_code": move.reason_code,
        "reason": move.reason,
        "build": release.image.build.number,
        "digest": release.image.digest,
        "url": _address(release.webservice),
    }


def _about_webservice(webservice: Webservice, move: WebserviceMove) -> dict[str, Any]:
    return {
        "name": webservice.tool.name,
        "status": move.to_status,
        "reason_code": move.reason_code,
        "reason": move.reason,
        "address": webservice.url,
        "url": _address(webservice),
    }
