"""Which records a list shows, of one kind or of all: reading what is asked, and applying it."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from django.db.models import Exists, F, FloatField, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual, Lookup
from django.utils import timezone
from django.utils.translation import gettext as _

from stories import kinds, search
from stories.extracts import contains, texts_of, value_of
from stories.filters import FROM, ORDERS, UNTIL, Filter, filters_of
from stories.guards import Missing
from stories.kinds import Kind
from stories.models import Flag, Record, SearchDocument

# Each name with its values, as an address holds them; only a status may have several.
Asked = Mapping[str, Sequence[str]]
Filters = dict[str, list[str]]
Condition = Q | Exists | Lookup


def read(kind: Kind | None, asked: Asked) -> tuple[Filters, list[Missing]]:
    """The filters among what was asked, and a sentence for everything else that says something."""
    known = filters_of(kind)
    kept: Filters = {}
    wrong = []
    for name, sent in asked.items():
        values = list(dict.fromkeys(" ".join(each.split()) for each in sent if each.strip()))
        if found := _wrong(known.get(name), name, values):
            wrong.append(found)
        elif values:
            kept[name] = values
    return kept, wrong + _turned(known, kept)


def _wrong(known: Filter | None, name: str, values: Sequence[str]) -> Missing | None:
    if known is None:
        sentence = _("This list has no filter “%s”.") % name[:50]
        return Missing("unknown-filter", sentence, name)
    if name != "status" and len(values) > 1:
        sentence = _("Give one value for the filter “%s”.") % name
        return Missing("broken-filter", sentence, name)
    sentences = (known.problem(value) for value in values)
    return next((Missing("broken-filter", each, name) for each in sentences if each), None)


def _turned(known: Mapping[str, Filter], kept: Filters) -> list[Missing]:
    """Ranges that end before they begin; they are not kept."""
    wrong = []
    for last in [name for name in kept if known[name].end == UNTIL]:
        first = last.removesuffix(UNTIL) + FROM
        if first in kept and _value(known[first], kept) > _value(known[last], kept):
            del kept[first], kept[last]
            sentence = _("“%(last)s” comes before “%(first)s”. Exchange them.")
            words = {"first": str(known[first].label), "last": str(known[last].label)}
            wrong.append(Missing("broken-filter", sentence % words, last))
    return wrong


def _value(about: Filter, kept: Filters) -> Any:  # noqa: ANN401 - all days, or all numbers
    return about.place(kept[about.name][0])


def words(kind: Kind, filters: Filters) -> str:
    """Filters as people read them, also those that the kind does not know any more."""
    known = filters_of(kind)
    told = []
    order = {name: place for place, name in enumerate(known)}
    for name, values in sorted(filters.items(), key=lambda each: order.get(each[0], len(order))):
        about = known.get(name, Filter(name, name))
        called = " / ".join(str(about.choices.get(each, each)) for each in values)
        told.append(f"{about.label}: {called}")
    return ", ".join(told)


def apply(found: QuerySet[Record], kind: Kind | None, filters: Filters) -> QuerySet[Record]:
    """Those of `found` that the filters ask for, in their order. What was read is safe to apply."""
    known = filters_of(kind)
    order = ORDERS.get(filters.get("order", [""])[0], ())
    for name, values in filters.items():
        if name == "q":
            found = search.matching(found, values[0])
        elif name == "status":
            found = found.filter(status__in=values)
        elif name != "order":
            found = found.filter(_condition(known[name], values[0]))
    return found.order_by(*order, "kind", "number")


def _condition(about: Filter, value: str) -> Condition:
    if about.name == "flag":
        return Exists(Flag.objects.filter(record=OuterRef("pk"), cleared_at=None, code=value))
    if about.name == "tag":
        return _tagged(value)
    if about.name == "owner":
        return contains(F("owner"), value)
    if about.type == kinds.CHOICE:
        return Q(**{f"fields__{about.field}": value})
    if about.column:
        return _in_days(about, value)
    if about.end:
        return _in_range(about, value)
    extract = texts_of if about.type == kinds.LINES else value_of
    return contains(extract(about.field), value)


def _in_range(about: Filter, value: str) -> Condition:
    """What a record does not say is in no range. Days compare as the texts that they are."""
    said = value_of(about.field)
    if about.type == kinds.NUMBER:
        said = Cast(said, FloatField())
    compare = GreaterThanOrEqual if about.end == FROM else LessThanOrEqual
    return compare(said, about.place(value))


def _in_days(about: Filter, value: str) -> Condition:
    """Between the first moment of a day and the last of one."""
    at = time.min if about.end == FROM else time.max
    moment = timezone.make_aware(datetime.combine(date.fromisoformat(value), at))
    return Q(**{f"{about.column}__{'gte' if about.end == FROM else 'lte'}": moment})


def _tagged(tag: str) -> Exists:
    """Search keeps tags one a line; a list in JSON cannot be asked on every database."""
    lines = Concat(Value("\n"), "tags", Value("\n"), output_field=TextField())
    documents = SearchDocument.objects.filter(record=OuterRef("pk")).annotate(lines=lines)
    return Exists(documents.filter(lines__icontains=f"\n{tag}\n"))
