"""Alarm clocks for webhooks."""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from celery import shared_task
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from builds.tasks import LATE, set_alarm, tell, tell_of
from portal.webhooks.models import Arrival, Delivery, Notice
from portal.webhooks.sending import attempt

log = logging.getLogger(__name__)
# Longer than one call can take.
LEASE = timedelta(seconds=30)
BUSY = timedelta(seconds=1)


@shared_task
def deliver(*, delivery_id: int) -> None:
    """Make one call, or send one mail, if it is due, and set the alarm for the next try."""
    now = timezone.now()
    delivery = Delivery.objects.claim(delivery_id, now=now, lease=LEASE)
    if delivery is None:
        return
    if _is_crowded(delivery, now):
        set_alarm(delivery, deliver, BUSY, delivery_id=delivery_id)
        return
    same = Delivery.objects.filter(pk=delivery_id)
    same.update(calling_until=now + LEASE)
    pause = attempt(delivery, now=now)
    same.update(calling_until=None)
    set_alarm(delivery, deliver, pause, delivery_id=delivery_id)


def _is_crowded(delivery: Delivery, now: datetime) -> bool:
    """Whether as many calls are under way as may be: slow servers must not hold all workers."""
    calling = Delivery.objects.filter(calling_until__gt=now).exclude(pk=delivery.pk)
    own = Q(subscription=delivery.subscription_id) & ~Q(subscription=None)
    return calling.filter(own).exists() or calling.count() >= settings.DELIVERIES_AT_ONCE


def wake(deliveries: Iterable[Delivery]) -> None:
    """Have these delivered once the transaction is through."""
    for delivery in deliveries:
        tell(deliver, delivery_id=delivery.pk)


@shared_task
def sweep() -> None:
    """Find the deliveries whose time has come, and those whose alarm was lost."""
    overdue = Delivery.objects.overdue(timezone.now() - LATE).values_list("pk", flat=True)
    tell_of(overdue, deliver, "delivery_id")


@shared_task
def clean_up() -> None:
    """Forget deliveries that are older than the installation keeps them."""
    oldest = timezone.now() - timedelta(days=settings.DELIVERIES_KEPT_DAYS)
    gone, _by_model = Arrival.objects.filter(at__lt=oldest).delete()
    told, _by_model = Notice.objects.filter(at__lt=oldest).delete()
    if gone or told:
        log.info("clean-up removed %d deliveries", gone + told)
