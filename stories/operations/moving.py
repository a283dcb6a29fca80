"""Changing the status of records, and what a status brings with it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.accounts.models import User
from stories import evidence, guards
from stories.guards import Attempt, Missing
from stories.kinds import Move
from stories.models import (
    Link,
    Record,
    ReviewRound,
    Revision,
)
from stories.operations.meeting import fold_minutes
from stories.operations.saving import (
    Cause,
    Change,
    NotAllowed,
    Refused,
    follow_up,
    notify,
    refuse,
    save,
)
from stories.operations.trail import leave
from stories.roles import may


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
    found = _move_to(record, to)
    if by is not None and not guards.may_move(by, record, found):
        raise NotAllowed(Missing("not-allowed", _("This is for another role: %s.") % found.role))
    attempt = Attempt(record, found, by, at, override)
    if missing := _missing(attempt, reason=reason, again=look_again_on):
        raise Refused(*missing)
    _tell_override(attempt)
    _take_status(record, found, by=by, at=at, reason=reason or override, again=look_again_on)
    cause = Cause.TRANSITION if by else Cause.SYSTEM
    change = Change(by=by, at=at, cause=cause, summary=_status_words(record))
    revision = save(record, change)
    superseded = _after_move(record, at=at)
    told = follow_up(record, revision, others=[each.record_id for each in superseded])
    tell_superseded(superseded, by=by, told=told)
    return record


def _missing(attempt: Attempt, *, reason: str, again: date | None) -> list[Missing]:
    missing = guards.missing(attempt)
    if attempt.move.needs_reason and not reason.strip():
        missing.append(Missing("no-reason", _("Give a reason."), "reason"))
    if attempt.move.needs_date and (again is None or again <= attempt.at.date()):
        sentence = _("Say on which later day to look at it again.")
        missing.append(Missing("no-date", sentence, "look_again_on"))
    return missing


def _tell_override(attempt: Attempt) -> None:
    """What a lead passed over, if anything; the revision has room for one reason only."""
    passed = guards.missing(replace(attempt, override="")) if attempt.override else []
    if passed:
        told = {"because": attempt.override, "missing": [each.sentence for each in passed]}
        summary = f"→ {attempt.move.to}"
        by, at = attempt.by, attempt.at
        leave(attempt.record, "overridden", by=by, at=at, summary=summary, after=told)


def _move_to(record: Record, to: str) -> Move:
    """The move of the table, or a refusal that names those that there are."""
    moves = record.kind_of.moves_from(record.status)
    for found in moves:
        if found.to == to:
            return found
    allowed = ", ".join(str(record.kind_of.statuses[each.to]) for each in moves)
    raise refuse(
        "no-such-move",
        _("From “%(status)s” it can only become: %(allowed)s.")
        % {"status": record.status_label, "allowed": allowed or _("nothing")},
    )


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
        fold_minutes(record)


def _after_move(record: Record, *, at: datetime) -> list[Revision]:
    """What a status brings with it: review rounds, agreed rationales, superseded records."""
    rounds = ReviewRound.objects.filter(record=record, closed_at=None)
    if record.status == "in_review":
        if not rounds.exists():
            ReviewRound.objects.create(record=record, opened_at=at)
    else:
        rounds.update(closed_at=at)
    superseded = supersede_by(record, at=at) if record.status in record.kind_of.effective else []
    if record.kind == "RA":
        Link.objects.filter(type="justified_by", target=record).update(
            is_agreed=record.status == "agreed"
        )
    return superseded


def supersede_by(record: Record, *, at: datetime) -> list[Revision]:
    """Now that it is in effect, the records that it supersedes are superseded."""
    revisions = []
    links = record.links.filter(type="supersedes").select_related("target")
    for link in links:
        old = link.target
        if "superseded" not in {m.to for m in old.kind_of.moves_from(old.status)}:
            continue
        old.superseded_by = record
        old.status, old.status_since, old.status_by = "superseded", at, None
        old.status_reason = ""
        Link.objects.filter(type="justified_by", target=old).update(is_agreed=False)
        change = Change(by=None, at=at, cause=Cause.SYSTEM, summary=f"→ {record.ident}")
        revisions.append(save(old, change))
    return revisions


def tell_superseded(revisions: Iterable[Revision], *, by: User | None, told: set[int]) -> None:
    """Tell those who watch records that were superseded, unless they know of the new one."""
    for revision in revisions:
        told |= notify(revision.record, revision, by=by, told=told)


@transaction.atomic
def reconfirm(record: Record, *, by: User, at: datetime, review_by: date) -> Record:
    """Confirm an agreed rationale: today's readings become those that it rests on."""
    if not may(by, "reviewer"):
        raise NotAllowed(Missing("not-allowed", _("This is for members of the workgroup.")))
    if record.kind != "RA" or record.status != "agreed":
        raise refuse("not-agreed", _("Only an agreed rationale can be confirmed again."))
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
    follow_up(record, revision)
    return record
