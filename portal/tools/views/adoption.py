"""Pages about tools that somebody wants to take over."""

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.accounts.permissions import MemberRequest, requires
from portal.tools import operations
from portal.tools.forms import AdoptForm
from portal.tools.models import Adoption, Tool
from portal.tools.operations import ToolRefused
from portal.tools.views import attempt, tool_page

SHOWN = 100
Operation = Callable[..., None]
ANSWERS = {"agree": operations.agree, "object": operations.object_to}
DECISIONS = {"grant": operations.grant_adoption, "refuse": operations.refuse_adoption}


@requires("member")
@require_http_methods(["GET", "POST"])
def tool_adopt(request: MemberRequest, name: str) -> HttpResponse:
    """Ask for a tool that nobody seems to keep any more."""
    tool = get_object_or_404(Tool.objects.public(), name=name)
    form = AdoptForm(request.POST or None)
    if request.method == "POST" and form.is_valid():

        def ask() -> None:
            operations.ask_to_adopt(tool, by=request.user, at=timezone.now(), **form.cleaned_data)

        if attempt(form, ask):
            messages.success(request, _("Asked. Its maintainers see it here and may answer."))
            return redirect("adoptions")
    rights = {"can_edit": tool.can_edit(request.user), "can_view": tool.can_view(request.user)}
    return tool_page(request, "tools/tool_adopt.html", tool, form=form, **rights)


@requires("member")
@require_GET
def adoptions(request: MemberRequest) -> HttpResponse:
    """What the reader asked for, is asked for, and, as an administrator, has to decide."""
    user, now = request.user, timezone.now()
    found = Adoption.objects.select_related("tool", "asker").prefetch_related("moves__actor")
    context = {
        "to_answer": found.answered_by(user).open(),
        "mine": found.asked_by(user)[:SHOWN],
        "queue": [
            {"adoption": each, "is_ripe": each.is_ripe(now)}
            for each in (found.open().order_by("due_at")[:SHOWN] if user.is_admin else ())
        ],
    }
    return render(request, "tools/adoptions.html", context)


@requires("member")
@require_POST
def adoption_answer(request: MemberRequest, pk: int) -> HttpResponse:
    """Agree or object as a maintainer, or withdraw one's own, as the button says."""
    answer = request.POST.get("answer", "")
    if answer == "withdraw":
        adoption = get_object_or_404(Adoption.objects.asked_by(request.user), pk=pk)
        return _do(request, adoption, operations.withdraw_adoption)
    if answer not in ANSWERS:
        raise Http404
    adoption = get_object_or_404(Adoption.objects.answered_by(request.user), pk=pk)
    return _do(request, adoption, ANSWERS[answer])


@requires("admin")
@require_POST
def adoption_decide(request: MemberRequest, pk: int) -> HttpResponse:
    decision = request.POST.get("answer", "")
    if decision not in DECISIONS:
        raise Http404
    return _do(request, get_object_or_404(Adoption, pk=pk), DECISIONS[decision])


def _do(request: MemberRequest, adoption: Adoption, operation: Operation) -> HttpResponse:
    try:
        reason = request.POST.get("reason", "")
        operation(adoption, by=request.user, at=timezone.now(), reason=reason)
        messages.success(request, _("Done: %(status)s.") % {"status": adoption.label})
    except ToolRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("adoptions")
