"""Pages about a tool's moves from one cluster to another."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from portal.accounts.permissions import MemberRequest, requires
from portal.clusters.models import Relocation
from portal.tools.models import Tool
from portal.webservices.forms import MoveForm
from portal.webservices.moving import MoveRefused, cancel_move, start_move, steps_of

# Moves that the page shows.
SHOWN = 10


def _visible(request: MemberRequest, name: str) -> Tool:
    tools = Tool.objects.visible_to(request.user).select_related("cluster")
    return get_object_or_404(tools, name=name)


@requires("viewer")
@require_GET
def move_list(request: MemberRequest, name: str) -> HttpResponse:
    tool = _visible(request, name)
    context = _context(request, tool) | {"form": MoveForm(tool=tool)}
    return render(request, "webservices/moves.html", context)


@requires("viewer")
@require_GET
def move_status(request: MemberRequest, name: str) -> HttpResponse:
    """How they stand now, as a fragment of the page."""
    context = _context(request, _visible(request, name))
    return render(request, "webservices/_moves.html", context)


def _context(request: MemberRequest, tool: Tool) -> dict[str, Any]:
    moves = tool.relocations.select_related("build", "release", "actor")[:SHOWN]
    return {
        "tool": tool,
        "tab": "webservice",
        "moves": [{"row": move, "steps": steps_of(move), "kind": _kind(move)} for move in moves],
        "is_under_way": any(move.is_under_way for move in moves),
        "can_edit": tool.can_edit(request.user),
    }


def _kind(move: Relocation) -> str:
    """Of the chip."""
    return {"done": "success", "failed": "error", "cancelled": "warning"}.get(move.status, "notice")


@requires("admin")
@require_POST
def move_start(request: MemberRequest, name: str) -> HttpResponse:
    tool = _visible(request, name)
    form = MoveForm(request.POST, tool=tool)
    if not form.is_valid():
        messages.error(request, _("Choose a place that is in the list."))
        return redirect("moves", name)
    try:
        start_move(tool, to=form.target, by=request.user, at=timezone.now())
        messages.success(request, _("The move begins. The tool goes on serving where it is."))
    except MoveRefused as refused:
        messages.error(request, str(refused))
    return redirect("moves", name)


@requires("admin")
@require_POST
def move_cancel(request: MemberRequest, name: str, pk: int) -> HttpResponse:
    move = get_object_or_404(_visible(request, name).relocations.select_related("tool"), pk=pk)
    try:
        cancel_move(move, by=request.user, at=timezone.now())
        messages.success(request, _("The move is being cancelled."))
    except MoveRefused as refused:
        messages.error(request, str(refused))
    return redirect("moves", name)
