"""Checks of clusters and of the policies by which they are upgraded."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime

from django.utils.translation import gettext_lazy as _

from stories import cadence
from stories.checks.base import Found, Severity, check, of
from stories.models import Link, Record, RecordQuerySet


@check(
    "cluster-past-eol",
    _("Cluster on a version past its end of life"),
    _("Upgrade it; the policy says how fast."),
    severity=Severity.CONTRADICTION,
)
def _past_eol(records: RecordQuerySet, now: datetime) -> Found:
    clusters = list(of("CL")(records))
    known = {each.minor: each for each in upstream()} if clusters else {}
    for cluster in clusters:
        minor = cadence.minor_of(cluster.fields["version"])
        past = cadence.past_end_of_life(known.get(minor), now.date()) if minor else None
        if past is not None and past > 0:
            sentence = _("%(version)s has been past its end of life for %(days)d days.")
            yield cluster, sentence % {"version": cluster.fields["version"], "days": past}


def upstream() -> list[cadence.Release]:
    """Kubernetes' releases as the records know them."""
    return releases(Record.objects.undone().filter(kind="UR"))


def releases(records: Iterable[Record]) -> list[cadence.Release]:
    """Kubernetes' releases as these records of releases know them."""
    found = []
    for record in records:
        minor = cadence.minor_of(record.fields["minor"])
        if minor and record.fields["component"] == "Kubernetes" and not record.is_closed:
            found.append(
                cadence.Release(minor, record.day("released_on"), record.day("end_of_life"))
            )
    return sorted(found, key=lambda release: release.minor)


@check(
    "versions-differ",
    _("Two records state different versions"),
    _("Look at the cluster, and write down what runs."),
    severity=Severity.CONTRADICTION,
)
def _versions_differ(records: RecordQuerySet, now: datetime) -> Found:
    """A cluster's version against what was seen, or done by an upgrade step, last."""
    clusters = list(of("CL")(records))
    for cluster, (_day, version, place) in _last_stated(clusters):
        stated = cadence.minor_of(cluster.fields["version"])
        if stated and stated != cadence.minor_of(version):
            values = {"a": cluster.fields["version"], "b": version, "place": place}
            yield cluster, _("Here it is %(a)s; %(place)s says %(b)s.") % values


def _last_stated(clusters: Sequence[Record]) -> Iterator[tuple[Record, tuple[date, str, str]]]:
    """The newest day, version and place of what is said of each cluster beside its version."""
    links = Link.objects.filter(type="upgrades", target__in=clusters, source__status="done")
    steps: dict[int, list[Record]] = {}
    for link in links.select_related("source"):
        steps.setdefault(link.target_id, []).append(link.source)
    for cluster in clusters:
        stated = [*_observed(cluster), *_done(steps.get(cluster.pk, ()))]
        if stated:
            yield cluster, max(stated)


def _observed(cluster: Record) -> Iterator[tuple[date, str, str]]:
    for row in cluster.fields["observations"]:
        if row.get("observed_on") and cadence.minor_of(row["version"]):
            place = str(_("the observation of %s")) % row["observed_on"]
            yield date.fromisoformat(row["observed_on"]), row["version"], place


def _done(steps: Iterable[Record]) -> Iterator[tuple[date, str, str]]:
    for step in steps:
        day = step.day("did_on")
        if day and cadence.minor_of(step.fields["to_version"]):
            yield day, step.fields["to_version"], step.ident


@check(
    "policy-hopeless",
    _("Policy that never catches up with upstream"),
    _("Upgrade more often, or accept the gap in a decision."),
    severity=Severity.CONTRADICTION,
)
def _hopeless(records: RecordQuerySet, now: datetime) -> Found:
    policies = list(of("UP", "in_force")(records))
    known = upstream() if policies else []
    links = Link.objects.filter(type="governs", source__in=policies).select_related("target")
    governed: dict[int, list[Record]] = {}
    for link in links:
        governed.setdefault(link.source_id, []).append(link.target)
    for policy in policies:
        seen = outlooks_of(policy, governed.get(policy.pk, ()), known, now)
        behind = [cluster.ident for cluster, outlook in seen if outlook.never_catches_up]
        if behind:
            names = {"cluster": ", ".join(behind)}
            yield policy, _("%(cluster)s never reaches a supported version.") % names


def outlooks(
    policy: Record, now: datetime, pace: float | None = None
) -> list[tuple[Record, cadence.Outlook]]:
    """Where a policy leads each cluster that it governs; nothing while the pace is not said.

    Another `pace` than the policy's shows where that would lead.
    """
    links = policy.links.filter(type="governs").select_related("target")
    return outlooks_of(policy, [link.target for link in links], upstream(), now, pace)


def outlooks_of(
    policy: Record,
    clusters: Iterable[Record],
    known: Sequence[cadence.Release],
    now: datetime,
    pace: float | None = None,
) -> list[tuple[Record, cadence.Outlook]]:
    """Where it leads these clusters, by the releases that are known."""
    pace = policy.fields["upgrades_per_year"] if pace is None else pace
    start = policy.day("starts_on") or now.date()
    found = []
    for cluster in clusters:
        minor = cadence.minor_of(cluster.fields["version"])
        if minor and pace is not None:
            seen = cadence.outlook(known, version=minor, start=start, upgrades_per_year=pace)
            found.append((cluster, seen))
    return found
