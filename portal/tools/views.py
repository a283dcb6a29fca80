"""Pages about tools: register, edit, variables, members, history."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.accounts.permissions import MemberRequest, requires
from portal.tools import operations
from portal.tools.forms import EditForm, MemberForm, RegisterForm, VariableForm
from portal.tools.models import Tool
from portal.tools.names import TOOL_NAME_RULE, check_tool_name
from portal.tools.operations import ToolRefused

PAGE_SIZE = 50


def _try(form: forms.Form | forms.ModelForm, operation: Callable[[], object]) -> bool:
    """Do it; a refusal becomes an error of the form's field."""
    try:
        operation()
    except ToolRefused as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
        return False
    return True


def _maintained(request: MemberRequest, name: str) -> Tool:
    return get_object_or_404(Tool.objects.maintained_by(request.user), name=name)


@requires("member")
@require_http_methods(["GET", "POST"])
def tool_register(request: MemberRequest) -> HttpResponse:
    form = RegisterForm(request.POST or None, initial=_from_example(request.GET.get("example", "")))
    if request.method == "POST" and form.is_valid():

        def register() -> None:
            operations.register_tool(by=request.user, at=timezone.now(), **form.cleaned_data)

        if _try(form, register):
            messages.success(request, _("The tool is registered. Build it next."))
            return redirect("build_start", form.cleaned_data["name"])
    context = {"form": form, "examples": _examples(), "rule": TOOL_NAME_RULE}
    return render(request, "tools/tool_register.html", context)


def _examples() -> list[str]:
    """The example applications, which only a portal with DEBUG serves."""
    folder: Path = settings.BASE_DIR / "examples"
    if not settings.DEBUG or not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def _from_example(name: str) -> dict[str, str]:
    if name not in _examples():
        return {}
    return {
        "name": name,
        "title": name.replace("-", " ").capitalize(),
        "description": _("An example application."),
        "license": "GPL-3.0-or-later",
        "repository": f"{settings.EXAMPLES_URL}{name}.git",
    }


@requires("member")
@require_GET
def tool_name_check(request: MemberRequest) -> HttpResponse:
    """A fragment that says whether a name can be had."""
    name, problem = request.GET.get("name", ""), ""
    try:
        check_tool_name(name)
    except ValidationError as error:
        problem = " ".join(error.messages)
    if not problem and Tool.objects.filter(name=name).exists():
        problem = _("This name is taken. Choose another.")
    context = {"name": name, "problem": problem}
    return render(request, "tools/_name_check.html", context)


@requires("maintainer")
@require_http_methods(["GET", "POST"])
def tool_edit(request: MemberRequest, name: str) -> HttpResponse:
    tool = _maintained(request, name)
    form = EditForm(request.POST or None, instance=tool, initial={"version": tool.version})
    if request.method == "POST" and form.is_valid():

        def edit() -> None:
            operations.edit_tool(tool, by=request.user, at=timezone.now(), **form.cleaned_data)

        if _try(form, edit):
            messages.success(request, _("Saved."))
            return redirect(tool)
    return _page(request, "tools/tool_edit.html", tool, tab="settings", form=form)


def _page(request: MemberRequest, template: str, tool: Tool, **context: Any) -> HttpResponse:  # noqa: ANN401
    return render(request, template, {"tool": tool, "can_edit": True, "can_view": True, **context})


@requires("admin")
@require_POST
def tool_set_status(request: MemberRequest, name: str) -> HttpResponse:
    tool = get_object_or_404(Tool, name=name)
    status = request.POST.get("status", "")
    if status in Tool.Status.values:
        operations.set_status(tool, status, by=request.user, at=timezone.now())
    return redirect(tool)


@requires("maintainer")
@require_http_methods(["GET", "POST"])
def tool_variables(request: MemberRequest, name: str) -> HttpResponse:
    tool = _maintained(request, name)
    form = VariableForm(request.POST or None)
    if request.method == "POST" and form.is_valid():

        def set_it() -> None:
            operations.set_variable(tool, by=request.user, at=timezone.now(), **form.cleaned_data)

        if _try(form, set_it):
            messages.success(request, _("Saved. The next build or release gets it."))
            return redirect("tool_variables", name)
    variables = tool.variables.all()
    return _page(
        request, "tools/tool_variables.html", tool, tab="variables", form=form, variables=variables
    )


@requires("maintainer")
@require_POST
def variable_delete(request: MemberRequest, name: str, pk: int) -> HttpResponse:
    variable = get_object_or_404(_maintained(request, name).variables, pk=pk)
    operations.delete_variable(variable, by=request.user, at=timezone.now())
    return redirect("tool_variables", name)


@requires("maintainer")
@require_http_methods(["GET", "POST"])
def tool_maintainers(request: MemberRequest, name: str) -> HttpResponse:
    tool = _maintained(request, name)
    form = MemberForm(request.POST or None)
    if request.method == "POST" and form.is_valid():

        def add() -> None:
            operations.add_member(tool, by=request.user, at=timezone.now(), **form.cleaned_data)

        if _try(form, add):
            return redirect("tool_maintainers", name)
    members = tool.memberships.select_related("user")
    return _page(
        request, "tools/tool_maintainers.html", tool, tab="maintainers", form=form, members=members
    )


@requires("maintainer")
@require_POST
def member_remove(request: MemberRequest, name: str, pk: int) -> HttpResponse:
    tool = _maintained(request, name)
    member = get_object_or_404(tool.memberships.select_related("user"), pk=pk)
    try:
        operations.remove_member(tool, user=member.user, by=request.user, at=timezone.now())
    except ToolRefused as refusal:
        messages.error(request, str(refusal))
    if not tool.can_edit(request.user):
        return redirect(tool)
    return redirect("tool_maintainers", name)


@requires("viewer")
@require_GET
def tool_history(request: MemberRequest, name: str) -> HttpResponse:
    tool = get_object_or_404(Tool.objects.visible_to(request.user), name=name)
    events = Paginator(tool.events.select_related("actor"), PAGE_SIZE)
    page = events.get_page(request.GET.get("page"))
    context = {"tool": tool, "tab": "history", "events": page, "can_view": True}
    context["can_edit"] = tool.can_edit(request.user)
    return render(request, "tools/tool_history.html", context)
