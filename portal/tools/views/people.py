"""Pages about who keeps a tool."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts.permissions import MemberRequest, requires
from portal.tools import operations
from portal.tools.forms import MemberForm
from portal.tools.operations import ToolRefused
from portal.tools.views import attempt, maintained, tool_page


@requires("maintainer")
@require_http_methods(["GET", "POST"])
def tool_maintainers(request: MemberRequest, name: str) -> HttpResponse:
    tool = maintained(request, name)
    form = MemberForm(request.POST or None)
    if request.method == "POST" and form.is_valid():

        def add() -> None:
            operations.add_member(tool, by=request.user, at=timezone.now(), **form.cleaned_data)

        if attempt(form, add):
            return redirect("tool_maintainers", name)
    members = tool.memberships.select_related("user")
    return tool_page(
        request, "tools/tool_maintainers.html", tool, tab="maintainers", form=form, members=members
    )


@requires("maintainer")
@require_POST
def member_remove(request: MemberRequest, name: str, pk: int) -> HttpResponse:
    tool = maintained(request, name)
    member = get_object_or_404(tool.memberships.select_related("user"), pk=pk)
    try:
        operations.remove_member(tool, user=member.user, by=request.user, at=timezone.now())
    except ToolRefused as refusal:
        messages.error(request, str(refusal))
    if not tool.can_edit(request.user):
        return redirect(tool)
    return redirect("tool_maintainers", name)
