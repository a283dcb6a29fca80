"""Which records a list shows, of one kind or of all: what may be asked, and what that means."""

from collections.abc import Mapping, Sequence

from django.db.models import Exists, OuterRef, QuerySet, TextField, Value
from django.db.models.functions import Concat
from django.utils.translation import gettext as _

from stories import search
from stories.checks import CHECKS
from stories.guards import Missing
from stories.kinds import KINDS, Kind, Label
from stories.models import Flag, Record, SearchDocument

TEXTS = ("q", "owner", "tag")
TEXT_LENGTH = 200
ORDERS = {"updated": ["-updated_at"], "title": ["title"]}
# Each name with its values, as an address holds them; only a status may have several.
Filters = dict[str, list[str]]


def read(kind: Kind | None, asked: Mapping[str, Sequence[str]]) -> tuple[Filters, list[Missing]]:
    """The filters among what was asked, and a sentence for everything else that says something."""
    kept: Filters = {}
    wrong = []
    for name, sent in asked.items():
        values = list(dict.fromkeys(" ".join(each.split()) for each in sent if each.strip()))
        if found := _wrong(kind, name, values):
            wrong.append(found)
        elif values:
            kept[name] = values
    return kept, wrong


def _wrong(kind: Kind | None, name: str, values: Sequence[str]) -> Missing | None:
    choices = choices_of(kind).get(name)
    if choices is None and name not in TEXTS:
        sentence = _("This list has no filter “%s”.") % name[:50]
        return Missing("unknown-filter", sentence, name)
    if name != "status" and len(values) > 1:
        sentence = _("Give one value for the filter “%s”.") % name
        return Missing("broken-filter", sentence, name)
    for value in values:
        if choices is not None and value not in choices:
            words = {"name": name, "value": value[:50]}
            sentence = _("The filter “%(name)s” does not know “%(value)s”. Choose again.") % words
            return Missing("broken-filter", sentence, name)
        if len(value) > TEXT_LENGTH or not value.isprintable():
            words = {"name": name, "length": str(TEXT_LENGTH)}
            sentence = _("Write at most %(length)s plain characters for the filter “%(name)s”.")
            return Missing("broken-filter", sentence % words, name)
    return None


def choices_of(kind: Kind | None) -> dict[str, Mapping[str, Label]]:
    """The filters that have certain values, with these and how people call them."""
    fields = kind.fields if kind else ()
    own = {field.name: dict(field.choices) for field in fields if field.choices}
    statuses: dict[str, Label] = {}
    for each in [kind] if kind else KINDS.values():
        statuses |= each.statuses
    checks = {check.code: check.label for check in CHECKS.values()}
    orders = {"updated": _("last change"), "title": _("title")}
    return {**own, "status": statuses, "flag": checks, "order": orders}


def words(kind: Kind, filters: Filters) -> str:
    """Filters as people read them, also those that the kind does not know any more."""
    names: dict[str, Label] = {field.name: field.label for field in kind.fields}
    names |= {"q": _("Words"), "status": _("Status"), "owner": _("Owner"), "tag": _("Tag")}
    names |= {"flag": _("Finding"), "order": _("Order")}
    choices = choices_of(kind)
    told = []
    for name, values in filters.items():
        called = " / ".join(str(choices.get(name, {}).get(each, each)) for each in values)
        told.append(f"{names.get(name, name)}: {called}")
    return ", ".join(told)


def apply(found: QuerySet[Record], filters: Filters) -> QuerySet[Record]:
    """Those of `found` that the filters ask for, in their order. What was read is safe to apply."""
    chosen = {name: value for name, (value, *_more) in filters.items()}
    text, order = chosen.pop("q", ""), chosen.pop("order", "")
    for name, value in chosen.items():
        if name == "status":
            found = found.filter(status__in=filters["status"])
        elif name == "owner":
            found = found.filter(owner__icontains=value)
        elif name == "tag":
            found = found.filter(_tagged(value))
        elif name == "flag":
            flags = Flag.objects.filter(record=OuterRef("pk"), cleared_at=None, code=value)
            found = found.filter(Exists(flags))
        else:
            found = found.filter(**{f"fields__{name}": value})
    return search.matching(found, text).order_by(*ORDERS.get(order, ()), "kind", "number")


def _tagged(tag: str) -> Exists:
    """Search keeps tags one a line; a list in JSON cannot be asked on every database."""
    lines = Concat(Value("\n"), "tags", Value("\n"), output_field=TextField())
    documents = SearchDocument.objects.filter(record=OuterRef("pk")).annotate(lines=lines)
    return Exists(documents.filter(lines__icontains=f"\n{tag}\n"))
