"""What administrators may ask for about moving a tool; HTML and REST call these."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.clusters.connections import access_of
from portal.clusters.models import Cluster, Relocation
from portal.clusters.states import FINAL, UNDER_WAY, RelocationReason, RelocationStatus
from portal.refusals import Refused
from portal.tools.models import Tool
from portal.tools.operations import record_event
from portal.webservices.tasks import wake_relocation


class MoveRefused(Refused):
    """A tool stays where it is, or goes on moving."""


def start_move(tool: Tool, *, to: Cluster | None, by: User, at: datetime) -> Relocation:
    """Order that the tool be moved to a cluster, or with None to the portal's own machine.

    It is served where it is until a release in the new place is healthy. Raises MoveRefused.
    """
    try:
        with transaction.atomic():
            tool = Tool.objects.select_for_update(of=("self",)).get(pk=tool.pk)
            to = Cluster.objects.get(pk=to.pk) if to else None
            if why := _why_not(tool, to):
                raise MoveRefused(why)
            _make_way(tool, to, by=by, at=at)
            move = _order(tool, to, by=by, at=at)
    except IntegrityError as taken:
        raise MoveRefused(_("The tool is being moved already.")) from taken
    wake_relocation(move, now=at)
    return move


def _order(tool: Tool, to: Cluster | None, *, by: User, at: datetime) -> Relocation:
    move = Relocation.objects.create(
        tool=tool,
        source=tool.cluster,
        source_name=tool.cluster.name if tool.cluster else "",
        target=to,
        target_name=to.name if to else "",
        status=RelocationStatus.REQUESTED,
        actor=by,
        created_at=at,
        next_look_at=at,
    )
    record_event(tool, by=by, action="tool.move-asked", summary=move.target_label, at=at)
    return move


def _why_not(tool: Tool, to: Cluster | None) -> str:
    if tool.status != Tool.Status.ACTIVE:
        return _("This tool is not active, so there is nothing to move.")
    if tool.cluster == to:
        return _("The tool lives there already.")
    if tool.relocations.under_way().exists():
        return _("The tool is being moved already. Wait for the end of it, or cancel it.")
    if to and (why := _why_not_into(to, tool.cluster)):
        return why
    if tool.relocations.filter(source=to, status=RelocationStatus.CLEANING).exists():
        return _("What the tool left there is just being removed. Try again in a few minutes.")
    return ""


def _why_not_into(to: Cluster, source: Cluster | None) -> str:
    if not to.is_reachable:
        return _("The portal cannot see that cluster. Try again when it answers.")
    if to.missing_rights:
        return _("The portal lacks rights in that cluster. Its page says which.")
    if source and access_of(to) == access_of(source):
        return _("Both are the same cluster under two names.")
    return ""


def _make_way(tool: Tool, to: Cluster | None, *, by: User, at: datetime) -> None:
    """Keep earlier moves from cleaning away what the tool is to live in."""
    earlier = tool.relocations.filter(source=to, status=RelocationStatus.SWITCHED)
    for move in earlier:
        why = _("The tool is moved back.")
        code = RelocationReason.MOVED_BACK
        if not move.move_to(
            RelocationStatus.DONE, at=at, by=by, reason_code=code, reason=why, ended_at=at
        ):
            raise MoveRefused(_("What the tool left there is just being removed. Try again."))
    tool.relocations.filter(target=to, status__in=FINAL).update(next_look_at=None)


def cancel_move(move: Relocation, *, by: User, at: datetime) -> None:
    """Ask for the end of a move; until the switch nothing of it remains. Raises MoveRefused.

    Asking again changes nothing.
    """
    running = Relocation.objects.filter(pk=move.pk, status__in=UNDER_WAY)
    with transaction.atomic():
        if running.filter(cancel_asked_at=None).update(cancel_asked_at=at, cancel_asked_by=by):
            summary = move.target_label
            record_event(move.tool, by=by, action="tool.move-cancel-asked", summary=summary, at=at)
            wake_relocation(move, now=at)
        elif not running.exists():
            raise MoveRefused(
                _("It is too late to cancel this move: it has switched, or has come to its end.")
            )


def steps_of(move: Relocation) -> list[dict[str, Any]]:
    """Each step that it took, when and why, the first being that it was asked for."""
    asked = {
        "status": str(RelocationStatus.REQUESTED),
        "label": move.LABELS[RelocationStatus.REQUESTED],
        "at": move.created_at,
        "actor": move.actor,
        "reason_code": "",
        "reason": "",
    }
    return [asked] + [
        {
            "status": each.to_status,
            "label": move.LABELS[RelocationStatus(each.to_status)],
            "at": each.at,
            "actor": each.actor,
            "reason_code": each.reason_code,
            "reason": each.reason,
        }
        for each in move.moves.select_related("actor")
    ]
