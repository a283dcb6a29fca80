"""What happens to records by itself: readings of use, flags that follow, a look at what is kept."""

from celery import shared_task
from django.utils import timezone

from stories import checks, evidence, integrity


@shared_task
def compare() -> int:
    """Compare the records whose turn it is with their histories; how many differ, of all."""
    now = timezone.now()
    checks.refresh(now, integrity.compare(now))
    return integrity.state().differ


@shared_task
def sample() -> int:
    """Read every metric as today's value and refresh all flags; how many findings there are.

    Runs more often than once a day so that a missed run costs an hour; a day keeps one reading.
    """
    now = timezone.now()
    evidence.sample(now)
    return checks.refresh(now)
