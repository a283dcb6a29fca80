"""What people say about records: comments, reviews, support; and who is told."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.tools.audit import record_event
from portal.tools.models import Tool
from stories import evidence, guards
from stories.guards import Attempt, Missing
from stories.models import (
    Comment,
    Notification,
    Record,
    Review,
    ReviewRound,
    Support,
    Watch,
)
from stories.operations.mentioning import mentioned
from stories.operations.moving import move
from stories.operations.saving import NotAllowed, refuse
from stories.operations.telling import tell, watch_by_default
from stories.operations.trail import leave
from stories.roles import may


@transaction.atomic
def add_comment(
    record: Record,
    *,
    by: User,
    at: datetime,
    body: str,
    kind: str = Comment.Kind.COMMENT,
    field: str = "",
    quote: str = "",
    reply_to: Comment | None = None,
) -> Comment:
    """Anyone who is signed in may comment; those who watch are told, and who is named with @."""
    body = body.replace("\0", "").strip()
    if not body:
        raise refuse("empty", _("Write something first."), "body")
    if len(body) > 20_000:
        raise refuse("too-long", _("At most %(count)d characters.") % {"count": 20_000}, "body")
    if field and field not in {each.name for each in record.kind_of.all_fields}:
        raise refuse("no-field", _("There is no such field."), "field")
    if reply_to and reply_to.record_id != record.pk:
        elsewhere = _("What this answers was said about another record.")
        raise refuse("other-record", elsewhere, "reply_to")
    named = mentioned([body], field="body")
    comment = Comment.objects.create(
        record=record,
        author=by,
        at=at,
        body=body,
        kind=kind,
        field=field,
        quote=quote,
        reply_to=reply_to,
    )
    comment.mentioned.set(named)
    watch_by_default(record, [by])
    text = f"{record.ident}: {by.username}: {body}"
    tell(record, text, by=by, at=at, mentioned=named, comment=comment)
    leave(record, "commented", by=by, at=at, after={"comment": comment.pk, "kind": kind})
    return comment


@transaction.atomic
def resolve_comment(comment: Comment, *, by: User, at: datetime) -> None:
    """Its author or a lead resolves a comment; the system may then approve the record."""
    if comment.author_id != by.pk and not may(by, "lead"):
        raise NotAllowed(Missing("not-allowed", _("Its author or a lead resolves a concern.")))
    unresolved = Comment.objects.filter(pk=comment.pk, resolved_at=None)
    if unresolved.update(resolved_at=at, resolved_by=by):
        told = {"comment": comment.pk, "kind": comment.kind}
        leave(comment.record, "comment-resolved", by=by, at=at, after=told)
    approve_if_due(comment.record, at=at)


@transaction.atomic
def review(record: Record, *, by: User, at: datetime, verdict: str, text: str = "") -> Review:
    """A verdict on the present text; the last that somebody gives on it counts."""
    if not may(by, "reviewer"):
        raise NotAllowed(Missing("not-allowed", _("This is for members of the workgroup.")))
    if record.last_author_id == by.pk:
        raise refuse("own-text", _("You wrote the latest text. Somebody else has to review it."))
    round_ = ReviewRound.objects.filter(record=record, closed_at=None).first()
    if round_ is None:
        raise refuse("not-in-review", _("This record is not in review."))
    if verdict not in Review.Verdict.values:
        raise refuse("no-verdict", _("Choose a verdict."), "verdict")
    named = mentioned([text], field="text")
    version = record.material_version
    earlier = round_.reviews.filter(reviewer=by, version=version)
    before = earlier.values("verdict", "text").first()
    found, _is_new = round_.reviews.update_or_create(
        reviewer=by, version=version, defaults={"verdict": verdict, "text": text, "at": at}
    )
    told = {"version": version, "verdict": verdict, "text": text}
    leave(record, "reviewed", by=by, at=at, before=before, after=told)
    watch_by_default(record, [by])
    said = f"{record.ident}: {by.username} {found.get_verdict_display()}: {text}".rstrip(": ")
    tell(record, said, by=by, at=at, mentioned=named)
    approve_if_due(record, at=at)
    return found


def approve_if_due(record: Record, *, at: datetime) -> None:
    """The platform approves a design doc once nothing is missing."""
    for found in record.kind_of.moves_from(record.status):
        is_due = found.role == "system" and found.to == "approved"
        if is_due and not guards.missing(Attempt(record, found, None, at)):
            move(record, found.to, by=None, at=at)


@transaction.atomic
def support(
    record: Record,
    *,
    by: User,
    at: datetime,
    why: str = "",
    weight: int = 1,
    tool: Tool | None = None,
) -> Support:
    """One for each person and record; again replaces it. The reason is asked for."""
    if not 0 <= weight <= 3:
        raise refuse("weight", _("The weight is between 0 and 3."), "weight")
    if tool is not None and not evidence.tools_of(by).filter(pk=tool.pk).exists():
        raise refuse("not-your-tool", _("You do not keep that tool."), "tool")
    before = record.supports.filter(user=by).first()
    found, _is_new = Support.objects.update_or_create(
        record=record,
        user=by,
        defaults={"why": why.replace("\0", "")[:5000], "weight": weight, "tool": tool, "at": at},
    )
    leave(record, "supported", by=by, at=at, before=_told(before), after=_told(found))
    return found


@transaction.atomic
def withdraw_support(record: Record, *, by: User, at: datetime) -> None:
    found = record.supports.filter(user=by).first()
    if found:
        found.delete()
        leave(record, "support-withdrawn", by=by, at=at, before=_told(found))


def _told(support: Support | None) -> dict[str, Any] | None:
    """What the history tells of a support."""
    if support is None:
        return None
    tool = support.tool.name if support.tool else ""
    return {"weight": support.weight, "tool": tool, "why": support.why}


def mark_read(user: User, *, at: datetime) -> None:
    """All that somebody was told is known to them."""
    Notification.objects.filter(user=user, read_at=None).update(read_at=at)


@transaction.atomic
def watch(record: Record, *, by: User, level: str, at: datetime) -> Watch:
    """Choose what to be told of a record. An empty level is the least: being mentioned."""
    level = level or Watch.Level.MENTIONS
    if level not in Watch.Level.values:
        raise refuse("no-level", _("Choose what you want to be told."), "level")
    before = record.watches.filter(user=by).first()
    found, _is_new = Watch.objects.update_or_create(
        record=record, user=by, defaults={"level": level}
    )
    if before is None or before.level != level:
        record_event(
            None,
            by=by,
            action="record.watched",
            summary=record.ident,
            before={"level": before.level if before else ""},
            after={"level": level},
            at=at,
        )
    return found


def watch_level(record: Record, user: User) -> str:
    """What they are told of; whoever has chosen nothing hears of being mentioned."""
    chosen = record.watches.filter(user=user).values_list("level", flat=True).first()
    return chosen or Watch.Level.MENTIONS
