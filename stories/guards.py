"""What a move asks for. A guard lists everything that is missing, in words, each with its place."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from portal.accounts.models import User
from stories import evidence
from stories.cadence import months_after
from stories.kinds import TEMPLATES, Move
from stories.models import Comment, Record, Review
from stories.roles import is_own_draft, may

QUORUM = 2
REVIEW_MONTHS_AT_MOST = 24


@dataclass(frozen=True)
class Missing:
    """One thing that is in the way; `field` is where to mend it, or "links" or "discussion"."""

    code: str
    sentence: str
    field: str = ""


@dataclass(frozen=True)
class Attempt:
    """A move that somebody asks for. `by` is None for the platform."""

    record: Record
    move: Move
    by: User | None
    at: datetime
    override: str = ""


Guard = Callable[[Attempt], Iterator[Missing]]
GUARDS: dict[str, Guard] = {}


def _guard(guard: Guard) -> Guard:
    GUARDS[guard.__name__.strip("_")] = guard
    return guard


def missing(attempt: Attempt) -> list[Missing]:
    """Everything that keeps the move from being made, except for the reason and the role."""
    return [each for name in attempt.move.guards for each in GUARDS[name](attempt)]


def may_move(user: object, record: Record, move: Move) -> bool:
    if move.role == "system":
        return False
    if move.role == "member":
        return may(user, "contributor") or is_own_draft(user, record)
    return may(user, move.role)


def _linked(record: Record, type_name: str) -> list[Record]:
    return [link.target for link in record.links.filter(type=type_name).select_related("target")]


@_guard
def _required(attempt: Attempt) -> Iterator[Missing]:
    kind = attempt.record.kind_of
    for name in kind.required:
        if attempt.record.fields.get(name) in ("", None, []):
            label = kind.field(name).label
            yield Missing(f"no-{name}", _("“%(field)s” is empty.") % {"field": label}, name)


@_guard
def _persona(attempt: Attempt) -> Iterator[Missing]:
    if not _linked(attempt.record, "serves"):
        yield Missing("no-persona", _("No persona is served. Link one."), "links")


@_guard
def _acceptance(attempt: Attempt) -> Iterator[Missing]:
    if not attempt.record.fields["acceptance"]:
        yield Missing(
            "no-acceptance", _("There is no acceptance criterion. Write one."), "acceptance"
        )


@_guard
def _acceptance_checked(attempt: Attempt) -> Iterator[Missing]:
    yield from _acceptance(attempt)
    for number, row in enumerate(attempt.record.fields["acceptance"], 1):
        if not row.get("checked") and not row.get("waived"):
            sentence = _("Criterion %(number)s is neither checked nor waived with a reason.")
            yield Missing("unchecked", sentence % {"number": number}, "acceptance")


@_guard
def _feature(attempt: Attempt) -> Iterator[Missing]:
    if not _linked(attempt.record, "implemented_by"):
        yield Missing("no-feature", _("No feature implements the story. Link one."), "links")


@_guard
def _features_beta(attempt: Attempt) -> Iterator[Missing]:
    yield from _feature(attempt)
    for feature in _linked(attempt.record, "implemented_by"):
        if feature.status not in ("beta", "supported"):
            sentence = _("%(feature)s is %(status)s; it has to be beta or supported.")
            names = {"feature": feature.ident, "status": feature.status_label}
            yield Missing("feature-not-beta", sentence % names, "links")


@_guard
def _milestone(attempt: Attempt) -> Iterator[Missing]:
    milestones = _linked(attempt.record, "planned_for")
    if not any(each.fields.get("reached_on") for each in milestones):
        yield Missing(
            "no-milestone",
            _("The story is planned for no milestone that was reached. Link one."),
            "links",
        )


@_guard
def _design_or_decision(attempt: Attempt) -> Iterator[Missing]:
    links = attempt.record.links.filter(type__in=("described_in", "decided_by"))
    if not links.exists():
        yield Missing(
            "no-design",
            _("Neither a design doc nor a decision is linked. Link one."),
            "links",
        )


@_guard
def _since(attempt: Attempt) -> Iterator[Missing]:
    fields = attempt.record.fields
    if not fields["since"] and fields["since_precision"] != "unknown":
        yield Missing("no-since", _("Say since when, or that it is unknown."), "since")


@_guard
def _origin(attempt: Attempt) -> Iterator[Missing]:
    if not attempt.record.fields["origin"]:
        yield Missing("no-origin", _("Say where the feature comes from."), "origin")


@_guard
def _rationale(attempt: Attempt) -> Iterator[Missing]:
    rationales = _linked(attempt.record, "justified_by")
    if any(each.status == "agreed" for each in rationales):
        return
    if any(each.status == "question" and each.owner for each in rationales):
        return
    yield Missing(
        "no-rationale",
        _("No rationale is agreed. Link an agreed one, or an open question that has an owner."),
        "links",
    )


@_guard
def _decision(attempt: Attempt) -> Iterator[Missing]:
    if not any(each.status == "decided" for each in _linked(attempt.record, "decided_by")):
        yield Missing("no-decision", _("No decision that was made is linked. Link one."), "links")


@_guard
def _removal_date(attempt: Attempt) -> Iterator[Missing]:
    if not attempt.record.fields["removal_not_before"]:
        yield Missing("no-removal-date", _("Say before which day it stays."), "removal_not_before")


@_guard
def _fresh_reading(attempt: Attempt) -> Iterator[Missing]:
    name = attempt.record.fields["metric"]
    known = evidence.latest([name]).get(name)
    if known is None or not known.is_current(attempt.at):
        yield Missing(
            "no-reading",
            _("There is no reading of its use from the last seven days. Choose a metric."),
            "metric",
        )


@_guard
def _unused(attempt: Attempt) -> Iterator[Missing]:
    if attempt.override and may(attempt.by, "lead"):
        return
    name = attempt.record.fields["metric"]
    known = evidence.latest([name]).get(name)
    if known is None or not known.is_current(attempt.at):
        yield from _fresh_reading(attempt)
    elif known.value:
        sentence = _("%(count)d tools still use it. Wait, or override it with a reason.")
        yield Missing("still-used", sentence % {"count": known.value}, "metric")


@_guard
def _answer(attempt: Attempt) -> Iterator[Missing]:
    if not attempt.record.fields["answer"]:
        yield Missing("no-answer", _("The answer is empty."), "answer")


@_guard
def _alternative(attempt: Attempt) -> Iterator[Missing]:
    if not attempt.record.fields["alternatives"]:
        yield Missing("no-alternative", _("No alternative is named."), "alternatives")


@_guard
def _current_evidence(attempt: Attempt) -> Iterator[Missing]:
    today = attempt.at.date().isoformat()
    rows = attempt.record.fields["evidence"]
    if not any(not row.get("expires_on") or row["expires_on"] >= today for row in rows):
        yield Missing(
            "no-evidence", _("There is no evidence that has not expired. Add some."), "evidence"
        )


@_guard
def _review_by(attempt: Attempt) -> Iterator[Missing]:
    day = attempt.record.review_by
    latest = months_after(attempt.at.date(), REVIEW_MONTHS_AT_MOST)
    if day is None or not attempt.at.date() <= day <= latest:
        sentence = _("Give a day for the next review, at most %(months)d months ahead.")
        yield Missing("no-review-day", sentence % {"months": REVIEW_MONTHS_AT_MOST}, "review_by")


@_guard
def _other_author(attempt: Attempt) -> Iterator[Missing]:
    author = attempt.record.last_author_id
    if attempt.by is not None and author == attempt.by.pk:
        yield Missing("own-text", _("You wrote the latest text. Somebody else has to agree."))


@_guard
def _only_agreed(attempt: Attempt) -> Iterator[Missing]:
    agreed = attempt.record.backlinks.filter(
        type="justified_by", source__links__is_agreed=True
    ).select_related("source")
    for link in agreed:
        others = link.source.links.filter(is_agreed=True).exclude(target=attempt.record)
        supersedes = attempt.record.links.filter(type="supersedes")
        allowed = set(supersedes.values_list("target_id", flat=True))
        for other in others.select_related("target"):
            if other.target_id not in allowed:
                sentence = _("%(feature)s has %(other)s as its agreed rationale. Supersede it.")
                names = {"feature": link.source.ident, "other": other.target.ident}
                yield Missing("another-agreed", sentence % names, "links")


@_guard
def _no_concern(attempt: Attempt) -> Iterator[Missing]:
    if attempt.override and may(attempt.by, "lead"):
        return
    concerns = attempt.record.comments.filter(kind=Comment.Kind.CONCERN, resolved_at=None)
    for concern in concerns.select_related("author"):
        sentence = _("A concern of %(author)s is not resolved: %(text)s")
        names = {"author": concern.author or "?", "text": concern.body[:80]}
        yield Missing("open-concern", sentence % names, "discussion")


@_guard
def _quorum(attempt: Attempt) -> Iterator[Missing]:
    wanted = int(attempt.record.fields["quorum"] or QUORUM)
    approvals = Review.objects.filter(
        round__record=attempt.record,
        round__closed_at=None,
        version=attempt.record.material_version,
        verdict=Review.Verdict.APPROVE,
    ).count()
    if approvals < wanted:
        sentence = _("%(have)d of %(wanted)d approvals of the present text are there.")
        yield Missing("no-quorum", sentence % {"have": approvals, "wanted": wanted}, "discussion")


@_guard
def _sections(attempt: Attempt) -> Iterator[Missing]:
    _label, wanted = TEMPLATES.get(attempt.record.fields["template"], ("", ()))
    filled = {
        row["heading"].strip().lower()
        for row in attempt.record.fields["sections"]
        if row.get("text") or row.get("record")
    }
    for heading in wanted:
        if heading.lower() not in filled:
            sentence = _("The section “%(heading)s” is missing or empty.")
            yield Missing("no-section", sentence % {"heading": heading}, "sections")


@_guard
def _options(attempt: Attempt) -> Iterator[Missing]:
    if len(attempt.record.fields["options"]) < 2:
        yield Missing("no-options", _("There are fewer than two options."), "options")


@_guard
def _do_nothing(attempt: Attempt) -> Iterator[Missing]:
    if not any(row.get("is_do_nothing") for row in attempt.record.fields["options"]):
        yield Missing(
            "no-do-nothing", _("No option is marked as the one to do nothing."), "options"
        )


@_guard
def _closing_date(attempt: Attempt) -> Iterator[Missing]:
    if not attempt.record.fields["comments_close_on"]:
        yield Missing("no-closing-date", _("Say on which day comments close."), "comments_close_on")


@_guard
def _decision_complete(attempt: Attempt) -> Iterator[Missing]:
    record = attempt.record
    if record.fields["chosen_option"] not in {row["name"] for row in record.fields["options"]}:
        yield Missing("no-choice", _("Choose one of the options."), "chosen_option")
    for name in ("decision_text", "decision_rationale", "deciders", "decided_on"):
        if not record.fields[name]:
            label = record.kind_of.field(name).label
            yield Missing(f"no-{name}", _("“%(field)s” is empty.") % {"field": label}, name)
    opened = record.revisions.filter(stored__status="open").order_by("number").first()
    if opened and record.decided_on and record.decided_on < opened.at.date():
        yield Missing(
            "decided-early", _("The day of the decision is before it was open."), "decided_on"
        )


@_guard
def _agenda_noted(attempt: Attempt) -> Iterator[Missing]:
    topics = {topic["title"].strip().lower() for topic in attempt.record.fields["notes"]}
    for row in attempt.record.fields["agenda"]:
        if row.get("outcome") != "none" and row["title"].strip().lower() not in topics:
            sentence = _("“%(item)s” has no notes and is not marked as not reached.")
            yield Missing("no-notes", sentence % {"item": row["title"]}, "agenda")


@_guard
def _closing_note(attempt: Attempt) -> Iterator[Missing]:
    if (
        not attempt.record.fields["closing_note"]
        and not attempt.record.links.exclude(type="raised_in").exists()
    ):
        yield Missing(
            "no-closing-note", _("Write what was done, or link the record."), "closing_note"
        )


@_guard
def _not_needed(attempt: Attempt) -> Iterator[Missing]:
    """A persona that an accepted story serves, a component that a live feature runs on."""
    live = ("accepted", "in_progress", "active", "supported", "beta")
    needed = attempt.record.backlinks.filter(
        type__in=("serves", "runs_on", "runs"), source__status__in=live
    ).select_related("source")
    for link in needed[:20]:
        sentence = _("%(record)s still needs it.") % {"record": link.source.ident}
        yield Missing("needed", sentence, "links")


@_guard
def _cluster(attempt: Attempt) -> Iterator[Missing]:
    if not _linked(attempt.record, "upgrades"):
        yield Missing("no-cluster", _("No cluster is linked. Link one."), "links")


@_guard
def _done_on(attempt: Attempt) -> Iterator[Missing]:
    if not attempt.record.fields["did_on"]:
        yield Missing("no-day", _("Say on which day it was done."), "did_on")


@_guard
def _reached_on(attempt: Attempt) -> Iterator[Missing]:
    if not attempt.record.fields["reached_on"]:
        yield Missing("no-day", _("Say on which day it was reached."), "reached_on")


@_guard
def _superseded(attempt: Attempt) -> Iterator[Missing]:
    if attempt.record.superseded_by_id is None:
        yield Missing("no-successor", _("Link the record that supersedes this one."), "links")


def overdue(day: str | None, now: datetime) -> bool:
    """Whether a date of `fields` has passed."""
    return day is not None and day < now.date().isoformat()
