"""Toolinfo: what catalogues crawl, and the page that takes a record over."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import http_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.accounts.permissions import MemberRequest, requires
from portal.tools import operations
from portal.tools.forms import ToolinfoForm
from portal.tools.models import Tool
from portal.tools.operations import ToolRefused
from portal.tools.toolinfo import Document, document_of, whole_document
from portal.tools.views import maintained, tool_page


@requires("public")
@require_safe
def toolinfo(request: HttpRequest) -> HttpResponse:
    """All public tools, for a catalogue's crawler."""
    return _answer(request, whole_document())


@requires("public")
@require_safe
def tool_toolinfo(request: HttpRequest, name: str) -> HttpResponse:
    return _answer(request, document_of(get_object_or_404(Tool.objects.public(), name=name)))


def _answer(request: HttpRequest, document: Document) -> HttpResponse:
    """The document, or 304 for who has it already."""
    changed = int(document.changed_at.timestamp())
    response = get_conditional_response(request, etag=document.etag, last_modified=changed)
    if response is None:
        response = HttpResponse(document.body, content_type="application/json")
    response.headers["ETag"] = document.etag
    response.headers["Last-Modified"] = http_date(changed)
    response.headers["Access-Control-Allow-Origin"] = "*"
    patch_cache_control(response, public=True, max_age=60)
    return response


@requires("maintainer")
@require_http_methods(["GET", "POST"])
def toolinfo_import(request: MemberRequest, name: str) -> HttpResponse:
    """First the changes are shown, then the same text comes back and is taken over."""
    tool = maintained(request, name)
    form = ToolinfoForm(request.POST or None, request.FILES or None)
    preview, text = None, ""
    if request.method == "POST" and form.is_valid():
        try:
            text = _text(form)
            if "apply" in request.POST:
                _apply(request, tool, text)
                return redirect(tool)
            preview = operations.preview_import(tool, text)
        except ToolRefused as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
    return tool_page(
        request,
        "tools/toolinfo_import.html",
        tool,
        tab="settings",
        form=form,
        preview=preview,
        text=text,
    )


def _text(form: ToolinfoForm) -> str:
    given = form.cleaned_data
    if given["file"]:
        try:
            return str(given["file"].read(operations.TOOLINFO_LIMIT + 1).decode())
        except UnicodeDecodeError as error:
            raise ToolRefused(_("The file is no text in UTF-8."), field="file") from error
    if given["url"]:
        return operations.fetch_toolinfo(given["url"])
    return str(given["toolinfo"])


def _apply(request: MemberRequest, tool: Tool, text: str) -> None:
    version = request.POST.get("version", "")
    if not (version.isascii() and version.isdigit()):
        raise ToolRefused(_("Look at the changes first."))
    now, number = timezone.now(), int(version[:9])
    operations.import_toolinfo(tool, text, by=request.user, at=now, version=number)
    messages.success(request, _("Saved."))
