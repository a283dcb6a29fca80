"""Making records, editing them, and taking an older text back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.tools.audit import record_event
from stories.guards import Missing
from stories.kinds import KINDS
from stories.merging import merge_fields
from stories.models import (
    Baseline,
    Counter,
    MinuteLine,
    Record,
    Revision,
)
from stories.operations.mentioning import mentioned
from stories.operations.saving import (
    TRIES,
    Cause,
    Change,
    Conflict,
    NotAllowed,
    Stale,
    follow_up,
    invalid,
    refuse,
    save,
)
from stories.operations.telling import watch_by_default
from stories.operations.trail import leave
from stories.roles import may, may_create, may_edit
from stories.schema import Invalid, clean, clean_title, join_line, line_at
from stories.text import occurs

# After the decision these may still be written: what came of it.
_AFTER_DECISION = ("expected_effect", "tags", "revisit_on")


@dataclass(frozen=True)
class Origin:
    """The words that a record is read from: a line of a meeting's notes, and how certain it is."""

    source: Record
    quote: str
    anchor: str = ""
    certainty: str = Record.Certainty.DERIVED


@transaction.atomic
def create_record(
    kind: str,
    *,
    title: str,
    fields: Mapping[str, Any],
    by: User | None,
    at: datetime,
    origin: Origin | None = None,
    summary: str = "",
    number: int | None = None,
    status: str = "",
    uid: str = "",
    cause: str = Cause.EDIT,
) -> Record:
    """A new record in its first status. Raises Refused.

    `number`, `status` and `uid` are for imports: guards bind moves, not loading.
    """
    if by is not None and not may_create(by, kind):
        raise NotAllowed(Missing("not-allowed", _("This is for members of the workgroup.")))
    known = KINDS[kind]
    try:
        record = Record(kind=kind, title=clean_title(title), fields=clean(known, fields))
    except Invalid as error:
        raise invalid(error) from error
    if uid:
        record.uid = uid
    record.status = status or known.first_status
    record.status_since = record.created_at = record.updated_at = at
    record.created_by = record.last_author = record.status_by = by
    if origin:
        _take_origin(record, origin)
    named = mentioned(record.texts()) if cause == Cause.EDIT else set()
    record.take_columns()
    if number is None:
        number = Counter.next(kind)
    else:
        Counter.reserve(kind, number)
    record.number = number
    record.save(force_insert=True)
    revision = save(record, Change(by=by, at=at, summary=summary, cause=cause))
    if by is not None:
        watch_by_default(record, [by])
    follow_up(record, revision, mentioned=named)
    return record


def _take_origin(record: Record, origin: Origin) -> None:
    check_quote(origin.source, origin.quote, origin.anchor)
    record.source, record.anchor = origin.source, origin.anchor
    record.quote, record.certainty = origin.quote, origin.certainty


def check_quote(source: Record, quote: str, anchor: str) -> None:
    """Refuse words that do not stand in the source, or not in the line that is named."""
    if not quote:
        return
    text = source.whole_text()
    if anchor:
        text = _line_text(source, anchor)
    if not occurs(quote, text):
        place = f"{source.ident} {anchor}".strip()
        raise refuse(
            "no-such-words",
            _("These words do not stand in %(place)s: “%(quote)s”")
            % {"place": place, "quote": quote[:80]},
            "quote",
        )


def _line_text(meeting: Record, anchor: str) -> str:
    """A line of a meeting, also while it is being written."""
    line = line_at(meeting.fields.get("notes", []), anchor)
    if line is not None:
        return join_line(line)
    for minute in MinuteLine.objects.filter(meeting=meeting):
        if str(minute) == anchor:
            return join_line({"speaker": minute.speaker, "text": minute.text})
    raise refuse("no-line", _("There is no line %(line)s.") % {"line": anchor}, "anchor")


@dataclass(frozen=True)
class Saved:
    record: Record
    revision: Revision | None
    # Whether somebody else's edit was merged into this one.
    is_merged: bool = False


def edit_record(
    record: Record,
    *,
    by: User,
    at: datetime,
    version: int,
    title: str | None = None,
    fields: Mapping[str, Any] | None = None,
    summary: str = "",
    is_minor: bool = False,
) -> Saved:
    """Save what somebody wrote on top of `version`, merged with what was saved since.

    Fields that are not given stay. Raises Refused, and Conflict when the two edits clash.
    """
    if not may_edit(by, record):
        raise NotAllowed(Missing("not-allowed", _("You may not edit this record.")))
    base = record.revisions.filter(number=version).first()
    if base is None:
        raise refuse("no-version", _("There is no version %(number)s.") % {"number": version})
    began = base.snapshot
    try:
        mine = {
            "title": clean_title(title if title is not None else began["title"]),
            **clean(record.kind_of, {**began["fields"], **(fields or {})}),
        }
    except Invalid as error:
        raise invalid(error) from error
    for _attempt in range(TRIES):
        try:
            return _edit_once(record, began, mine, version, by, at, summary, is_minor)
        except Conflict:
            raise
        except Stale:
            record.refresh_from_db()
    raise Stale(_("This record is being saved by many at once. Try again."))


@transaction.atomic
def _edit_once(
    record: Record,
    began: Mapping[str, Any],
    mine: Mapping[str, Any],
    version: int,
    by: User,
    at: datetime,
    summary: str,
    is_minor: bool,
) -> Saved:
    theirs, before = {"title": record.title, **record.fields}, record.texts()
    base = {"title": began["title"], **began["fields"]}
    result = merge_fields(base, theirs, mine)
    if result.clashes:
        raise Conflict(record.version, result.clashes, result.values)
    if result.values == theirs:
        return Saved(record, None, is_merged=version != record.version)
    _refuse_frozen(record, theirs, result.values, summary, is_minor)
    merged = dict(result.values)
    record.title = merged.pop("title")
    try:
        record.fields = clean(record.kind_of, merged)
    except Invalid as error:
        record.refresh_from_db()
        raise invalid(error) from error
    _refuse_lost_dates(record)
    named = mentioned(record.texts(), before)
    is_merged = version != record.version
    change = Change(by=by, at=at, summary=summary, is_minor=is_minor, base_revision=version)
    revision = save(record, change)
    watch_by_default(record, [by])
    follow_up(record, revision, mentioned=named)
    return Saved(record, revision, is_merged)


def _refuse_lost_dates(record: Record) -> None:
    """What the database insists on, as a sentence."""
    if record.kind == "RA" and record.status == "agreed" and not record.fields["review_by"]:
        raise refuse("no-review-day", _("An agreed rationale needs its review day."), "review_by")


def _refuse_frozen(
    record: Record,
    theirs: Mapping[str, Any],
    mine: Mapping[str, Any],
    summary: str,
    is_minor: bool,
) -> None:
    """A decision that was made keeps its words: a change of mind is a new decision request."""
    if record.kind != "DR" or record.status not in ("decided", "superseded"):
        return
    touched = [
        name for name in mine if mine[name] != theirs.get(name) and name not in _AFTER_DECISION
    ]
    if touched and not (is_minor and summary):
        raise refuse(
            "frozen",
            _(
                "This was decided. Mark a slip of the pen as a minor edit and say what it was; "
                "for another decision, make a new request that supersedes this one."
            ),
            touched[0],
        )


@transaction.atomic
def restore(record: Record, number: int, *, by: User, at: datetime) -> Record:
    """Make an older revision's text the newest; status and links stay. A new revision."""
    if not may_edit(by, record):
        raise NotAllowed(Missing("not-allowed", _("You may not edit this record.")))
    old = record.revisions.filter(number=number, suppressed="").first()
    if old is None:
        raise refuse("no-version", _("There is no version %(number)s.") % {"number": number})
    if record.kind == "DR" and record.status in ("decided", "superseded"):
        _refuse_frozen(record, {}, {"title": old.snapshot["title"]}, "", is_minor=False)
    record.title = old.snapshot["title"]
    known = {each.name for each in record.kind_of.all_fields}
    record.fields = clean(
        record.kind_of,
        {name: value for name, value in old.snapshot["fields"].items() if name in known},
    )
    _refuse_lost_dates(record)
    summary = _("Restored version %(number)s") % {"number": number}
    change = Change(by=by, at=at, cause=Cause.RESTORE, summary=summary, restored_from=number)
    revision = save(record, change)
    follow_up(record, revision)
    return record


@transaction.atomic
def name_baseline(name: str, *, by: User, at: datetime, note: str = "") -> Baseline:
    """Name what all records are at this moment. Raises Refused."""
    if not may(by, "contributor"):
        raise NotAllowed(Missing("not-allowed", _("This is for members of the workgroup.")))
    name = " ".join(name.split())[:100]
    if not name or Baseline.objects.filter(name=name).exists():
        raise refuse("name-taken", _("Give it a name that no other baseline has."), "name")
    record_event(None, by=by, action="records.baseline-named", summary=name, at=at)
    return Baseline.objects.create(name=name, note=note[:500], at=at, created_by=by)


@transaction.atomic
def patrol(revision: Revision, *, by: User, at: datetime) -> None:
    """Note that somebody else than its author looked at a revision; the first mark stays."""
    if not may(by, "contributor"):
        raise NotAllowed(Missing("not-allowed", _("This is for members of the workgroup.")))
    if revision.author_id == by.pk:
        raise NotAllowed(Missing("own", _("This is yours: somebody else has to look at it.")))
    unmarked = Revision.objects.filter(pk=revision.pk, patrolled_at=None)
    if unmarked.update(patrolled_by=by, patrolled_at=at):
        leave(revision.record, "patrolled", by=by, at=at, summary=f"r{revision.number}")


@transaction.atomic
def suppress(revision: Revision, *, by: User, at: datetime, reason: str) -> None:
    """Hide the text of a revision; its place in the history stays, with the reason."""
    if not may(by, "lead"):
        raise NotAllowed(Missing("not-allowed", _("This is for leads.")))
    if not reason.strip():
        raise refuse("no-reason", _("Give a reason."), "reason")
    if revision.number == revision.record.version:
        raise refuse("newest", _("Save a version without that text first."))
    Revision.objects.filter(pk=revision.pk).update(suppressed=reason)
    told = {"reason": reason}
    leave(revision.record, "suppressed", by=by, at=at, summary=f"r{revision.number}", after=told)
