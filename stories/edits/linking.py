"""Relating records to each other."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal.accounts.permissions import MemberRequest, requires
from stories import operations
from stories.edits.base import attempt, on_current, version_read
from stories.models import Link, Record


@requires("member")
@require_POST
@on_current
def link_add(request: MemberRequest, record: Record) -> HttpResponse:
    sent = request.POST
    other = Record.objects.by_ident(sent.get("to", "")).first()
    if other is None:
        messages.error(request, _("There is no record %s.") % sent.get("to", "")[:20])
        return redirect(record)
    attempt(
        request,
        lambda: operations.add_link(
            record,
            sent.get("type", ""),
            other,
            by=request.user,
            at=timezone.now(),
            anchor=sent.get("anchor", ""),
            quote=sent.get("quote", ""),
            note=sent.get("note", ""),
        ),
    )
    return redirect(record)


def _link_of(record: Record, pk: int) -> Link:
    links = Link.objects.select_related("source", "target")
    link = get_object_or_404(links, pk=pk)
    if record.pk not in (link.source_id, link.target_id):
        raise Http404
    return link


@requires("member")
@require_POST
@on_current
def link_remove(request: MemberRequest, record: Record, pk: int) -> HttpResponse:
    link = _link_of(record, pk)
    attempt(request, lambda: operations.remove_link(link, by=request.user, at=timezone.now()))
    return redirect(record)


@requires("workgroup")
@require_POST
@on_current
def link_confirm(request: MemberRequest, record: Record, pk: int) -> HttpResponse:
    link = _link_of(record, pk)
    read = version_read(request.POST, "target_version")
    attempt(
        request,
        lambda: operations.confirm_link(link, by=request.user, at=timezone.now(), version=read),
    )
    return redirect(record)
