"""Who keeps a tool. Nobody becomes a member without saying yes."""

from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.tools.audit import record_event
from portal.tools.models import Invitation, Membership, Tool
from portal.tools.names import tidy_username
from portal.tools.operations.refusals import ToolRefused
from portal.tools.states import InvitationStatus

OPEN_AT_ONCE = 50


def invite(tool: Tool, *, username: str, role: str, by: User, at: datetime) -> Invitation:
    """Ask somebody to keep the tool, also who never signed in. Raises ToolRefused."""
    if role not in Membership.Role.values:
        raise ToolRefused(_("Choose a role: maintainer or viewer."), field="role")
    user, name = _whom(username)
    if user and tool.memberships.filter(user=user).exists():
        raise ToolRefused(
            _("%(name)s is with this tool already; change their role instead.") % {"name": name},
            field="username",
        )
    try:
        with transaction.atomic():
            _make_room(tool, name, at)
            invitation = tool.invitations.create(
                status=InvitationStatus.OPEN,
                username=name,
                user=user,
                role=role,
                invited_by=by,
                created_at=at,
                expires_at=at + timedelta(days=settings.INVITATION_DAYS),
            )
            _record(invitation, "member.invited", by=by, at=at, after={"role": str(role)})
    except IntegrityError as error:
        raise ToolRefused(
            _("%(name)s is invited already. Withdraw that invitation to make another.")
            % {"name": name},
            field="username",
        ) from error
    return invitation


def _whom(username: str) -> tuple[User | None, str]:
    """Who has the name, if anybody yet, and how it is written: wikis begin it with a capital."""
    try:
        name = tidy_username(username)
    except ValidationError as error:
        raise ToolRefused(" ".join(error.messages), field="username") from error
    capital = name[:1].upper() + name[1:]
    for each in (name, capital):
        if user := User.objects.filter(username=each).first():
            if not user.is_active:
                raise ToolRefused(_("This account is blocked."), field="username")
            return user, each
    return None, name if settings.DEVELOPMENT_IDENTITY else capital


def _make_room(tool: Tool, name: str, at: datetime) -> None:
    """Put away what ran out, so that somebody can be asked again; refuse to ask half the world."""
    for old in tool.invitations.filter(status=InvitationStatus.OPEN, expires_at__lte=at):
        old.move_to(InvitationStatus.EXPIRED, at=at)
    if tool.invitations.open(at).count() >= OPEN_AT_ONCE:
        raise ToolRefused(_("Too many invitations are open. Withdraw some, or wait for answers."))


def accept_invitation(invitation: Invitation, *, by: User, at: datetime) -> Membership:
    """Become what one is invited to be. Raises ToolRefused when that is over."""
    tool = invitation.tool
    if tool.status == Tool.Status.ARCHIVED:
        raise ToolRefused(_("This tool is archived, so nobody joins it."))
    with transaction.atomic():
        _answer(invitation, InvitationStatus.ACCEPTED, by=by, at=at)
        member, is_new = tool.memberships.get_or_create(user=by, defaults={"role": invitation.role})
        before = None if is_new else {"role": member.role}
        if member.role == Membership.Role.VIEWER != invitation.role:
            member.role = invitation.role
            member.save(update_fields=["role"])
        tool.touch(at)
        _record(
            invitation, "member.joined", by=by, at=at, before=before, after={"role": member.role}
        )
    return member


def decline_invitation(invitation: Invitation, *, by: User, at: datetime) -> None:
    with transaction.atomic():
        _answer(invitation, InvitationStatus.DECLINED, by=by, at=at)
        _record(invitation, "invitation.declined", by=by, at=at)


def withdraw_invitation(invitation: Invitation, *, by: User, at: datetime) -> None:
    with transaction.atomic():
        _answer(invitation, InvitationStatus.WITHDRAWN, by=by, at=at)
        _record(invitation, "invitation.withdrawn", by=by, at=at)


def _answer(invitation: Invitation, status: InvitationStatus, *, by: User, at: datetime) -> None:
    is_open = invitation.status == InvitationStatus.OPEN and invitation.expires_at > at
    if not is_open or not invitation.move_to(status, at=at, by=by):
        raise ToolRefused(_("This invitation is not open any more."))


def _record(
    invitation: Invitation,
    action: str,
    *,
    by: User,
    at: datetime,
    before: dict[str, str] | None = None,
    after: dict[str, str] | None = None,
) -> None:
    record_event(
        invitation.tool,
        by=by,
        action=action,
        summary=str(invitation),
        before=before,
        after=after,
        at=at,
    )


def change_role(tool: Tool, *, user: User, role: str, by: User, at: datetime) -> Membership:
    """Make a viewer a maintainer or the other way round. Raises ToolRefused."""
    if role not in Membership.Role.values:
        raise ToolRefused(_("Choose a role: maintainer or viewer."), field="role")
    with transaction.atomic():
        _keep_a_maintainer(tool, user, role)
        member = tool.memberships.select_for_update().get(user=user)
        if member.role == role:
            return member
        before, member.role = member.role, role
        member.save(update_fields=["role"])
        tool.touch(at)
        record_event(
            tool,
            by=by,
            action="member.changed",
            summary=user.username,
            before={"role": before},
            after={"role": str(role)},
            at=at,
        )
    return member


def remove_member(tool: Tool, *, user: User, by: User, at: datetime) -> None:
    """Take somebody off the tool, or leave it oneself. Raises ToolRefused for the last maintainer.

    Nobody gone is no error.
    """
    with transaction.atomic():
        _keep_a_maintainer(tool, user, "")
        member = tool.memberships.filter(user=user).first()
        if member is None:
            return
        member.delete()
        tool.touch(at)
        record_event(
            tool,
            by=by,
            action="member.left" if by == user else "member.removed",
            summary=user.username,
            before={"role": member.role},
            at=at,
        )


def _keep_a_maintainer(tool: Tool, user: User, role: str) -> None:
    if role == Membership.Role.MAINTAINER:
        return
    # The tool's row is the lock: two maintainers who leave at once wait for each other.
    Tool.objects.select_for_update().get(pk=tool.pk)
    maintainers = tool.memberships.filter(role=Membership.Role.MAINTAINER)
    if [member.user_id for member in maintainers] == [user.pk]:
        raise ToolRefused(_("A tool needs a maintainer. Add another one first."))
