"""Where somebody is signed in: browsers, and command lines."""

from datetime import datetime

from allauth.idp.oidc.models import Token
from allauth.usersessions.models import UserSession
from django.db import transaction

from portal.accounts.events import tell
from portal.accounts.models import User


def sessions_of(user: User) -> list[UserSession]:
    """Those that still last, newest first."""
    lasting = UserSession.objects.purge_and_list(user)
    return sorted(lasting, key=lambda session: session.created_at, reverse=True)


def command_lines_of(user: User) -> int:
    """How many command lines are signed in: each holds one token that renews the others."""
    return Token.objects.valid().filter(user=user, type=Token.Type.REFRESH_TOKEN).count()


def end_session(session: UserSession, *, by: User, at: datetime) -> None:
    with transaction.atomic():
        session.end()
        tell(by=by, action="account.session_ended", summary=str(session)[:200], at=at)


def sign_out_everywhere(user: User, *, by: User, at: datetime) -> None:
    """End every session, this one too, and sign out every command line; API tokens stay."""
    with transaction.atomic():
        end_sign_ins(user)
        tell(by=by, action="account.signed_out_everywhere", summary=user.username, at=at)


def end_command_lines(user: User, *, by: User, at: datetime) -> None:
    with transaction.atomic():
        Token.objects.filter(user=user).delete()
        tell(by=by, action="account.command_lines_ended", summary=user.username, at=at)


def end_sign_ins(user: User) -> None:
    """At once, also sessions that nobody lists: each holds a hash of the (unusable) password."""
    user.set_unusable_password()
    user.save(update_fields=["password"])
    UserSession.objects.filter(user=user).delete()
    Token.objects.filter(user=user).delete()
