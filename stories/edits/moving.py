"""Changing the status of a record, and confirming what it rests on."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal.accounts.permissions import MemberRequest, requires
from stories import operations
from stories.edits.base import attempt, day_of, on_current
from stories.models import Record


@requires("member")
@require_POST
@on_current
def record_move(request: MemberRequest, record: Record) -> HttpResponse:
    sent = request.POST
    attempt(
        request,
        lambda: operations.move(
            record,
            sent.get("to", ""),
            by=request.user,
            at=timezone.now(),
            reason=sent.get("reason", ""),
            look_again_on=day_of(sent.get("look_again_on", "")),
            override=sent.get("override", ""),
        ),
    )
    return redirect(record)


@requires("workgroup")
@require_POST
@on_current
def record_reconfirm(request: MemberRequest, record: Record) -> HttpResponse:
    review_by = day_of(request.POST.get("review_by", "")) or timezone.now().date()
    attempt(
        request,
        lambda: operations.reconfirm(
            record, by=request.user, at=timezone.now(), review_by=review_by
        ),
        _("Confirmed with today's numbers."),
    )
    return redirect(record)
