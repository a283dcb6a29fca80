"""Pages about tools; what they have in common."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from portal.accounts.permissions import MemberRequest
from portal.tools.models import Tool
from portal.tools.operations import ToolRefused


def attempt(form: forms.Form | forms.ModelForm, operation: Callable[[], object]) -> bool:
    """Do it; a refusal becomes an error of the form's field."""
    try:
        operation()
    except ToolRefused as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
        return False
    return True


def maintained(request: MemberRequest, name: str) -> Tool:
    return get_object_or_404(Tool.objects.maintained_by(request.user), name=name)


def visible(request: MemberRequest, name: str) -> Tool:
    return get_object_or_404(Tool.objects.visible_to(request.user), name=name)


def tool_page(request: MemberRequest, template: str, tool: Tool, **context: Any) -> HttpResponse:  # noqa: ANN401
    return render(request, template, {"tool": tool, "can_edit": True, "can_view": True, **context})
