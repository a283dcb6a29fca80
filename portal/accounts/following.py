"""Makes a user be what the wiki says: the name, the roles, the e-mail address, the block."""

from datetime import datetime
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from portal.accounts.events import tell
from portal.accounts.models import User
from portal.accounts.sessions import end_sign_ins
from portal.accounts.wiki.identity import Identity, PersonBarred

# Both protocols lead to the same people of the same wiki.
WIKI_PROVIDERS = ("wikimedia", "mediawiki")


def user_of(sub: str) -> User | None:
    """The user with this central id, whichever way they signed in before."""
    account = SocialAccount.objects.filter(uid=sub, provider__in=WIKI_PROVIDERS).first()
    return account.user if account else None


def admit(identity: Identity, *, at: datetime) -> None:
    """At a sign-in: bring a known user up to date; raises PersonBarred for who may not enter."""
    if user := user_of(identity.sub):
        follow(user, identity, at=at)
    if identity.bar:
        raise PersonBarred(identity.bar)
    if user is None:
        free_name(identity.username, for_user=None, at=at)


def follow(user: User, identity: Identity, *, at: datetime) -> None:
    """Take over what the wiki says; a block suspends, and the end of one lifts what it did."""
    if identity.bar:
        suspend(user, reason=identity.bar, at=at)
        return
    with transaction.atomic():
        if user.blocked_at:
            _change(user, is_active=True, blocked_at=None)
            tell(by=None, action="account.restored", summary=user.username, at=at)
        if user.username != identity.username:
            free_name(identity.username, for_user=user, at=at)
            before = user.username
            _change(user, username=identity.username)
            tell(by=None, action="account.renamed", summary=f"{before} → {user.username}", at=at)
        _change(user, email=identity.email)
        _take_roles(user, identity, at=at)


def roles_of(groups: tuple[str, ...]) -> dict[str, bool]:
    """Roles that the wiki's groups decide; what no setting names is left to administrators."""
    deciding = {"is_admin": settings.ADMIN_GROUPS, "is_workgroup": settings.WORKGROUP_GROUPS}
    return {role: not set(named).isdisjoint(groups) for role, named in deciding.items() if named}


def _take_roles(user: User, identity: Identity, *, at: datetime) -> None:
    roles = {
        name: has for name, has in roles_of(identity.groups).items() if getattr(user, name) != has
    }
    if roles:
        _change(user, **roles)
        summary = ", ".join(f"{name}: {has}" for name, has in roles.items())
        tell(by=None, action="account.roles", summary=f"{user.username} ({summary})", at=at)


def suspend(user: User, *, reason: str, at: datetime) -> None:
    """Refuse the user's sessions and tokens from now on; who is suspended already stays so."""
    with transaction.atomic():
        active = User.objects.filter(pk=user.pk, is_active=True)
        if active.update(is_active=False, blocked_at=at):
            user.refresh_from_db()
            end_sign_ins(user)
            tell(by=None, action="account.suspended", summary=f"{user.username}: {reason}", at=at)


def end_access(user: User, *, at: datetime) -> None:
    """End every session and token: the person took back what they had granted."""
    with transaction.atomic():
        end_sign_ins(user)
        user.api_tokens.all().delete()
        tell(by=None, action="account.access_ended", summary=user.username, at=at)


def free_name(name: str, *, for_user: User | None, at: datetime) -> None:
    """Names are unique on the wiki, so another user with this one was renamed there."""
    holder = User.objects.filter(username=name).exclude(pk=for_user.pk if for_user else 0).first()
    if holder is None:
        return
    # No name on a wiki has a “#”, so this one is free.
    mark = f"#{holder.pk}"
    aside = name[: User.NAME_LENGTH - len(mark)] + mark
    _change(holder, username=aside)
    tell(
        by=None,
        action="account.renamed",
        summary=_("%(name)s was moved aside to %(aside)s") % {"name": name, "aside": aside},
        at=at,
    )


def _change(user: User, **fields: Any) -> None:  # noqa: ANN401
    for name, value in fields.items():
        setattr(user, name, value)
    user.save(update_fields=list(fields))
