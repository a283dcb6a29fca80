"""Pages about what happened."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from portal.accounts.permissions import MemberRequest, requires
from portal.tools.exports import export
from portal.tools.filters import EventFilter, Events
from portal.tools.models import AuditEvent
from portal.tools.views import visible

PAGE_SIZE = 50


@requires("member")
@require_GET
def audit(request: MemberRequest) -> HttpResponse:
    """What happened to the tools and the account of the reader; to everything for an admin."""
    found = EventFilter(request.GET, AuditEvent.objects.visible_to(request.user))
    context = {**_page_of(found, request), "export": _query(request)}
    return render(request, "tools/audit.html", context)


@requires("member")
@require_GET
def audit_export(request: MemberRequest) -> HttpResponse:
    found = EventFilter(request.GET, AuditEvent.objects.visible_to(request.user))
    return export(_events(found), request, reader=request.user)


@requires("viewer")
@require_GET
def tool_history(request: MemberRequest, name: str) -> HttpResponse:
    tool = visible(request, name)
    found = EventFilter(request.GET, tool.events.all())
    del found.form.fields["tool"]
    context = {"tool": tool, "tab": "history", "can_view": True, **_page_of(found, request)}
    context["export"] = _query(request, tool=name)
    context["can_edit"] = tool.can_edit(request.user)
    return render(request, "tools/tool_history.html", context)


def _events(found: EventFilter) -> Events:
    """What the form asks for; nothing where it has a mistake."""
    return found.qs if found.is_valid() else found.queryset.none()


def _page_of(found: EventFilter, request: MemberRequest) -> dict[str, Any]:
    """A page by key, so that it costs the same however long the history is."""
    events = _events(found).select_related("tool", "actor")
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit():
        events = events.filter(pk__lt=before[:18])
    shown = list(events[: PAGE_SIZE + 1])
    has_more = len(shown) > PAGE_SIZE
    shown = shown[:PAGE_SIZE]
    for event in shown:
        event.shown_address = event.address_for(request.user)
    return {
        "events": shown,
        "form": found.form,
        "asked": _query(request),
        "older": _query(request, before=str(shown[-1].pk)) if has_more else "",
        "is_first": not before,
    }


def _query(request: MemberRequest, **changes: str) -> str:
    """What was asked for, as it goes on in an address."""
    asked = {name: value for name, value in request.GET.items() if value and name != "before"}
    return urlencode(asked | changes)
