"""What people say about records: comments, reviews, support; and who is told."""

from datetime import datetime

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
    return comment


def resolve_comment(comment: Comment, *, by: User, at: datetime) -> None:
    """Its author or a lead resolves a comment; the system may then approve the record."""
    if comment.author_id != by.pk and not may(by, "lead"):
        raise NotAllowed(Missing("not-allowed", _("Its author or a lead resolves a concern.")))
    Comment.objects.filter(pk=comment.pk, resolved_at=None).update(resolved_at=at, resolved_by=by)
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
    found, _is_new = Review.objects.update_or_create(
        round=round_,
        reviewer=by,
        version=record.material_version,
        defaults={"verdict": verdict, "text": text, "at": at},
    )
    watch_by_default(record, [by])
    told = f"{record.ident}: {by.username} {found.get_verdict_display()}: {text}".rstrip(": ")
    tell(record, told, by=by, at=at, mentioned=named)
    approve_if_due(record, at=at)
    return found


def approve_if_due(record: Record, *, at: datetime) -> None:
    """The platform approves a design doc once nothing is missing."""
    for found in record.kind_of.moves_from(record.status):
        is_due = found.role == "system" and found.to == "approved"
        if is_due and not guards.missing(Attempt(record, found, None, at)):
            move(record, found.to, by=None, at=at)


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
    found, _is_new = Support.objects.update_or_create(
        record=record,
        user=by,
        defaults={"why": why.replace("\0", "")[:5000], "weight": weight, "tool": tool, "at": at},
    )
    return found


def withdraw_support(record: Record, *, by: User) -> None:
    record.supports.filter(user=by).delete()


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
