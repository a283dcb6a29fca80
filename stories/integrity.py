"""Whether records are what their histories say: compared by turns, told as findings, never mended.

What a save writes is one transaction, so a difference means that somebody or something changed rows
behind the portal's back, or that the portal has a fault.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Max, Min, Q
from django.utils.translation import gettext as _

from stories.models import Link, Record, Revision
from stories.snapshots import differing

NIGHTLY = 2000
_CHUNK = 200


@dataclass(frozen=True)
class State:
    """How far comparing has come: `oldest` is None while some record was never compared."""

    records: int
    compared: int
    oldest: datetime | None
    differ: int


def state() -> State:
    found = Record.objects.aggregate(
        records=Count("pk"),
        compared=Count("compared_at"),
        oldest=Min("compared_at"),
        differ=Count("pk", filter=~Q(mismatch="")),
    )
    is_whole = found["compared"] == found["records"]
    return State(**found | {"oldest": found["oldest"] if is_whole else None})


def compare(now: datetime, at_most: int = NIGHTLY) -> list[int]:
    """Compare the records whose turn it is with their histories.

    Those that differed come first, then those that nobody looked at for longest. Returns the keys
    of records of which something else is known now than before.
    """
    turns = Record.objects.order_by(
        F("mismatch").desc(), F("compared_at").asc(nulls_first=True), "pk"
    )
    pks = list(turns.values_list("pk", flat=True)[:at_most])
    changed: list[int] = []
    for start in range(0, len(pks), _CHUNK):
        changed += _compare(pks[start : start + _CHUNK], now)
    return changed


def _compare(pks: Sequence[int], now: datetime) -> list[int]:
    related = Record.objects.select_related("superseded_by", "merged_into", "source")
    records = list(related.filter(pk__in=pks))
    histories = _histories(records)
    changed = []
    for record in records:
        sentence = " ".join(histories[record.pk].problems(record))
        # A record that was saved meanwhile has its turn another time.
        same = Record.objects.filter(pk=record.pk, version=record.version)
        if sentence != record.mismatch and same.update(mismatch=sentence):
            changed.append(record.pk)
    Record.objects.filter(pk__in=pks).update(compared_at=now)
    return changed


@dataclass
class _History:
    """What is kept of one record beside its row."""

    links: list[Link]
    newest: Revision | None = None
    first: int = 0
    last: int = 0
    count: int = 0
    odd: tuple[int, ...] = ()

    def problems(self, record: Record) -> Iterator[str]:
        yield from self._gaps(record)
        if self.newest is None:
            return
        if self.newest.unreadable:
            yield self.newest.unreadable
            return
        names = differing(self.newest.snapshot, record.snapshot(self.links))
        names += _unlike_columns(record) + [
            f"links.{link.target.ident}" for link in self.links if not _agrees(link)
        ]
        if names:
            sentence = _("Version %(number)s says something else: %(names)s.")
            yield sentence % {"number": self.newest.number, "names": ", ".join(names)}

    def _gaps(self, record: Record) -> Iterator[str]:
        if (self.first, self.last, self.count) != (1, record.version, record.version):
            values = {"version": record.version, "count": self.count, "last": self.last}
            sentence = _(
                "The record is at version %(version)s; %(count)s versions are kept, the last of "
                "them is %(last)s."
            )
            yield sentence % values
        if self.odd:
            numbers = ", ".join(str(number) for number in self.odd)
            yield _("These versions come from versions that were not there: %s.") % numbers


def _histories(records: Sequence[Record]) -> dict[int, _History]:
    """In four queries, however many records there are."""
    histories = {record.pk: _History([]) for record in records}
    for link in Link.objects.filter(source__in=records).select_related("target"):
        histories[link.source_id].links.append(link)
    kept = Revision.objects.filter(record__in=records).order_by()
    for revision in kept.filter(number=F("record__version")):
        histories[revision.record_id].newest = revision
    numbers = kept.values("record").annotate(
        first=Min("number"), last=Max("number"), count=Count("pk")
    )
    for row in numbers:
        history = histories[row["record"]]
        history.first, history.last, history.count = row["first"], row["last"], row["count"]
    for pk, number in kept.filter(_ODD).values_list("record", "number"):
        histories[pk].odd += (number,)
    return histories


# Versions made of later ones, or of none; restored from nothing, or from something though not.
_ODD = (
    Q(base_revision__gte=F("number"))
    | Q(restored_from__gte=F("number"))
    | Q(base_revision=0)
    | Q(restored_from=0)
    | Q(cause=Revision.Cause.RESTORE, restored_from=None)
    | ~Q(cause=Revision.Cause.RESTORE) & Q(restored_from__isnull=False)
)


def _unlike_columns(record: Record) -> list[str]:
    """Columns that do not repeat what `fields` say."""
    repeated = Record(kind=record.kind, fields=record.fields)
    try:
        repeated.take_columns()
    except (AttributeError, TypeError, ValueError):
        return ["fields"]
    return [name for name in Record.REPEATED if getattr(repeated, name) != getattr(record, name)]


def _agrees(link: Link) -> bool:
    is_agreed = link.type == "justified_by" and link.target.status == "agreed"
    return link.is_agreed == is_agreed
