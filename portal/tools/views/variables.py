"""Pages about the variables of a tool."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts.permissions import MemberRequest, requires
from portal.tools import operations
from portal.tools.forms import VariableForm
from portal.tools.views import attempt, maintained, tool_page


@requires("maintainer")
@require_http_methods(["GET", "POST"])
def tool_variables(request: MemberRequest, name: str) -> HttpResponse:
    tool = maintained(request, name)
    form = VariableForm(request.POST or None)
    if request.method == "POST" and form.is_valid():

        def set_it() -> None:
            operations.set_variable(tool, by=request.user, at=timezone.now(), **form.cleaned_data)

        if attempt(form, set_it):
            messages.success(request, _("Saved. The next build or release gets it."))
            return redirect("tool_variables", name)
    variables = tool.variables.all()
    return tool_page(
        request, "tools/tool_variables.html", tool, tab="variables", form=form, variables=variables
    )


@requires("maintainer")
@require_POST
def variable_delete(request: MemberRequest, name: str, pk: int) -> HttpResponse:
    variable = get_object_or_404(maintained(request, name).variables, pk=pk)
    operations.delete_variable(variable, by=request.user, at=timezone.now())
    return redirect("tool_variables", name)
