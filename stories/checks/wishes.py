"""Checks of stories and features: what nobody asked for, built, justified or uses."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils.translation import gettext_lazy as _

from stories import evidence
from stories.checks.base import Found, Severity, check, of, plain
from stories.models import Link, Record, RecordQuerySet

UNUSED = timedelta(days=90)
_features, _stories = of("FT"), of("US")
_supported = of("FT", "supported")


@check("feature-unasked", _("Feature that no story asks for"), _("Link a story, or write one."))
def _unasked(records: RecordQuerySet, now: datetime) -> Found:
    return plain(_features(records).settled().unlinked_from("implemented_by"))


@check(
    "rationale-not-agreed",
    _("Supported, but the rationale is not agreed"),
    _("Bring the rationale to an agreement."),
)
def _not_agreed(records: RecordQuerySet, now: datetime) -> Found:
    justified = _supported(records).linked("justified_by")
    return plain(justified.unlinked("justified_by", is_agreed=True))


@check("since-unknown", _("Supported, since when is unknown"), _("Find out, and name the source."))
def _since_unknown(records: RecordQuerySet, now: datetime) -> Found:
    return plain(_supported(records).filter(fields__since_precision="unknown"))


@check("story-unbuilt", _("Story without a feature"), _("Link a feature, or reject the story."))
def _unbuilt(records: RecordQuerySet, now: datetime) -> Found:
    """Drafts too: a story asks for something from its first day."""
    return plain(_stories(records).unlinked("implemented_by"))


@check(
    "story-no-criteria",
    _("Accepted story without acceptance criteria"),
    _("Say how one sees that it is done."),
)
def _no_criteria(records: RecordQuerySet, now: datetime) -> Found:
    accepted = of("US", "accepted", "in_progress", "released")(records)
    return plain(accepted.filter(fields__acceptance=[]))


@check(
    "story-behind-milestone",
    _("Milestone reached, but the story is not released"),
    _("Release it, or plan it for a later milestone."),
    severity=Severity.CONTRADICTION,
)
def _behind_milestone(records: RecordQuerySet, now: datetime) -> Found:
    late = _stories(records).settled().exclude(status="released")
    links = Link.objects.filter(
        type="planned_for", source__in=late, target__status="reached"
    ).select_related("source", "target")
    for link in links:
        names = {"milestone": link.target.ident, "status": link.source.status_label}
        yield link.source, _("%(milestone)s was reached; the story is still: %(status)s.") % names


@check(
    "deprecated-undecided",
    _("Deprecated without a decision"),
    _("Link the decision, or ask for one."),
    severity=Severity.CONTRADICTION,
)
def _undecided(records: RecordQuerySet, now: datetime) -> Found:
    return plain(of("FT", "deprecated")(records).unlinked("decided_by"))


@check(
    "feature-unjustified",
    _("Supported feature without a rationale"),
    _("Write why, or ask the question."),
)
def _unjustified(records: RecordQuerySet, now: datetime) -> Found:
    return plain(_supported(records).unlinked("justified_by"))


@check(
    "removed-but-used",
    _("Removed, but tools use it"),
    _("Tell the tools, or take it back."),
    severity=Severity.CONTRADICTION,
)
def _removed_used(records: RecordQuerySet, now: datetime) -> Found:
    removed = records.present().filter(kind="FT", status="removed").exclude(fields__metric="")
    for record, known in _with_readings(removed):
        if known.is_current(now) and known.value:
            yield record, _("%(count)d tools use it.") % {"count": known.value}


@check(
    "supported-unused",
    _("Supported, but nobody has used it for 90 days"),
    _("Ask whether it is still needed."),
    severity=Severity.CONTRADICTION,
)
def _supported_unused(records: RecordQuerySet, now: datetime) -> Found:
    measured = _with_readings(_supported(records).exclude(fields__metric=""))
    idle = [record for record, known in measured if known.value == 0 and known.is_current(now)]
    unused = evidence.unused((record.fields["metric"] for record in idle), now, UNUSED)
    return plain(record for record in idle if record.fields["metric"] in unused)


def _with_readings(records: RecordQuerySet) -> Iterator[tuple[Record, evidence.Known]]:
    found = list(records)
    known = evidence.latest(record.fields["metric"] for record in found)
    for record in found:
        yield record, known.get(record.fields["metric"], evidence.UNKNOWN)


@check(
    "reading-failed",
    _("Use that cannot be measured"),
    _("Mend the metric; the last value that is known is shown."),
    severity=Severity.CONTRADICTION,
)
def _reading_failed(records: RecordQuerySet, now: datetime) -> Found:
    for record, known in _with_readings(_features(records).settled().exclude(fields__metric="")):
        if known.error:
            yield record, known.error


@check(
    "reading-expired",
    _("Use that was not measured lately"),
    _("See whether the worker runs, and whether the metric still exists."),
)
def _reading_expired(records: RecordQuerySet, now: datetime) -> Found:
    measured = _features(records).settled().exclude(fields__metric="")
    for record, known in _with_readings(measured):
        if known.at and not known.error and not known.is_current(now):
            yield record, _("Not measured since %(day)s.") % {"day": known.at.date()}
