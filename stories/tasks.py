"""What happens to records by itself: readings of real use, and the flags that follow from them."""

from celery import shared_task
from django.utils import timezone

from stories import checks, evidence


@shared_task
def sample() -> int:
    """Read every metric as today's value and refresh all flags; how many findings there are.

    Runs more often than once a day so that a missed run costs an hour; a day keeps one reading.
    """
    now = timezone.now()
    evidence.sample(now)
    return checks.refresh(now)
