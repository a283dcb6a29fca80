"""Handing over a tool that nobody keeps any more: ask, answer, decide."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.tools.audit import record_event
from portal.tools.models import Adoption, Membership, Tool
from portal.tools.operations.refusals import ToolRefused
from portal.tools.states import AdoptionStatus

WHY_LENGTH = 2000
OPEN_AT_ONCE = 5


def ask_to_adopt(tool: Tool, *, why: str, by: User, at: datetime) -> Adoption:
    """Ask for somebody else's tool; those who keep it are asked first. Raises ToolRefused."""
    if not why.strip() or len(why) > WHY_LENGTH or "\0" in why:
        raise ToolRefused(
            _("Say in at most %(most)d characters why you should keep it.") % {"most": WHY_LENGTH},
            field="why",
        )
    if tool.memberships.filter(user=by, role=Membership.Role.MAINTAINER).exists():
        raise ToolRefused(_("You keep this tool already."))
    if tool.status == Tool.Status.ARCHIVED:
        raise ToolRefused(_("This tool is archived. Ask an administrator to take it up again."))
    if Adoption.objects.asked_by(by).open().count() >= OPEN_AT_ONCE:
        raise ToolRefused(_("You asked for several tools already. Wait for an answer first."))
    try:
        with transaction.atomic():
            adoption = tool.adoptions.create(
                status=AdoptionStatus.WAITING,
                asker=by,
                why=why.strip(),
                created_at=at,
                due_at=at + timedelta(days=settings.ADOPTION_DAYS),
            )
            told = {"status": str(AdoptionStatus.WAITING), "why": adoption.why}
            record_event(
                tool, by=by, action="adoption.asked", summary=by.username, after=told, at=at
            )
    except IntegrityError as error:
        raise ToolRefused(_("You asked for this tool already.")) from error
    return adoption


def agree(adoption: Adoption, *, by: User, at: datetime, reason: str = "") -> None:
    _move(adoption, AdoptionStatus.AGREED, by=by, at=at, reason=reason)


def object_to(adoption: Adoption, *, by: User, at: datetime, reason: str = "") -> None:
    _move(adoption, AdoptionStatus.OBJECTED, by=by, at=at, reason=reason)


def withdraw_adoption(adoption: Adoption, *, by: User, at: datetime, reason: str = "") -> None:
    _move(adoption, AdoptionStatus.WITHDRAWN, by=by, at=at, reason=reason)


def refuse_adoption(adoption: Adoption, *, by: User, at: datetime, reason: str = "") -> None:
    """An administrator's no, which has to be explained."""
    _check_decider(adoption, by)
    if not reason.strip():
        raise ToolRefused(_("Say why, so that they know what to do next."), field="reason")
    _move(adoption, AdoptionStatus.REFUSED, by=by, at=at, reason=reason)


def grant_adoption(adoption: Adoption, *, by: User, at: datetime, reason: str = "") -> None:
    """An administrator's yes: who asked becomes a maintainer beside those who are."""
    _check_decider(adoption, by)
    tool = adoption.tool
    if tool.status == Tool.Status.ARCHIVED:
        raise ToolRefused(_("This tool is archived, so nobody joins it."))
    if adoption.status == AdoptionStatus.WAITING and not adoption.is_ripe(at):
        raise ToolRefused(
            _("Its maintainers have until %(day)s to answer. Decide after that.")
            % {"day": adoption.due_at.date()}
        )
    with transaction.atomic():
        _move(adoption, AdoptionStatus.GRANTED, by=by, at=at, reason=reason)
        role = Membership.Role.MAINTAINER
        before = tool.memberships.filter(user=adoption.asker).first()
        Membership.objects.update_or_create(tool=tool, user=adoption.asker, defaults={"role": role})
        tool.touch(at)
        record_event(
            tool,
            by=by,
            action="member.joined",
            summary=adoption.asker.username,
            before={"role": before.role} if before else None,
            after={"role": str(role)},
            at=at,
        )


def _check_decider(adoption: Adoption, by: User) -> None:
    if adoption.asker_id == by.pk:
        raise ToolRefused(_("Somebody else has to decide what you asked for."))
    if not adoption.asker.is_active:
        raise ToolRefused(_("The account of who asked is blocked."))


def _move(
    adoption: Adoption, status: AdoptionStatus, *, by: User, at: datetime, reason: str
) -> None:
    """Move it, with a row in the tool's history; who was later is told how it stands."""
    before = adoption.status
    if len(reason) > WHY_LENGTH or "\0" in reason:
        raise ToolRefused(_("Say it shorter."), field="reason")
    if status not in adoption.MOVES.get(before, frozenset()):
        raise ToolRefused(
            _("This cannot be done any more: %(status)s.") % {"status": adoption.label}
        )
    with transaction.atomic():
        if not adoption.move_to(status, at=at, by=by, reason=reason.strip()):
            raise ToolRefused(_("Somebody else answered first. Load the page again."))
        record_event(
            adoption.tool,
            by=by,
            action=f"adoption.{status}",
            summary=adoption.asker.username,
            before={"status": before},
            after={"status": str(status), "reason": adoption.reason},
            at=at,
        )
