"""What does not fit together among records: gaps, contradictions, answers gone stale.

A check is a query over records plus a sentence. Its findings are kept as `Flag` rows, refreshed for
the records that a save touches and for all of them once a day.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from stories import cadence, evidence
from stories.guards import overdue
from stories.kinds import KINDS, Label
from stories.models import Flag, Link, Record, RecordQuerySet

Found = Iterable[tuple[Record, Label]]
CARRIED_OVER_AT_MOST = 3
UNUSED = timedelta(days=90)
# Links whose target gives a reason: it matters when that changes.
_REASONS = ("justified_by", "implemented_by", "described_in", "decided_by", "depends_on", "governs")


@dataclass(frozen=True)
class Check:
    """`label` names the finding, `advice` says what to do. `is_gap` is false for contradictions."""

    code: str
    label: Label
    advice: Label
    find: Callable[[RecordQuerySet, datetime], Found]
    is_gap: bool


CHECKS: dict[str, Check] = {}


def _check(
    code: str,
    label: Label,
    advice: Label,
    *,
    is_gap: bool = True,
) -> Callable[[Callable[[RecordQuerySet, datetime], Found]], None]:
    def register(find: Callable[[RecordQuerySet, datetime], Found]) -> None:
        CHECKS[code] = Check(code, label, advice, find, is_gap)

    return register


def _of(kind: str, *statuses: str) -> Callable[[RecordQuerySet], RecordQuerySet]:
    def narrow(records: RecordQuerySet) -> RecordQuerySet:
        found = records.undone().filter(kind=kind)
        return found.filter(status__in=statuses) if statuses else found

    return narrow


def _plain(records: Iterable[Record]) -> Found:
    return ((record, "") for record in records)


_features, _stories, _rationales = _of("FT"), _of("US"), _of("RA")
_supported = _of("FT", "supported")
_open_decisions = _of("DR", "open", "in_discussion")
_open_actions = _of("AI")


@_check("feature-unasked", _("Feature that no story asks for"), _("Link a story, or write one."))
def _unasked(records: RecordQuerySet, now: datetime) -> Found:
    return _plain(_features(records).unlinked_from("implemented_by"))


@_check(
    "rationale-not-agreed",
    _("Supported, but the rationale is not agreed"),
    _("Bring the rationale to an agreement."),
)
def _not_agreed(records: RecordQuerySet, now: datetime) -> Found:
    justified = _supported(records).linked("justified_by")
    return _plain(justified.unlinked("justified_by", is_agreed=True))


@_check("since-unknown", _("Supported, since when is unknown"), _("Find out, and name the source."))
def _since_unknown(records: RecordQuerySet, now: datetime) -> Found:
    return _plain(_supported(records).filter(fields__since_precision="unknown"))


@_check("story-unbuilt", _("Story without a feature"), _("Link a feature, or reject the story."))
def _unbuilt(records: RecordQuerySet, now: datetime) -> Found:
    return _plain(_stories(records).unlinked("implemented_by"))


@_check(
    "rationale-question", _("Rationale that is still a question"), _("Answer it, or find who can.")
)
def _question(records: RecordQuerySet, now: datetime) -> Found:
    return _plain(_rationales(records).filter(status="question"))


@_check("action-unowned", _("Action item without an owner"), _("Name somebody."))
def _unowned(records: RecordQuerySet, now: datetime) -> Found:
    return _plain(_open_actions(records).filter(owner=""))


@_check(
    "decision-no-closing",
    _("Open decision without a closing date"),
    _("Say when comments close."),
)
def _no_closing(records: RecordQuerySet, now: datetime) -> Found:
    return _plain(_open_decisions(records).filter(fields__comments_close_on=None))


@_check(
    "decision-no-nothing",
    _("Open decision without the option to do nothing"),
    _("Add it: it is what happens otherwise."),
)
def _no_nothing(records: RecordQuerySet, now: datetime) -> Found:
    for record in _open_decisions(records).iterator():
        if not any(row.get("is_do_nothing") for row in record.fields["options"]):
            yield record, ""


@_check(
    "cluster-past-eol",
    _("Cluster on a version past its end of life"),
    _("Upgrade it; the policy says how fast."),
    is_gap=False,
)
def _past_eol(records: RecordQuerySet, now: datetime) -> Found:
    clusters = list(_of("CL")(records))
    releases = {each.minor: each for each in upstream()} if clusters else {}
    for cluster in clusters:
        minor = cadence.minor_of(cluster.fields["version"])
        past = cadence.past_end_of_life(releases.get(minor), now.date()) if minor else None
        if past is not None and past > 0:
            sentence = _("%(version)s has been past its end of life for %(days)d days.")
            yield cluster, sentence % {"version": cluster.fields["version"], "days": past}


def upstream() -> list[cadence.Release]:
    """Kubernetes' releases as the records know them."""
    found = []
    for record in Record.objects.undone().filter(kind="UR", fields__component="Kubernetes"):
        minor = cadence.minor_of(record.fields["minor"])
        if minor:
            found.append(
                cadence.Release(minor, record.day("released_on"), record.day("end_of_life"))
            )
    return sorted(found, key=lambda release: release.minor)


@_check(
    "deprecated-undecided",
    _("Deprecated without a decision"),
    _("Link the decision, or ask for one."),
    is_gap=False,
)
def _undecided(records: RecordQuerySet, now: datetime) -> Found:
    return _plain(_of("FT", "deprecated")(records).unlinked("decided_by"))


@_check(
    "feature-unjustified",
    _("Supported feature without a rationale"),
    _("Write why, or ask the question."),
)
def _unjustified(records: RecordQuerySet, now: datetime) -> Found:
    return _plain(_supported(records).unlinked("justified_by"))


@_check(
    "story-no-criteria",
    _("Accepted story without acceptance criteria"),
    _("Say how one sees that it is done."),
)
def _no_criteria(records: RecordQuerySet, now: datetime) -> Found:
    accepted = _of("US", "accepted", "in_progress", "released")(records)
    return _plain(accepted.filter(fields__acceptance=[]))


@_check(
    "rationale-moved",
    _("Rationale whose evidence has moved"),
    _("Look at the numbers, and confirm it again or change it."),
    is_gap=False,
)
def _moved(records: RecordQuerySet, now: datetime) -> Found:
    agreed = list(_of("RA", "agreed")(records))
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
    then, tolerance = row.get("seen_value"), row.get("tolerance")
    change = evidence.change(then, reading.value)
    if change is not None and tolerance is not None and abs(change) > tolerance:
        sentence = _("“%(name)s” was %(then)g and is %(now)g: %(change)+.0f %% (tolerated: %(t)g).")
        values = {"name": name, "then": then, "now": reading.value, "change": change}
        yield str(sentence % (values | {"t": tolerance}))


@_check(
    "review-overdue",
    _("The day of the next review has passed"),
    _("Look at it, and confirm it again or change it."),
    is_gap=False,
)
def _review_overdue(records: RecordQuerySet, now: datetime) -> Found:
    return _plain(records.undone().filter(review_by__lt=now.date()))


@_check(
    "look-again",
    _("Put off until a day that has passed"),
    _("Take it up again, or reject it."),
    is_gap=False,
)
def _look_again(records: RecordQuerySet, now: datetime) -> Found:
    return _plain(records.present().filter(status="deferred", look_again_on__lt=now.date()))


@_check(
    "suspect-link",
    _("Rests on a record that has changed since"),
    _("Read what changed, and confirm the link."),
    is_gap=False,
)
def _suspect(records: RecordQuerySet, now: datetime) -> Found:
    firsts = [f"{kind.prefix}:{kind.first_status}" for kind in KINDS.values()]
    links = Link.objects.filter(
        type__in=_REASONS,
        source__in=records.undone(),
        target__material_version__gt=F("target_version_seen"),
    ).select_related("source", "target")
    found: dict[Record, list[str]] = {}
    for link in links:
        if f"{link.source.kind}:{link.source.status}" not in firsts:
            found.setdefault(link.source, []).append(link.target.ident)
    for record, targets in found.items():
        yield record, _("Changed since: %(targets)s.") % {"targets": ", ".join(targets)}


@_check(
    "rationale-feature-moved",
    _("Agreed before its feature changed status"),
    _("See whether the reasons still hold."),
    is_gap=False,
)
def _feature_moved(records: RecordQuerySet, now: datetime) -> Found:
    links = Link.objects.filter(
        type="justified_by",
        target__in=_of("RA", "agreed")(records),
        source__status_since__gt=F("target__status_since"),
    ).select_related("source", "target")
    for link in links:
        names = {"feature": link.source.ident, "status": link.source.status_label}
        yield link.target, _("%(feature)s is now: %(status)s.") % names


@_check(
    "removed-but-used",
    _("Removed, but tools use it"),
    _("Tell the tools, or take it back."),
    is_gap=False,
)
def _removed_used(records: RecordQuerySet, now: datetime) -> Found:
    removed = records.present().filter(kind="FT", status="removed").exclude(fields__metric="")
    for record, known in _with_readings(removed):
        if known.is_current(now) and known.value:
            yield record, _("%(count)d tools use it.") % {"count": known.value}


@_check(
    "supported-unused",
    _("Supported, but nobody has used it for 90 days"),
    _("Ask whether it is still needed."),
    is_gap=False,
)
def _supported_unused(records: RecordQuerySet, now: datetime) -> Found:
    for record, known in _with_readings(_supported(records).exclude(fields__metric="")):
        if known.value == 0 and known.is_current(now):
            readings = evidence.history(record.fields["metric"], now.date())
            is_long = readings and readings[0].at <= now - UNUSED + timedelta(days=1)
            if is_long and not any(each.value for each in readings):
                yield record, ""


def _with_readings(records: RecordQuerySet) -> Iterator[tuple[Record, evidence.Known]]:
    found = list(records)
    known = evidence.latest(record.fields["metric"] for record in found)
    for record in found:
        yield record, known.get(record.fields["metric"], evidence.UNKNOWN)


@_check(
    "reading-failed",
    _("Use that cannot be measured"),
    _("Mend the metric; the last value that is known is shown."),
    is_gap=False,
)
def _reading_failed(records: RecordQuerySet, now: datetime) -> Found:
    for record, known in _with_readings(_features(records).exclude(fields__metric="")):
        if known.error:
            yield record, known.error


@_check("action-overdue", _("Action item that is overdue"), _("Do it, or carry it over."))
def _action_overdue(records: RecordQuerySet, now: datetime) -> Found:
    today = now.date().isoformat()
    due = _open_actions(records).exclude(fields__due=None)
    return _plain(due.filter(fields__due__lt=today))


@_check("action-carried", _("Action item carried over again and again"), _("Do it, or drop it."))
def _action_carried(records: RecordQuerySet, now: datetime) -> Found:
    return _plain(
        record
        for record in _open_actions(records).iterator()
        if (record.fields["times_carried_over"] or 0) >= CARRIED_OVER_AT_MOST
    )


@_check(
    "effect-unchecked",
    _("Decision whose expected effect was not checked"),
    _("Write down what came of it."),
)
def _effect_unchecked(records: RecordQuerySet, now: datetime) -> Found:
    for record in _of("DR", "decided")(records).iterator():
        for row in record.fields["expected_effect"]:
            if overdue(row.get("check_on"), now) and row.get("actual") is None:
                yield record, _("“%(measure)s” was to be checked.") % {"measure": row["measure"]}
                break


@_check(
    "policy-hopeless",
    _("Policy that never catches up with upstream"),
    _("Upgrade more often, or accept the gap in a decision."),
    is_gap=False,
)
def _hopeless(records: RecordQuerySet, now: datetime) -> Found:
    for policy in _of("UP", "in_force")(records):
        for cluster, seen in outlooks(policy, now):
            if seen.never_catches_up:
                yield (
                    policy,
                    _("%(cluster)s never reaches a supported version.")
                    % {"cluster": cluster.ident},
                )
                break


def outlooks(
    policy: Record, now: datetime, pace: float | None = None
) -> list[tuple[Record, cadence.Outlook]]:
    """Where a policy leads each cluster that it governs; nothing while the pace is not said.

    Another `pace` than the policy's shows where that would lead.
    """
    pace = policy.fields["upgrades_per_year"] if pace is None else pace
    releases = upstream()
    found = []
    for link in policy.links.filter(type="governs").select_related("target"):
        minor = cadence.minor_of(link.target.fields["version"])
        if minor and pace is not None:
            start = policy.day("starts_on") or now.date()
            seen = cadence.outlook(releases, version=minor, start=start, upgrades_per_year=pace)
            found.append((link.target, seen))
    return found


@transaction.atomic
def refresh(now: datetime, pks: Sequence[int] | None = None) -> int:
    """Raise and clear flags for these records, or for all; returns how many are raised."""
    records = Record.objects.all() if pks is None else Record.objects.filter(pk__in=pks)
    open_flags = Flag.objects.filter(cleared_at=None)
    if pks is not None:
        open_flags = open_flags.filter(record__in=pks)
    before = {(flag.record_id, flag.code): flag for flag in open_flags}
    found = {
        (record.pk, check.code): str(sentence)
        for check in CHECKS.values()
        for record, sentence in check.find(records, now)
    }
    gone = [flag.pk for key, flag in before.items() if key not in found]
    Flag.objects.filter(pk__in=gone).update(cleared_at=now)
    changed = [
        flag for key, flag in before.items() if found.get(key, flag.sentence) != flag.sentence
    ]
    for flag in changed:
        flag.sentence = found[flag.record_id, flag.code]
    Flag.objects.bulk_update(changed, ["sentence"], batch_size=500)
    Flag.objects.bulk_create(
        Flag(record_id=pk, code=code, sentence=sentence, raised_at=now)
        for (pk, code), sentence in found.items()
        if (pk, code) not in before
    )
    return len(found)
