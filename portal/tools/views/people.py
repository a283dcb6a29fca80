"""Pages about who keeps a tool, and about being asked to."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.accounts.permissions import MemberRequest, requires
from portal.tools import operations
from portal.tools.forms import InviteForm
from portal.tools.models import Invitation, Tool
from portal.tools.operations import ToolRefused
from portal.tools.views import attempt, maintained, tool_page, visible


@requires("viewer")
@require_http_methods(["GET", "POST"])
def tool_maintainers(request: MemberRequest, name: str) -> HttpResponse:
    """Who keeps the tool. Maintainers invite others with the form."""
    tool = maintained(request, name) if request.method == "POST" else visible(request, name)
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():

        def invite() -> None:
            operations.invite(tool, by=request.user, at=timezone.now(), **form.cleaned_data)

        if attempt(form, invite):
            messages.success(request, _("The invitation waits for them here."))
            return redirect("tool_maintainers", name)
    can_edit = tool.can_edit(request.user)
    invitations = tool.invitations.open(timezone.now()) if can_edit else ()
    return tool_page(
        request,
        "tools/tool_maintainers.html",
        tool,
        tab="maintainers",
        form=form,
        members=tool.memberships.select_related("user"),
        invitations=invitations,
        can_edit=can_edit,
    )


@requires("maintainer")
@require_POST
def member_change(request: MemberRequest, name: str, pk: int) -> HttpResponse:
    tool = maintained(request, name)
    member = get_object_or_404(tool.memberships.select_related("user"), pk=pk)
    role, now = request.POST.get("role", ""), timezone.now()
    try:
        operations.change_role(tool, user=member.user, role=role, by=request.user, at=now)
    except ToolRefused as refusal:
        messages.error(request, str(refusal))
    return _back_to_people(request, tool)


@requires("viewer")
@require_POST
def member_remove(request: MemberRequest, name: str, pk: int) -> HttpResponse:
    """A maintainer removes anybody, everybody leaves by themselves."""
    tool = visible(request, name)
    members = tool.memberships.select_related("user")
    if not tool.can_edit(request.user):
        members = members.filter(user=request.user)
    member = get_object_or_404(members, pk=pk)
    try:
        operations.remove_member(tool, user=member.user, by=request.user, at=timezone.now())
    except ToolRefused as refusal:
        messages.error(request, str(refusal))
    return _back_to_people(request, tool)


def _back_to_people(request: MemberRequest, tool: Tool) -> HttpResponse:
    if not tool.can_view(request.user):
        return redirect(tool)
    return redirect("tool_maintainers", tool.name)


@requires("maintainer")
@require_POST
def invitation_withdraw(request: MemberRequest, name: str, pk: int) -> HttpResponse:
    invitation = get_object_or_404(maintained(request, name).invitations, pk=pk)
    try:
        operations.withdraw_invitation(invitation, by=request.user, at=timezone.now())
    except ToolRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("tool_maintainers", name)


@requires("member")
@require_GET
def invitations(request: MemberRequest) -> HttpResponse:
    """Those that wait for the reader's answer."""
    mine = Invitation.objects.addressed_to(request.user).open(timezone.now())
    context = {"invitations": mine.select_related("tool", "invited_by")}
    return render(request, "tools/invitations.html", context)


@requires("member")
@require_POST
def invitation_answer(request: MemberRequest, pk: int) -> HttpResponse:
    """Accept or decline, as the button says."""
    mine = Invitation.objects.addressed_to(request.user).select_related("tool")
    invitation, now = get_object_or_404(mine, pk=pk), timezone.now()
    try:
        if request.POST.get("answer") == "accept":
            operations.accept_invitation(invitation, by=request.user, at=now)
            return redirect(invitation.tool)
        operations.decline_invitation(invitation, by=request.user, at=now)
    except ToolRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("invitations")
