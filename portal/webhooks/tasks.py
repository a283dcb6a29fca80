"""Alarm clocks for webhooks."""

import logging
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from portal.webhooks.models import Arrival

log = logging.getLogger(__name__)


@shared_task
def clean_up() -> None:
    """Forget deliveries that are older than the installation keeps them."""
    oldest = timezone.now() - timedelta(days=settings.DELIVERIES_KEPT_DAYS)
    gone, _by_model = Arrival.objects.filter(at__lt=oldest).delete()
    if gone:
        log.info("clean-up removed %d deliveries", gone)
