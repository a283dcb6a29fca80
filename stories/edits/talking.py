"""Comments, reviews, support, following."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal.accounts.permissions import MemberRequest, requires
from portal.tools.models import Tool
from stories import operations
from stories.edits.base import attempt, on_current
from stories.models import Comment, Record
from stories.views import discussion


@requires("member")
@require_POST
@on_current
def comment_add(request: MemberRequest, record: Record) -> HttpResponse:
    sent = request.POST
    kind = sent.get("kind", "")
    is_said = attempt(
        request,
        lambda: operations.add_comment(
            record,
            by=request.user,
            at=timezone.now(),
            body=sent.get("body", ""),
            kind=kind if kind in Comment.Kind.values else Comment.Kind.COMMENT,
            field=sent.get("field", ""),
            reply_to=record.comments.filter(pk=sent["reply_to"]).first()
            if sent.get("reply_to", "").isdecimal()
            else None,
        ),
    )
    return redirect("record_discussion", record.ident) if is_said else _again(request, record)


def _again(request: MemberRequest, record: Record) -> HttpResponse:
    """The discussion with what was typed in its forms, to be mended."""
    context = discussion(request, record) | {"typed": request.POST}
    return render(request, "stories/discussion.html", context, status=422)


@requires("member")
@require_POST
@on_current
def comment_resolve(request: MemberRequest, record: Record, pk: int) -> HttpResponse:
    comment = get_object_or_404(record.comments.all(), pk=pk)
    attempt(
        request, lambda: operations.resolve_comment(comment, by=request.user, at=timezone.now())
    )
    return redirect("record_discussion", record.ident)


@requires("workgroup")
@require_POST
@on_current
def review_add(request: MemberRequest, record: Record) -> HttpResponse:
    sent = request.POST
    is_done = attempt(
        request,
        lambda: operations.review(
            record,
            by=request.user,
            at=timezone.now(),
            verdict=sent.get("verdict", ""),
            text=sent.get("text", ""),
        ),
    )
    return redirect("record_discussion", record.ident) if is_done else _again(request, record)


@requires("member")
@require_POST
@on_current
def support_set(request: MemberRequest, record: Record) -> HttpResponse:
    sent = request.POST
    if "withdraw" in sent:
        operations.withdraw_support(record, by=request.user, at=timezone.now())
        return redirect(record)
    tool = Tool.objects.filter(name=sent.get("tool", "")).first() if sent.get("tool") else None
    weight = sent.get("weight", "1")
    attempt(
        request,
        lambda: operations.support(
            record,
            by=request.user,
            at=timezone.now(),
            why=sent.get("why", ""),
            weight=int(weight) if weight.isdecimal() else 1,
            tool=tool,
        ),
        _("Thank you. It counts."),
    )
    return redirect(record)


@requires("member")
@require_POST
@on_current
def watch_set(request: MemberRequest, record: Record) -> HttpResponse:
    level = request.POST.get("level", "")
    attempt(
        request,
        lambda: operations.watch(record, by=request.user, level=level, at=timezone.now()),
        _("Saved."),
    )
    return redirect(record)
