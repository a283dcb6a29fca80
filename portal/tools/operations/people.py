"""Who keeps a tool."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.tools.audit import record_event
from portal.tools.models import Membership, Tool
from portal.tools.operations.refusals import ToolRefused


def add_member(tool: Tool, *, username: str, role: str, by: User, at: datetime) -> Membership:
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise ToolRefused(
            _("Nobody of that name has signed in yet. They have to do so once first."),
            field="username",
        )
    with transaction.atomic():
        _keep_a_maintainer(tool, user, role)
        member, _is_new = Membership.objects.update_or_create(
            tool=tool, user=user, defaults={"role": role}
        )
        record_event(tool, by=by, action="member.added", summary=str(member), at=at)
    return member


def remove_member(tool: Tool, *, user: User, by: User, at: datetime) -> None:
    with transaction.atomic():
        _keep_a_maintainer(tool, user, "")
        if tool.memberships.filter(user=user).delete()[0]:
            record_event(tool, by=by, action="member.removed", summary=user.username, at=at)


def _keep_a_maintainer(tool: Tool, user: User, role: str) -> None:
    if role == Membership.Role.MAINTAINER:
        return
    maintainers = tool.memberships.select_for_update().filter(role=Membership.Role.MAINTAINER)
    if [member.user_id for member in maintainers] == [user.pk]:
        raise ToolRefused(_("A tool needs a maintainer. Add another one first."))
