"""Checks of what answers rest on: reasons that moved, links that are suspect, days that passed."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from stories import evidence
from stories.checks.base import Found, Severity, check, of, plain
from stories.guards import overdue
from stories.models import Link, Record, RecordQuerySet

# Links whose target gives a reason: it matters when that changes.
_REASONS = (
    "justified_by",
    "implemented_by",
    "described_in",
    "decided_by",
    "depends_on",
    "governs",
    "evidence_from",
)
_rationales = of("RA")


@check(
    "rationale-question", _("Rationale that is still a question"), _("Answer it, or find who can.")
)
def _question(records: RecordQuerySet, now: datetime) -> Found:
    return plain(_rationales(records).filter(status="question"))


@check(
    "rationale-moved",
    _("Rationale whose evidence has moved"),
    _("Look at the numbers, and confirm it again or change it."),
    severity=Severity.CONTRADICTION,
)
def _moved(records: RecordQuerySet, now: datetime) -> Found:
    agreed = list(of("RA", "agreed")(records))
    rows = [row for record in agreed for row in record.fields["evidence"]]
    known = evidence.latest(row.get("metric", "") for row in rows)
    for record in agreed:
        sentences = [
            sentence
            for row in record.fields["evidence"]
            for sentence in _row_problems(row, known, now)
        ]
        if sentences:
            yield record, " ".join(sentences)


def _row_problems(
    row: Mapping[str, Any], known: Mapping[str, evidence.Known], now: datetime
) -> Iterator[str]:
    name = row.get("claim") or row.get("metric") or row.get("url") or ""
    if overdue(row.get("expires_on"), now):
        yield str(_("The evidence “%(name)s” has expired.") % {"name": name})
    reading = known.get(row.get("metric", ""), evidence.UNKNOWN)
    if reading.at and not reading.is_current(now):
        day = reading.at.date()
        yield str(_("“%(name)s” was not measured since %(day)s.") % {"name": name, "day": day})
    then, tolerance = row.get("seen_value"), row.get("tolerance")
    change = evidence.change(then, reading.value)
    if change is not None and tolerance is not None and abs(change) > tolerance:
        sentence = _("“%(name)s” was %(then)g and is %(now)g: %(change)+.0f %% (tolerated: %(t)g).")
        values = {"name": name, "then": then, "now": reading.value, "change": change}
        yield str(sentence % (values | {"t": tolerance}))


@check(
    "rationale-feature-moved",
    _("Agreed before its feature changed status"),
    _("See whether the reasons still hold."),
    severity=Severity.CONTRADICTION,
)
def _feature_moved(records: RecordQuerySet, now: datetime) -> Found:
    links = Link.objects.filter(
        type="justified_by",
        target__in=of("RA", "agreed")(records),
        source__status_since__gt=F("target__status_since"),
    ).select_related("source", "target")
    found: dict[Record, list[str]] = {}
    for link in links.order_by("source__number"):
        names = {"feature": link.source.ident, "status": link.source.status_label}
        found.setdefault(link.target, []).append(str(_("%(feature)s is now: %(status)s.") % names))
    return ((record, " ".join(sentences)) for record, sentences in found.items())


@check(
    "review-overdue",
    _("The day of the next review has passed"),
    _("Look at it, and confirm it again or change it."),
    severity=Severity.CONTRADICTION,
)
def _review_overdue(records: RecordQuerySet, now: datetime) -> Found:
    return plain(records.undone().settled().filter(review_by__lt=now.date()))


@check(
    "look-again",
    _("Put off until a day that has passed"),
    _("Take it up again, or name another day."),
    severity=Severity.CONTRADICTION,
)
def _look_again(records: RecordQuerySet, now: datetime) -> Found:
    """Of what was deferred, and of decisions that were to be looked at again."""
    today = now.date()
    deferred = Q(status="deferred", look_again_on__lt=today)
    revisited = Q(kind="DR", status="decided", fields__revisit_on__lt=today.isoformat())
    return plain(records.present().filter(deferred | revisited & ~Q(fields__revisit_on=None)))


@check(
    "suspect-link",
    _("Rests on a record that has changed since"),
    _("Read what changed, and confirm the link."),
    severity=Severity.CONTRADICTION,
)
def _suspect(records: RecordQuerySet, now: datetime) -> Found:
    links = Link.objects.filter(
        type__in=_REASONS,
        source__in=records.undone().settled(),
        target__material_version__gt=F("target_version_seen"),
    ).select_related("source", "target")
    found: dict[Record, list[str]] = {}
    for link in links.order_by("type", "pk"):
        found.setdefault(link.source, []).append(link.target.ident)
    for record, targets in found.items():
        yield record, _("Changed since: %(targets)s.") % {"targets": ", ".join(targets)}
