"""Looks whether the wiki still says of people what it said: one person, one question at a time."""

import logging
from datetime import datetime, timedelta

from allauth.idp.oidc.models import Token
from allauth.socialaccount.models import SocialAccount, SocialToken
from allauth.usersessions.models import UserSession
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from portal.accounts.following import end_access, follow, suspend
from portal.accounts.models import ApiToken, User
from portal.accounts.wiki import oauth1, oauth2
from portal.accounts.wiki.grant import Grant
from portal.accounts.wiki.identity import (
    GrantRevoked,
    Identity,
    PersonBarred,
    WikiUntrusted,
    read_identity,
)

log = logging.getLogger(__name__)

PROVIDER_OF = {"1.0a": "wikimedia", "2": "mediawiki"}


def due(now: datetime) -> QuerySet[SocialAccount]:
    """Accounts of people who could act now, and of whom nothing was heard for a while; the longest
    waiting first. A grant by the protocol that is not set up any more cannot be asked with."""
    mine = {"user": OuterRef("user")}
    can_act = (
        Exists(UserSession.objects.filter(**mine))
        | Exists(ApiToken.objects.usable(now).filter(**mine))
        | Exists(Token.objects.valid().filter(**mine))
    )
    before = now - timedelta(seconds=settings.RECHECK_AFTER)
    return (
        SocialAccount.objects.filter(can_act, provider=PROVIDER_OF[settings.OAUTH_VERSION])
        .filter(Q(user__checked_at=None) | Q(user__checked_at__lte=before), user__is_active=True)
        .select_related("user")
        .order_by(F("user__checked_at").asc(nulls_first=True), "pk")
    )


def claim(user: User, *, at: datetime) -> bool:
    """Whether it is this caller who asks about the user now: of several, only one is."""
    unclaimed = User.objects.filter(pk=user.pk, checked_at=user.checked_at)
    return bool(unclaimed.update(checked_at=at))


def recheck(account: SocialAccount, *, at: datetime) -> None:
    """Ask the wiki about one person and do what follows; raises WikiUnavailable, having done
    nothing, when it says nothing."""
    user = account.user
    try:
        follow(user, _ask(account, at=at), at=at)
    except GrantRevoked:
        log.info("user %s took the grant back", user.pk)
        end_access(user, at=at)
    except PersonBarred as bar:
        suspend(user, reason=str(bar), at=at)
    except WikiUntrusted as error:
        log.warning("what the wiki says about user %s is not believed: %s", user.pk, error)


def _ask(account: SocialAccount, *, at: datetime) -> Identity:
    """What the wiki says about this person; raises WikiUntrusted if it is about another."""
    token = SocialToken.objects.filter(account=account).first()
    if token is None:
        raise WikiUntrusted(f"there is no grant of account {account.pk}")
    try:
        grant = Grant.opened(token)
    except InvalidToken as error:
        raise WikiUntrusted("none of PORTAL_ENCRYPTION_KEYS opens the grant") from error
    if account.provider == "wikimedia":
        claims = oauth1.identify(grant)
    else:
        current = oauth2.renewed(grant, now=at)
        if current != grant:
            current.seal(token).save()
        claims = oauth2.profile(current)
    identity = read_identity(claims)
    if identity.sub != account.uid:
        raise WikiUntrusted(f"asked about {account.uid}, it spoke of {identity.sub}")
    return identity
