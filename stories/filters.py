"""What lists of records may be asked for: things of every record, and each field of a kind."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from stories import kinds
from stories.checks import CHECKS
from stories.kinds import KINDS, Field, Kind, Label

TEXT_LENGTH = 200
ORDERS = {"updated": ["-updated_at"], "title": ["title"]}
FROM, UNTIL = "_from", "_until"
# Days that every record has.
_DAYS = {
    "changed": ("updated_at", _lazy("Changed")),
    "in_status": ("status_since", _lazy("Status since")),
    "look_again": ("look_again_on", _lazy("Look again on")),
}
_RANGED = (kinds.DATE, kinds.NUMBER)
_LISTED = (kinds.LINES, kinds.ROWS, kinds.TOPICS)


@dataclasses.dataclass(frozen=True)
class Filter:
    """`type` is CHOICE, DATE, NUMBER, LINE, or LINES where a text may stand in any of several.

    It asks about a `field` of the kind, or a `column` of all records. Days and numbers have two
    filters, one for each `end`.
    """

    name: str
    label: Label
    type: str = kinds.LINE
    choices: Mapping[str, Label] = dataclasses.field(default_factory=dict)
    field: str = ""
    column: str = ""
    end: str = ""

    def problem(self, value: str) -> str:
        """What is wrong with a value, as a sentence; empty if nothing is."""
        words = {"name": self.name, "label": str(self.label), "value": value[:50]}
        if len(value) > TEXT_LENGTH or not value.isprintable():
            sentence = _("Write at most %(length)s plain characters for the filter “%(name)s”.")
            return sentence % {**words, "length": str(TEXT_LENGTH)}
        if self.type == kinds.CHOICE and value not in self.choices:
            return _("The filter “%(name)s” does not know “%(value)s”. Choose again.") % words
        if self.type == kinds.DATE and self.place(value) is None:
            return _("%(label)s: “%(value)s” is no day. Write it as 2026-12-31.") % words
        if self.type == kinds.NUMBER and self.place(value) is None:
            return _("%(label)s: “%(value)s” is no number. Write it as 12 or 1.5.") % words
        return ""

    def place(self, value: str) -> str | float | None:
        """The value to compare days or numbers with; None if it is none."""
        try:
            if self.type == kinds.DATE:
                return value if date.fromisoformat(value).isoformat() == value else None
            return number if math.isfinite(number := float(value)) else None
        except ValueError:
            return None


def filters_of(kind: Kind | None) -> dict[str, Filter]:
    """Everything that a list of the kind may be asked for, or one of all kinds, by name."""
    found = {each.name: each for each in _of_every_record(kind)}
    for one in [kind] if kind else KINDS.values():
        for about in one.fields:
            for each in _of_field(about, kind):
                found.setdefault(each.name, each)
    for name, (column, label) in _DAYS.items():
        for each in _ends(name, label, kinds.DATE, column=column):
            found.setdefault(each.name, each)
    return found


def _of_every_record(kind: Kind | None) -> Iterator[Filter]:
    statuses: dict[str, Label] = {}
    for each in [kind] if kind else KINDS.values():
        statuses |= each.statuses
    checks = {check.code: check.label for check in CHECKS.values()}
    orders = {"updated": _("last change"), "title": _("title")}
    yield Filter("q", _("Words"))
    yield Filter("status", _("Status"), kinds.CHOICE, statuses)
    yield Filter("flag", _("Finding"), kinds.CHOICE, checks)
    yield Filter("tag", _("Tag"))
    yield Filter("owner", _("Owner"))
    yield Filter("order", _("Order"), kinds.CHOICE, orders)


def _of_field(about: Field, kind: Kind | None) -> Iterator[Filter]:
    name, label, type_ = about.name, about.label, about.type
    if type_ in _RANGED:
        yield from _ends(name, label, type_, field=name)
    elif type_ == kinds.CHOICE:
        yield Filter(name, label, type_, dict(about.choices), name)
    else:
        # What is one text in a kind may be a list in another.
        is_listed = type_ in _LISTED or kind is None
        yield Filter(name, label, kinds.LINES if is_listed else kinds.LINE, field=name)


def _ends(
    name: str, label: Label, type_: str, *, field: str = "", column: str = ""
) -> Iterator[Filter]:
    for end, called in ((FROM, _("%s, from")), (UNTIL, _("%s, until"))):
        yield Filter(name + end, called % label, type_, field=field, column=column, end=end)
