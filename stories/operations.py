"""What people, programs and the platform may do to records; HTML and REST call these.

Every accepted change is one transaction: a conditional update of the record, its next revision, its
search document, the flags that it touches, and notices for those who watch it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.tools.models import Tool
from stories import checks, evidence, guards, search
from stories.guards import Attempt, Missing
from stories.kinds import INVERSES, KINDS, LINK_TYPES, LinkType, Move
from stories.merging import Clash, merge_fields
from stories.models import (
    Comment,
    Counter,
    Link,
    MinuteLine,
    Notification,
    Record,
    Review,
    ReviewRound,
    Revision,
    Support,
    Watch,
)
from stories.roles import is_own_draft, may, may_create, may_edit
from stories.schema import Invalid, clean, clean_title, join_line, keep_numbers, line_at, split_line
from stories.text import occurs

Cause = Revision.Cause
TRIES = 20
# After the decision these may still be written: what came of it.
_AFTER_DECISION = ("expected_effect", "tags", "revisit_on")


class Refused(Exception):
    """Everything that is in the way of what was asked, in words."""

    def __init__(self, *missing: Missing) -> None:
        super().__init__(" ".join(each.sentence for each in missing))
        self.missing = missing


class NotAllowed(Refused):
    """The person may not do this."""


class Stale(Exception):
    """Somebody else saved the record since the caller read it."""


class Conflict(Stale):
    """Two edits that do not go together: both texts, and what they began with."""

    def __init__(self, version: int, clashes: Sequence[Clash], merged: Mapping[str, Any]) -> None:
        super().__init__(_("Somebody else changed the same place."))
        self.version, self.clashes, self.merged = version, clashes, merged


def _refuse(code: str, sentence: str, field: str = "") -> Refused:
    return Refused(Missing(code, sentence, field))


def _invalid(error: Invalid) -> Refused:
    return Refused(*(Missing("invalid", text, path) for path, text in error.errors.items()))


@dataclass
class Change:
    """A save: who, when, why. `by` None is the platform."""

    by: User | None
    at: datetime
    cause: str = Cause.EDIT
    summary: str = ""
    is_minor: bool = False
    base_revision: int | None = None
    restored_from: int | None = None
    columns: dict[str, Any] = field(default_factory=dict)


def save(record: Record, change: Change) -> Revision:
    """Write the record as it stands as its next version. Raises Stale if another save was first.

    To be called in a transaction; everything else about a save follows from it.
    """
    record.take_columns()
    before = record.revisions.filter(number=record.version).first()
    snapshot = record.snapshot()
    changed = _changed(before.snapshot if before else {}, snapshot)
    number = record.version + 1 if before else 1
    is_material = not change.is_minor and any(
        name == "title" or name.startswith("fields.") for name in changed
    )
    record.updated_at = change.at
    if is_material or not before:
        record.material_version = number
        record.last_author = change.by or record.last_author
    same = Record.objects.filter(pk=record.pk, version=record.version)
    columns = (
        "title status status_since status_by status_reason look_again_on fields owner review_by "
        "decided_on superseded_by merged_into is_deleted source anchor quote certainty "
        "last_author updated_at material_version imported_digest"
    )
    values = {name: getattr(record, name) for name in columns.split()}
    if not same.update(**values, version=number):
        raise Stale(_("Somebody else saved this record. Load it again."))
    record.version = number
    revision = Revision.objects.create(
        record=record,
        number=number,
        snapshot=snapshot,
        changed_fields=changed,
        author=change.by,
        author_name=change.by.username if change.by else "",
        at=change.at,
        summary=change.summary[:500],
        cause=change.cause,
        base_revision=change.base_revision,
        restored_from=change.restored_from,
        is_minor=change.is_minor,
    )
    search.index(record)
    return revision


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Names of what differs; those of `fields` with their prefix."""
    names = [name for name in after if name != "fields" and before.get(name) != after[name]]
    old = before.get("fields", {})
    names += [f"fields.{name}" for name, value in after["fields"].items() if old.get(name) != value]
    return names


def _after(record: Record, revision: Revision, *, others: Iterable[int] = ()) -> None:
    """What follows from a save: flags of the record and its neighbours, and notices."""
    pks = {record.pk, *others}
    for source, target in Link.objects.filter(Q(source=record) | Q(target=record)).values_list(
        "source_id", "target_id"
    ):
        pks |= {source, target}
    checks.refresh(revision.at, sorted(pks))
    _notify(record, revision)


def _notify(record: Record, revision: Revision) -> None:
    if revision.is_minor:
        return
    watches = Watch.objects.filter(record=record)
    if revision.cause != Cause.TRANSITION:
        watches = watches.filter(level=Watch.Level.ALL)
    text = f"{record}: {revision.summary or revision.get_cause_display()}"
    Notification.objects.bulk_create(
        Notification(user_id=user_id, record=record, text=text[:500], at=revision.at)
        for user_id in watches.exclude(user=revision.author).values_list("user_id", flat=True)
    )


# --- writing --------------------------------------------------------------------------------


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
        raise _invalid(error) from error
    if uid:
        record.uid = uid
    record.status = status or known.first_status
    record.status_since = record.created_at = record.updated_at = at
    record.created_by = record.last_author = record.status_by = by
    if origin:
        _take_origin(record, origin)
    record.take_columns()
    if number is None:
        number = Counter.next(kind)
    else:
        Counter.reserve(kind, number)
    record.number = number
    record.save(force_insert=True)
    revision = save(record, Change(by=by, at=at, summary=summary, cause=cause))
    if by is not None:
        Watch.objects.get_or_create(record=record, user=by)
    _after(record, revision)
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
        raise _refuse(
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
    raise _refuse("no-line", _("There is no line %(line)s.") % {"line": anchor}, "anchor")


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
        raise _refuse("no-version", _("There is no version %(number)s.") % {"number": version})
    began = base.snapshot
    try:
        mine = {
            "title": clean_title(title if title is not None else began["title"]),
            **clean(record.kind_of, {**began["fields"], **(fields or {})}),
        }
    except Invalid as error:
        raise _invalid(error) from error
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
    theirs = {"title": record.title, **record.fields}
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
        raise _invalid(error) from error
    _refuse_lost_dates(record)
    is_merged = version != record.version
    change = Change(by=by, at=at, summary=summary, is_minor=is_minor, base_revision=version)
    revision = save(record, change)
    Watch.objects.get_or_create(record=record, user=by)
    _after(record, revision)
    return Saved(record, revision, is_merged)


def _refuse_lost_dates(record: Record) -> None:
    """What the database insists on, as a sentence."""
    if record.kind == "RA" and record.status == "agreed" and not record.fields["review_by"]:
        raise _refuse("no-review-day", _("An agreed rationale needs its review day."), "review_by")


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
        raise _refuse(
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
        raise _refuse("no-version", _("There is no version %(number)s.") % {"number": number})
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
    _after(record, revision)
    return record


# --- moves ----------------------------------------------------------------------------------


def possible_moves(
    record: Record, *, by: User | None, at: datetime
) -> list[tuple[Move, list[Missing]]]:
    """The moves from here, each with everything that is missing for it."""
    return [
        (move, guards.missing(Attempt(record, move, by, at)))
        for move in record.kind_of.moves_from(record.status)
        if (move.to, move.role) != ("superseded", "system")
    ]


@transaction.atomic
def move(
    record: Record,
    to: str,
    *,
    by: User | None,
    at: datetime,
    reason: str = "",
    look_again_on: date | None = None,
    override: str = "",
) -> Record:
    """Change the status. Raises Refused with everything that is missing.

    `override` is a lead's reason for passing over open concerns or remaining use. `by` None is the
    platform.
    """
    found = next((m for m in record.kind_of.moves_from(record.status) if m.to == to), None)
    if found is None:
        labels = record.kind_of.statuses
        allowed = ", ".join(str(labels[m.to]) for m in record.kind_of.moves_from(record.status))
        raise _refuse(
            "no-such-move",
            _("From “%(status)s” it can only become: %(allowed)s.")
            % {"status": record.status_label, "allowed": allowed or _("nothing")},
        )
    if by is not None and not guards.may_move(by, record, found):
        raise NotAllowed(Missing("not-allowed", _("This is for another role: %s.") % found.role))
    missing = guards.missing(Attempt(record, found, by, at, override))
    if found.needs_reason and not reason.strip():
        missing.append(Missing("no-reason", _("Give a reason."), "reason"))
    if found.needs_date and (look_again_on is None or look_again_on <= at.date()):
        missing.append(
            Missing("no-date", _("Say on which later day to look at it again."), "look_again_on")
        )
    if missing:
        raise Refused(*missing)
    _take_status(record, found, by=by, at=at, reason=reason or override, again=look_again_on)
    cause = Cause.TRANSITION if by else Cause.SYSTEM
    change = Change(by=by, at=at, cause=cause, summary=_status_words(record))
    revision = save(record, change)
    others = _after_move(record, by=by, at=at)
    _after(record, revision, others=others)
    return record


def _status_words(record: Record) -> str:
    words = f"→ {record.status_label}"
    return f"{words}: {record.status_reason}" if record.status_reason else words


def _take_status(
    record: Record,
    found: Move,
    *,
    by: User | None,
    at: datetime,
    reason: str,
    again: date | None,
) -> None:
    record.status, record.status_since, record.status_by = found.to, at, by
    record.status_reason = reason.strip()
    record.look_again_on = again if found.needs_date else None
    if found.to == "carried_over":
        record.fields["times_carried_over"] = (record.fields["times_carried_over"] or 0) + 1
    if record.kind == "MT" and found.to == "notes_draft":
        _fold_minutes(record)


def _after_move(record: Record, *, by: User | None, at: datetime) -> list[int]:
    """What a status brings with it: review rounds, agreed rationales, superseded records."""
    rounds = ReviewRound.objects.filter(record=record, closed_at=None)
    if record.status == "in_review":
        if not rounds.exists():
            ReviewRound.objects.create(record=record, opened_at=at)
    else:
        rounds.update(closed_at=at)
    others = _supersede_by(record, at=at) if record.status in record.kind_of.effective else []
    if record.kind == "RA":
        Link.objects.filter(type="justified_by", target=record).update(
            is_agreed=record.status == "agreed"
        )
    return others


def _supersede_by(record: Record, *, at: datetime) -> list[int]:
    """Now that it is in effect, the records that it supersedes are superseded."""
    touched = []
    links = record.links.filter(type="supersedes").select_related("target")
    for link in links:
        old = link.target
        if "superseded" not in {m.to for m in old.kind_of.moves_from(old.status)}:
            continue
        old.superseded_by = record
        old.status, old.status_since, old.status_by = "superseded", at, None
        old.status_reason = ""
        Link.objects.filter(type="justified_by", target=old).update(is_agreed=False)
        revision = save(
            old, Change(by=None, at=at, cause=Cause.SYSTEM, summary=f"→ {record.ident}")
        )
        _notify(old, revision)
        touched.append(old.pk)
    return touched


def _fold_minutes(record: Record) -> None:
    """Lines that were written live become part of the notes, with their numbers."""
    notes = {topic["number"]: topic for topic in record.fields["notes"]}
    for line in record.minutes.all():
        topic = notes.setdefault(line.topic, {"number": line.topic, "title": "", "lines": []})
        topic["lines"].append({"number": line.number, "speaker": line.speaker, "text": line.text})
    record.fields["notes"] = [notes[number] for number in sorted(notes)]
    record.minutes.all().delete()


@transaction.atomic
def reconfirm(record: Record, *, by: User, at: datetime, review_by: date) -> Record:
    """Confirm an agreed rationale: today's readings become those that it rests on."""
    if not may(by, "reviewer"):
        raise NotAllowed(Missing("not-allowed", _("This is for members of the workgroup.")))
    if record.kind != "RA" or record.status != "agreed":
        raise _refuse("not-agreed", _("Only an agreed rationale can be confirmed again."))
    known = evidence.latest(row["metric"] for row in record.fields["evidence"])
    today = at.date().isoformat()
    for row in record.fields["evidence"]:
        reading = known.get(row["metric"])
        if reading and reading.value is not None:
            row["seen_value"], row["seen_on"] = reading.value, today
    record.fields["review_by"] = review_by.isoformat()
    record.take_columns()
    finding = guards.GUARDS["review_by"](Attempt(record, Move("agreed", "reviewer"), by, at))
    if missing := list(finding):
        raise Refused(*missing)
    record.status_since = at
    summary = _("Confirmed again")
    revision = save(record, Change(by=by, at=at, cause=Cause.RECONFIRM, summary=summary))
    for link in Link.objects.filter(source=record).select_related("target"):
        Link.objects.filter(pk=link.pk).update(target_version_seen=link.target.material_version)
    _after(record, revision)
    return record


# --- links ----------------------------------------------------------------------------------


def link_type(name: str) -> tuple[LinkType, bool]:
    """A type by its own or its inverse name, and whether that was the inverse."""
    if name in LINK_TYPES:
        return LINK_TYPES[name], False
    if name in INVERSES:
        return INVERSES[name], True
    raise _refuse("no-such-link", _("There is no such relation: %s.") % name, "type")


@transaction.atomic
def add_link(
    record: Record,
    type_name: str,
    other: Record,
    *,
    by: User | None,
    at: datetime,
    anchor: str = "",
    quote: str = "",
    note: str = "",
    cause: str = Cause.LINK,
) -> Link:
    """Relate two records; the inverse name of a relation may be used. Again is no change."""
    kind, is_inverse = link_type(type_name)
    source, target = (other, record) if is_inverse else (record, other)
    there = source.links.filter(type=kind.name, target=target, anchor=anchor).first()
    if there:
        return there
    link = make_link(kind.name, source, target, by=by, at=at, anchor=anchor, quote=quote, note=note)
    summary = f"+ {kind.label} {target.ident}"
    revision = save(source, Change(by=by, at=at, cause=cause, summary=summary))
    others = [target.pk]
    if kind.name == "supersedes" and source.status in source.kind_of.effective:
        others += _supersede_by(source, at=at)
    _after(source, revision, others=others)
    return link


def make_link(
    type_name: str,
    source: Record,
    target: Record,
    *,
    by: User | None,
    at: datetime,
    anchor: str = "",
    quote: str = "",
    note: str = "",
) -> Link:
    """The link's row alone, if it is allowed; the caller saves its source. Raises Refused."""
    kind = LINK_TYPES[type_name]
    _refuse_link(kind, source, target, by)
    if quote:
        check_quote(target, quote, anchor)
    try:
        with transaction.atomic():
            return Link.objects.create(
                source=source,
                type=kind.name,
                target=target,
                source_kind=source.kind,
                target_kind=target.kind,
                anchor=anchor,
                quote=quote,
                note=note[:500],
                target_version_seen=target.material_version,
                is_agreed=kind.name == "justified_by" and target.status == "agreed",
                created_by=by,
                created_at=at,
            )
    except IntegrityError as error:
        raise _refuse(
            "link-refused",
            _("%(feature)s already has an agreed rationale. Supersede that one first.")
            % {"feature": source.ident},
        ) from error


def _refuse_link(kind: LinkType, source: Record, target: Record, by: User | None) -> None:
    if by is not None and not may(by, "contributor") and not is_own_draft(by, source):
        raise NotAllowed(Missing("not-allowed", _("You may not link this record.")))
    if source.pk == target.pk:
        raise _refuse("self-link", _("A record cannot be linked to itself."), "target")
    for end in (source, target):
        if end.merged_into_id or end.is_deleted:
            raise _refuse("gone", _("%s is no longer there.") % end.ident, "target")
    if not kind.allows(source.kind, target.kind):
        raise _refuse(
            "kinds",
            _("“%(type)s” does not lead from a %(source)s to a %(target)s.")
            % {
                "type": kind.label,
                "source": source.kind_of.name,
                "target": target.kind_of.name,
            },
            "type",
        )
    if kind.acyclic and (circle := _way(kind.name, target, source)):
        names = " → ".join(each.ident for each in [source, *circle])
        raise _refuse("circle", _("That would be a circle: %s.") % names, "target")
    if kind.name == "planned_for" and source.status == "released" and not may(by, "lead"):
        raise NotAllowed(Missing("not-allowed", _("A lead moves a released story.")))


def _way(type_name: str, start: Record, goal: Record) -> list[Record]:
    """Records from `start` to `goal` along links of a type; empty if there is no way."""
    before: dict[int, Record | None] = {start.pk: None}
    front = [start]
    while front:
        links = Link.objects.filter(type=type_name, source__in=front).select_related("target")
        parents = {each.pk: each for each in front}
        front = []
        for link in links:
            if link.target_id not in before:
                before[link.target_id] = parents[link.source_id]
                front.append(link.target)
            if link.target_id == goal.pk:
                way, at = [link.target], parents[link.source_id]
                while at is not None:
                    way.insert(0, at)
                    at = before[at.pk]  # type: ignore[assignment]
                return way
    return []


@transaction.atomic
def remove_link(link: Link, *, by: User | None, at: datetime, cause: str = Cause.LINK) -> None:
    """Take a relation back. Raises Refused where a status rests on it."""
    source, target = link.source, link.target
    if by is not None and not may(by, "contributor") and not is_own_draft(by, source):
        raise NotAllowed(Missing("not-allowed", _("You may not unlink this record.")))
    alone = not source.links.filter(type=link.type).exclude(pk=link.pk).exists()
    if link.type == "implemented_by" and source.status == "released" and alone:
        raise _refuse("last-feature", _("A released story keeps its last feature."))
    if link.type == "planned_for" and source.status == "released" and not may(by, "lead"):
        raise NotAllowed(Missing("not-allowed", _("A lead moves a released story.")))
    if link.type == "supersedes" and target.superseded_by_id == source.pk:
        raise _refuse("superseded", _("%s is superseded by it already.") % target.ident)
    label = link.link_type.label
    link.delete()
    summary = f"- {label} {target.ident}"
    revision = save(source, Change(by=by, at=at, cause=cause, summary=summary))
    _after(source, revision, others=[target.pk])


def confirm_link(link: Link, *, by: User, at: datetime) -> None:
    """Somebody read what changed at the other end: the link is not suspect any more."""
    if not may(by, "contributor"):
        raise NotAllowed(Missing("not-allowed", _("This is for members of the workgroup.")))
    Link.objects.filter(pk=link.pk).update(target_version_seen=link.target.material_version)
    checks.refresh(at, [link.source_id])


# --- ends -----------------------------------------------------------------------------------


@transaction.atomic
def merge_into(record: Record, other: Record, *, by: User, at: datetime) -> Record:
    """Make `record` a duplicate of `other`: its address leads there, support and watchers move."""
    if not may(by, "lead"):
        raise NotAllowed(Missing("not-allowed", _("This is for leads.")))
    if record.pk == other.pk or record.kind != other.kind:
        raise _refuse("kinds", _("Only two different records of one kind can be merged."))
    if other.merged_into_id or other.is_deleted:
        raise _refuse("gone", _("%s is no longer there.") % other.ident)
    for link in list(record.links.select_related("target")):
        _move_link(link, source=other, target=link.target, at=at)
    for link in list(record.backlinks.select_related("source")):
        _move_link(link, source=link.source, target=other, at=at)
    there = other.supports.values("user")
    record.supports.exclude(user__in=there).update(record=other)
    record.watches.exclude(user__in=other.watches.values("user")).update(record=other)
    Record.objects.filter(merged_into=record).update(merged_into=other)
    record.merged_into = other
    if "duplicate" in record.kind_of.statuses:
        record.status, record.status_since, record.status_by = "duplicate", at, by
    summary = _("Merged into %s") % other.ident
    revision = save(record, Change(by=by, at=at, cause=Cause.MERGE, summary=summary))
    _after(record, revision, others=[other.pk])
    summary = _("Took in %s") % record.ident
    revision = save(other, Change(by=by, at=at, cause=Cause.MERGE, summary=summary))
    _after(other, revision)
    return other


def _move_link(link: Link, *, source: Record, target: Record, at: datetime) -> None:
    """Hang a link on another record; dropped where it would repeat, turn back or close a circle."""
    original, kind = link.source, link.link_type
    link.delete()
    repeats = source.links.filter(type=kind.name, target=target, anchor=link.anchor).exists()
    agreed_twice = link.is_agreed and source.links.filter(is_agreed=True).exists()
    circle = kind.acyclic and source.pk != target.pk and _way(kind.name, target, source)
    if source.pk != target.pk and not repeats and not agreed_twice and not circle:
        link.pk, link.source, link.target = None, source, target
        link.save(force_insert=True)
    if original.pk == source.pk:
        change = Change(by=None, at=at, cause=Cause.MERGE, summary=f"→ {target.ident}")
        save(source, change)


@transaction.atomic
def delete_record(record: Record, *, by: User, at: datetime, reason: str) -> None:
    """Leave a tombstone. Refused while other records lead here; the message names them."""
    if not may(by, "lead"):
        raise NotAllowed(Missing("not-allowed", _("This is for leads.")))
    if not reason.strip():
        raise _refuse("no-reason", _("Give a reason."), "reason")
    leading = list(record.backlinks.select_related("source")[:50])
    leading_idents = [link.source.ident for link in leading]
    leading_idents += [each.ident for each in record.quoted_by.all()[:50]]
    if leading_idents:
        raise _refuse(
            "linked",
            _("These lead here: %s. Retire it, or merge it into another.")
            % ", ".join(sorted(set(leading_idents))),
            "links",
        )
    record.links.all().delete()
    record.is_deleted, record.status_reason = True, reason
    summary = _("Deleted: %s") % reason
    revision = save(record, Change(by=by, at=at, summary=summary))
    _after(record, revision)


@transaction.atomic
def suppress(revision: Revision, *, by: User, reason: str) -> None:
    """Hide the text of a revision; its place in the history stays, with the reason."""
    if not may(by, "lead"):
        raise NotAllowed(Missing("not-allowed", _("This is for leads.")))
    if not reason.strip():
        raise _refuse("no-reason", _("Give a reason."), "reason")
    if revision.number == revision.record.version:
        raise _refuse("newest", _("Save a version without that text first."))
    Revision.objects.filter(pk=revision.pk).update(suppressed=reason)


# --- talking --------------------------------------------------------------------------------


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
        raise _refuse("empty", _("Write something first."), "body")
    if len(body) > 20_000:
        raise _refuse("too-long", _("At most %(count)d characters.") % {"count": 20_000}, "body")
    if field and field not in {each.name for each in record.kind_of.all_fields}:
        raise _refuse("no-field", _("There is no such field."), "field")
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
    watching = set(record.watches.filter(level=Watch.Level.ALL).values_list("user_id", flat=True))
    words = {word.strip("@.,;:!?") for word in body.split() if word.startswith("@")}
    watching |= set(User.objects.filter(username__in=words).values_list("pk", flat=True))
    text = f"{record.ident}: {by.username}: {body}"[:500]
    Notification.objects.bulk_create(
        Notification(user_id=pk, record=record, text=text, at=at) for pk in watching - {by.pk}
    )
    Watch.objects.get_or_create(record=record, user=by)
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
        raise _refuse("own-text", _("You wrote the latest text. Somebody else has to review it."))
    round_ = ReviewRound.objects.filter(record=record, closed_at=None).first()
    if round_ is None:
        raise _refuse("not-in-review", _("This record is not in review."))
    if verdict not in Review.Verdict.values:
        raise _refuse("no-verdict", _("Choose a verdict."), "verdict")
    found, _is_new = Review.objects.update_or_create(
        round=round_,
        reviewer=by,
        version=record.material_version,
        defaults={"verdict": verdict, "text": text, "at": at},
    )
    Watch.objects.get_or_create(record=record, user=by)
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
        raise _refuse("weight", _("The weight is between 0 and 3."), "weight")
    if tool is not None and not evidence.tools_of(by).filter(pk=tool.pk).exists():
        raise _refuse("not-your-tool", _("You do not keep that tool."), "tool")
    found, _is_new = Support.objects.update_or_create(
        record=record,
        user=by,
        defaults={"why": why.replace("\0", "")[:5000], "weight": weight, "tool": tool, "at": at},
    )
    return found


def withdraw_support(record: Record, *, by: User) -> None:
    record.supports.filter(user=by).delete()


def watch(record: Record, *, by: User, level: str) -> None:
    """Follow a record; an empty level ends it."""
    if level in Watch.Level.values:
        Watch.objects.update_or_create(record=record, user=by, defaults={"level": level})
    else:
        record.watches.filter(user=by).delete()


# --- meetings -------------------------------------------------------------------------------


def write_minute(meeting: Record, *, topic: int, text: str, by: User, at: datetime) -> MinuteLine:
    """Add a line while the meeting goes on; any number of people may, none loses a line."""
    if not may(by, "contributor"):
        raise NotAllowed(Missing("not-allowed", _("This is for members of the workgroup.")))
    if meeting.kind != "MT" or meeting.status != "in_progress":
        raise _refuse("not-going-on", _("The meeting is not in progress. Begin it first."))
    line = split_line(text.replace("\0", ""))
    if not line["text"]:
        raise _refuse("empty", _("Write something first."), "text")
    notes = {each["number"]: each for each in meeting.fields["notes"]}
    written = max((each["number"] for each in notes.get(topic, {}).get("lines", [])), default=0)
    for _attempt in range(TRIES):
        lines = MinuteLine.objects.filter(meeting=meeting, topic=topic)
        last = max([written, *lines.values_list("number", flat=True)])
        try:
            with transaction.atomic():
                return MinuteLine.objects.create(
                    meeting=meeting,
                    topic=topic,
                    number=last + 1,
                    speaker=line["speaker"][:50],
                    text=line["text"],
                    author=by,
                    at=at,
                )
        except IntegrityError:
            continue
    raise Stale(_("Many are writing at once. Try again."))


def open_topic(meeting: Record, *, title: str, by: User, at: datetime) -> int:
    """The number of the topic of that title; begun if it is not there."""
    title = " ".join(title.split())
    for topic in meeting.fields["notes"]:
        if topic["title"].strip().lower() == title.lower():
            return int(topic["number"])
    notes = [*meeting.fields["notes"], {"number": None, "title": title, "lines": []}]
    saved = edit_record(
        meeting, by=by, at=at, version=meeting.version, fields={"notes": notes}, summary=title
    )
    return max(topic["number"] for topic in saved.record.fields["notes"])


def edited_notes(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Notes as a form sends them, with the numbers that lines had before."""
    old = {topic["number"]: topic["lines"] for topic in before}
    return [
        {**topic, "lines": keep_numbers(old.get(topic["number"], []), list(topic["lines"]))}
        for topic in after
    ]


def carried_over(meeting: Record) -> list[Record]:
    """Action items of the series that are still open when a meeting begins."""
    raised = Record.objects.undone().filter(kind="AI", links__type="raised_in")
    in_series = raised.filter(
        links__target__kind="MT", links__target__fields__series=meeting.fields["series"]
    )
    return list(in_series.distinct())


def anchor_of(meeting: Record, quote: str) -> str:
    """The first line in which a quotation stands; empty if it stands in none."""
    for topic in meeting.fields["notes"]:
        for line in topic["lines"]:
            if occurs(quote, join_line(line)):
                return f"t{topic['number']}.l{line['number']}"
    return ""
