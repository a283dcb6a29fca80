"""Checks of decisions and of what somebody said they would do."""

from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from stories.checks.base import Found, Severity, check, of, plain
from stories.guards import overdue
from stories.models import Link, Record, RecordQuerySet

CARRIED_OVER_AT_MOST = 3
# Says of a decision that it promises how often clusters are upgraded.
PACE_TAG = "cadence"
_open_decisions = of("DR", "open", "in_discussion")
_open_actions = of("AI")


@check("action-unowned", _("Action item without an owner"), _("Name somebody."))
def _unowned(records: RecordQuerySet, now: datetime) -> Found:
    return plain(_open_actions(records).filter(owner=""))


@check("action-overdue", _("Action item that is overdue"), _("Do it, or carry it over."))
def _action_overdue(records: RecordQuerySet, now: datetime) -> Found:
    today = now.date().isoformat()
    due = _open_actions(records).exclude(fields__due=None)
    return plain(due.filter(fields__due__lt=today))


@check("action-carried", _("Action item carried over again and again"), _("Do it, or drop it."))
def _action_carried(records: RecordQuerySet, now: datetime) -> Found:
    return plain(
        record
        for record in _open_actions(records).iterator()
        if (record.fields["times_carried_over"] or 0) >= CARRIED_OVER_AT_MOST
    )


@check(
    "decision-no-closing",
    _("Open decision without a closing date"),
    _("Say when comments close."),
)
def _no_closing(records: RecordQuerySet, now: datetime) -> Found:
    return plain(_open_decisions(records).filter(fields__comments_close_on=None))


@check(
    "decision-no-nothing",
    _("Open decision without the option to do nothing"),
    _("Add it: it is what happens otherwise."),
)
def _no_nothing(records: RecordQuerySet, now: datetime) -> Found:
    for record in _open_decisions(records).iterator():
        if not any(row.get("is_do_nothing") for row in record.fields["options"]):
            yield record, ""


@check(
    "effect-unchecked",
    _("Decision whose expected effect was not checked"),
    _("Write down what came of it."),
)
def _effect_unchecked(records: RecordQuerySet, now: datetime) -> Found:
    for record in of("DR", "decided")(records).iterator():
        for row in record.fields["expected_effect"]:
            if overdue(row.get("check_on"), now) and row.get("actual") is None:
                yield record, _("“%(measure)s” was to be checked.") % {"measure": row["measure"]}
                break


@check(
    "pace-without-policy",
    _("Upgrades were promised, but no policy is in force"),
    _("Bring the policy into force, or supersede the decision."),
    severity=Severity.CONTRADICTION,
)
def _pace_without_policy(records: RecordQuerySet, now: datetime) -> Found:
    """Of decisions that lead to a policy, or whose tag says that they promise a pace."""
    decided = list(of("DR", "decided")(records))
    policies = _policies(decided)
    for decision in decided:
        found = policies.get(decision.pk, [])
        is_promise = found or PACE_TAG in decision.fields["tags"]
        if is_promise and not any(each.status in ("in_force", "superseded") for each in found):
            told = [f"{policy.ident}: {policy.status_label}" for policy in found]
            yield decision, ", ".join(told) or _("There is no policy.")


def _policies(decisions: list[Record]) -> dict[int, list[Record]]:
    """The upgrade policies that each of these decisions governs, or is named by."""
    links = Link.objects.filter(
        Q(type="governs", source__in=decisions)
        | Q(type="decided_by", source_kind="UP", target__in=decisions)
    ).select_related("source", "target")
    found: dict[int, dict[int, Record]] = {}
    for link in links:
        ends = (link.source, link.target)
        decision, policy = ends if link.type == "governs" else ends[::-1]
        found.setdefault(decision.pk, {})[policy.pk] = policy
    return {pk: list(policies.values()) for pk, policies in found.items()}
