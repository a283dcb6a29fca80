"""Alarms: each looks at a few people."""

import logging
from time import monotonic

from allauth.idp.oidc.models import Token
from celery import shared_task
from django.conf import settings
from django.utils import timezone

from portal.accounts import recheck
from portal.accounts.wiki.identity import WikiUnavailable

log = logging.getLogger(__name__)

# People whom one alarm asks about, and the seconds after which it leaves the rest to the next:
# a wiki that is slow must not keep a worker from builds.
AT_ONCE, BUDGET = 25, 5.0


@shared_task
def recheck_people() -> None:
    if not settings.OAUTH_KEY:
        return
    now, began = timezone.now(), monotonic()
    for account in recheck.due(now)[:AT_ONCE]:
        if not recheck.claim(account.user, at=now):
            continue
        try:
            recheck.recheck(account, at=now)
        except WikiUnavailable as error:
            log.warning("nobody is rechecked: %s", error)
            return
        if monotonic() - began > BUDGET:
            return


@shared_task
def forget_ended_tokens() -> None:
    """Those of command lines: each makes a new one every hour."""
    Token.objects.expired().delete()
