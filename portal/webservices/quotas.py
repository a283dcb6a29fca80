"""Pages about what a tool uses and may use, and about asking for more."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from builds.usage import measured_place
from portal.accounts.permissions import MemberRequest, requires
from portal.tools import quotas
from portal.tools.models import QuotaRequest, Tool
from portal.tools.quotas import UNITS, QuotaRefused, Resource
from portal.webservices.forms import AskForm, DecideForm
from portal.webservices.tasks import limits_that_hold
from portal.webservices.usage import uses_of

PAGE_SIZE = 25
# Earlier requests that a tool's page shows.
REQUESTS = 10


@requires("viewer")
@require_http_methods(["GET", "POST"])
def tool_quotas(request: MemberRequest, name: str) -> HttpResponse:
    """What is used of what; a maintainer asks for more here."""
    tool = get_object_or_404(Tool.objects.visible_to(request.user), name=name)
    if request.method == "POST":
        tool = get_object_or_404(Tool.objects.maintained_by(request.user), name=name)
    form = AskForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _ask(request, tool, form):
        messages.success(request, _("An administrator will answer."))
        return redirect("tool_quotas", name)
    asked = tool.quota_requests.select_related("asked_by", "decided_by")[:REQUESTS]
    context: dict[str, Any] = {
        "tool": tool,
        "tab": "quotas",
        "uses": uses_of(tool, now=timezone.now()),
        "place": measured_place(tool),
        "means": [] if tool.cluster_id else limits_that_hold(),
        "requests": [_in_words(each) for each in asked],
        "form": form,
        "can_edit": tool.can_edit(request.user),
    }
    return render(request, "webservices/tool_quotas.html", context)


def _ask(request: MemberRequest, tool: Tool, form: AskForm) -> bool:
    try:
        quotas.ask_for_more(
            tool,
            by=request.user,
            at=timezone.now(),
            reason=form.cleaned_data["reason"],
            wanted=form.amounts,
        )
    except QuotaRefused as refusal:
        return _refused(form, refusal)
    return True


def _refused(form: forms.Form, refusal: QuotaRefused) -> bool:
    form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
    return False


def _in_words(asked: QuotaRequest) -> dict[str, Any]:
    def words(amounts: dict[str, int]) -> list[str]:
        return [
            f"{UNITS[resource].label}: {UNITS[resource].show(amounts[resource])}"
            for resource in Resource
            if resource in amounts
        ]

    return {"row": asked, "wanted": words(asked.wanted), "granted": words(asked.granted)}


@requires("admin")
@require_GET
def quota_requests(request: MemberRequest) -> HttpResponse:
    """The queue: what waits for a decision first, then what was decided."""
    rows = QuotaRequest.objects.select_related("tool", "asked_by", "decided_by")
    waiting = rows.filter(status=QuotaRequest.Status.OPEN).order_by("pk")
    decided = Paginator(rows.exclude(status=QuotaRequest.Status.OPEN), PAGE_SIZE)
    page = decided.get_page(request.GET.get("page"))
    context = {
        "waiting": [{**_in_words(each), "form": _decision(each)} for each in waiting],
        "decided": [_in_words(each) for each in page],
        "page": page,
    }
    return render(request, "webservices/quota_requests.html", context)


def _decision(asked: QuotaRequest) -> DecideForm:
    return DecideForm(amounts=asked.wanted, prefix=str(asked.pk))


@requires("admin")
@require_POST
def quota_decide(request: MemberRequest, pk: int) -> HttpResponse:
    """Grant the amounts of the form, or refuse with its answer."""
    asked = get_object_or_404(QuotaRequest.objects.select_related("tool"), pk=pk)
    form = DecideForm(request.POST, prefix=str(asked.pk))
    if not form.is_valid():
        messages.error(request, _("These are not amounts; nothing was decided."))
        return redirect("quota_requests")
    decision = {"by": request.user, "at": timezone.now(), "answer": form.cleaned_data["answer"]}
    try:
        if "refuse" in request.POST:
            quotas.refuse(asked, **decision)
        else:
            quotas.grant(asked, amounts=form.amounts, **decision)
        messages.success(request, _("Decided; the tool's page says so."))
    except QuotaRefused as refusal:
        messages.error(request, str(refusal))
    return redirect("quota_requests")
