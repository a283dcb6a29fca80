"""Merging and deleting records, and what is done with single versions of them."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal.accounts.permissions import MemberRequest, requires
from stories import operations
from stories.edits.base import attempt, on_current
from stories.models import Record, Revision
from stories.views import find


@requires("admin")
@require_POST
@on_current
def record_merge(request: MemberRequest, record: Record) -> HttpResponse:
    other = Record.objects.by_ident(request.POST.get("to", "")).first()
    if other is None:
        messages.error(request, _("There is no record of that name."))
    elif attempt(
        request,
        lambda: operations.merge_into(record, other, by=request.user, at=timezone.now()),
    ):
        return redirect(other)
    return redirect(record)


@requires("admin")
@require_POST
@on_current
def record_delete(request: MemberRequest, record: Record) -> HttpResponse:
    reason = request.POST.get("reason", "")
    attempt(
        request,
        lambda: operations.delete_record(record, by=request.user, at=timezone.now(), reason=reason),
    )
    return redirect(record)


@requires("workgroup")
@require_POST
def revision_patrol(request: MemberRequest, ident: str, number: int) -> HttpResponse:
    revision = get_object_or_404(find(ident).revisions, number=number)
    attempt(
        request,
        lambda: operations.patrol(revision, by=request.user, at=timezone.now()),
        _("You have looked at version %(number)s.") % {"number": number},
    )
    return redirect(f"{reverse('record_diff', args=[ident])}?to={number}")


@requires("admin")
@require_POST
def revision_suppress(request: MemberRequest, ident: str, number: int) -> HttpResponse:
    revision = get_object_or_404(
        Revision.objects.select_related("record"), record=find(ident), number=number
    )
    reason = request.POST.get("reason", "")
    attempt(
        request,
        lambda: operations.suppress(revision, by=request.user, at=timezone.now(), reason=reason),
    )
    return redirect("record_history", ident)
