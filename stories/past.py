"""A record as it was at a moment: its text, what it led to, and what the portal knew of both."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from stories import checks
from stories.cadence import Outlook
from stories.kinds import LINK_TYPES, Label
from stories.models import Flag, Record, Revision


@dataclass(frozen=True)
class Neighbour:
    """What stood at the other end of a link. `record` is None if its text is withheld."""

    type: str
    label: Label
    ident: str
    record: Record | None


@dataclass(frozen=True)
class Past:
    """`record` holds what the row held; it is never saved. None if the text is withheld."""

    moment: datetime
    revision: Revision
    record: Record | None
    links: Sequence[Neighbour]
    flags: Sequence[Flag]


def end_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.max))


def look(record: Record, moment: datetime) -> Past | None:
    """None if the record was not there yet."""
    revision = _newest(Record.objects.filter(pk=record.pk), moment).get(record.pk)
    if revision is None:
        return None
    flags = record.flags.filter(raised_at__lte=moment).exclude(cleared_at__lte=moment)
    then = _record(record, revision)
    links = _neighbours(revision, moment) if then else ()
    return Past(moment, revision, then, links, list(flags))


def outlooks(past: Past) -> list[tuple[Record, Outlook]]:
    """Where a policy led by the versions and the releases that were known then."""
    if past.record is None or past.record.kind != "UP":
        return []
    clusters = [each.record for each in past.links if each.type == "governs" and each.record]
    upstream = Record.objects.filter(kind="UR")
    releases = [each for each in _records(upstream, past.moment).values() if each]
    return checks.outlooks_of(past.record, clusters, checks.releases(releases), past.moment)


def _newest(records: QuerySet[Record], moment: datetime) -> dict[int, Revision]:
    """The newest version of each at that moment, in one query."""
    older = Revision.objects.filter(record=OuterRef("pk"), at__lte=moment).order_by("-number")
    keys = records.order_by().values_list(Subquery(older.values("pk")[:1]), flat=True)
    return {each.record_id: each for each in Revision.objects.filter(pk__in=keys)}


def _records(records: QuerySet[Record], moment: datetime) -> Mapping[str, Record | None]:
    """What was said of each at that moment, by ident; without those that were not there yet."""
    newest = _newest(records, moment)
    return {each.ident: _record(each, newest[each.pk]) for each in records if each.pk in newest}


def _record(record: Record, revision: Revision) -> Record | None:
    if revision.withheld:
        return None
    said = revision.snapshot
    return Record(
        kind=record.kind,
        number=record.number,
        title=said["title"],
        status=said["status"],
        status_reason=said["status_reason"],
        quote=said["quote"],
        anchor=said["anchor"],
        is_deleted=said["is_deleted"],
        fields={**record.kind_of.empty_fields(), **said["fields"]},
    )


def _neighbours(revision: Revision, moment: datetime) -> list[Neighbour]:
    links = revision.snapshot["links"]
    there = _records(_by_idents(link["to"] for link in links), moment)
    found = []
    for link in links:
        kind = LINK_TYPES.get(link["type"])
        label = kind.label if kind else link["type"]
        found.append(Neighbour(link["type"], label, link["to"], there.get(link["to"])))
    return found


def _by_idents(idents: Iterable[str]) -> QuerySet[Record]:
    """Records of any kinds by their idents."""
    found = Record.objects.none()
    numbers: dict[str, set[str]] = {}
    for ident in idents:
        kind, _dash, number = ident.partition("-")
        numbers.setdefault(kind, set()).add(number)
    for kind, wanted in numbers.items():
        found |= Record.objects.filter(kind=kind, number__in=wanted)
    return found
