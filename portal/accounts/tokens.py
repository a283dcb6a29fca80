"""What people and programs may do with API tokens; HTML and REST call these."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from django.db import transaction
from django.utils.translation import gettext as _

from portal.accounts.events import tell
from portal.accounts.models import ApiToken, User
from portal.refusals import Refused

# How long an old token may go on working after a rotation.
LONGEST_OVERLAP = timedelta(days=30)


class TokenRefused(Refused):
    """No token is made."""


class Credential(Protocol):
    """What a request came with instead of a session: `request.auth`."""

    @property
    def prefix(self) -> str:
        """What people recognise it by."""

    @property
    def tool_name(self) -> str:
        """The only tool that it is good for; empty for all."""

    @property
    def expires_at(self) -> datetime | None:
        """When it ends for good."""

    def allows(self, scope: str) -> bool: ...


def issue_token(
    user: User,
    *,
    name: str,
    scopes: Sequence[str],
    at: datetime,
    expires_at: datetime | None = None,
    tool_name: str = "",
    through: Credential | None = None,
) -> tuple[ApiToken, str]:
    """A token, and its value, which cannot be had again; raises TokenRefused.

    `through` is the token that asks for it, if one does: the new one may do no more than it.
    """
    if not scopes:
        raise TokenRefused(_("Choose at least one thing that it may do."), field="scopes")
    if expires_at is not None and expires_at <= at:
        raise TokenRefused(_("Choose an end that lies ahead."), field="expires_at")
    if tool_name and not user.tools.filter(name=tool_name).exists():
        raise TokenRefused(_("You keep no tool of this name."), field="tool")
    _refuse_more_than(through, scopes=scopes, expires_at=expires_at, tool_name=tool_name)
    with transaction.atomic():
        token, value = ApiToken.issue(
            user, name=name, at=at, expires_at=expires_at, scopes=scopes, tool_name=tool_name
        )
        _tell("token.created", token, by=user, at=at)
    return token, value


def rotate_token(
    token: ApiToken,
    *,
    by: User,
    at: datetime,
    overlap: timedelta,
    through: Credential | None = None,
) -> tuple[ApiToken, str]:
    """A successor that may do the same for as long; the old one goes on working for `overlap`."""
    if token.has_ended(at):
        raise TokenRefused(_("This token has ended. Make a new one."))
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        raise TokenRefused(_("The old token may go on for 30 days at most."), field="overlap")
    lasting = token.expires_at - token.created_at if token.expires_at else None
    expires_at = at + lasting if lasting else None
    if through != token:
        _refuse_more_than(
            through, scopes=token.scopes, expires_at=expires_at, tool_name=token.tool_name
        )
    with transaction.atomic():
        successor, value = ApiToken.issue(
            token.user,
            name=token.name,
            at=at,
            expires_at=expires_at,
            scopes=token.scopes,
            tool_name=token.tool_name,
        )
        end = min(filter(None, (token.expires_at, at + overlap)))
        ApiToken.objects.filter(pk=token.pk).update(expires_at=end)
        _tell("token.rotated", token, by=by, at=at, successor=successor.prefix, ends=end)
    return successor, value


def revoke_token(token: ApiToken, *, by: User, at: datetime) -> None:
    with transaction.atomic():
        _tell("token.revoked", token, by=by, at=at)
        token.delete()


def _refuse_more_than(
    through: Credential | None,
    *,
    scopes: Sequence[str],
    expires_at: datetime | None,
    tool_name: str,
) -> None:
    if through is None:
        return
    if lacking := [scope for scope in scopes if not through.allows(scope)]:
        sentence = _("The token that you use may not do this itself: %s.") % ", ".join(lacking)
        raise TokenRefused(sentence, field="scopes")
    limit = through.expires_at
    if limit is not None and (expires_at is None or expires_at > limit):
        raise TokenRefused(
            _("The token that you use ends on %s; the new one cannot outlive it.")
            % limit.isoformat(timespec="minutes"),
            field="expires_at",
        )
    if through.tool_name and through.tool_name != tool_name:
        raise TokenRefused(_("The token that you use is for one tool only."), field="tool")


def _tell(action: str, token: ApiToken, *, by: User, at: datetime, **more: object) -> None:
    told = {"scopes": token.scopes, "tool": token.tool_name, "expires_at": token.expires_at, **more}
    # Into a column of JSON.
    after = {
        name: str(value) if isinstance(value, datetime) else value for name, value in told.items()
    }
    tell(by=by, action=action, summary=str(token), at=at, after=after)
