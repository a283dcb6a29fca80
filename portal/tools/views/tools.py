"""Pages about tools: register, edit, put away."""

from pathlib import Path

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.accounts.permissions import MemberRequest, requires
from portal.tools import operations
from portal.tools.forms import EditForm, RegisterForm
from portal.tools.models import Tool
from portal.tools.names import TOOL_NAME_RULE, check_tool_name
from portal.tools.views import attempt, maintained, tool_page


@requires("member")
@require_http_methods(["GET", "POST"])
def tool_register(request: MemberRequest) -> HttpResponse:
    form = RegisterForm(request.POST or None, initial=_from_example(request.GET.get("example", "")))
    if request.method == "POST" and form.is_valid():

        def register() -> None:
            operations.register_tool(by=request.user, at=timezone.now(), **form.cleaned_data)

        if attempt(form, register):
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
    tool = maintained(request, name)
    form = EditForm(request.POST or None, instance=tool, initial={"version": tool.version})
    if request.method == "POST" and form.is_valid():

        def edit() -> None:
            operations.edit_tool(tool, by=request.user, at=timezone.now(), **form.cleaned_data)

        if attempt(form, edit):
            messages.success(request, _("Saved."))
            return redirect(tool)
    return tool_page(request, "tools/tool_edit.html", tool, tab="settings", form=form)


@requires("admin")
@require_POST
def tool_set_status(request: MemberRequest, name: str) -> HttpResponse:
    tool = get_object_or_404(Tool, name=name)
    status = request.POST.get("status", "")
    if status in Tool.Status.values:
        operations.set_status(tool, status, by=request.user, at=timezone.now())
    return redirect(tool)
