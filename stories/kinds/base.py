"""What a kind of record consists of: fields, statuses and the moves between them.

A kind is data. Forms, pages, REST, import and export are written once and read it from here. The
guards that a move names live in `stories.guards`; who plays which role is in `stories.roles`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# A text for people, translated when it is shown.
Label = str | Promise


LINE_LENGTH, PROSE_LENGTH, ROWS_AT_MOST = 500, 200_000, 500


LINE, PROSE, DATE, NUMBER, FLAG = "line", "prose", "date", "number", "flag"


URL, CHOICE, LINES, ROWS, TOPICS, METRIC = "url", "choice", "lines", "rows", "topics", "metric"


# Statuses of what is still being thought up.
DRAFTS = ("draft", "idea")


@dataclass(frozen=True)
class Field:
    """One thing that a record says. `columns` are those of a list of rows."""

    name: str
    type: str
    label: Label
    help: Label = ""
    choices: tuple[tuple[str, Label], ...] = ()
    columns: tuple["Field", ...] = ()

    @property
    def empty(self) -> Any:  # noqa: ANN401
        """The value of a field that says nothing."""
        if self.type in (LINES, ROWS, TOPICS):
            return []
        return {FLAG: False, DATE: None, NUMBER: None}.get(self.type, "")


@dataclass(frozen=True)
class Move:
    """A change of status that `role` may make once every guard is content."""

    to: str
    role: str
    guards: tuple[str, ...] = ()
    needs_reason: bool = False
    needs_date: bool = False


@dataclass(frozen=True)
class Kind:
    """`statuses` maps each status to its label; the first is where a record begins.

    `required` fields are needed to leave the first status. A record in an `effective` status makes
    the record that it supersedes "superseded". `closed` statuses raise no flags.
    """

    prefix: str
    slug: str
    name: Label
    plural: Label
    about: Label
    statuses: Mapping[str, Label]
    moves: Mapping[str, tuple[Move, ...]]
    fields: tuple[Field, ...]
    required: tuple[str, ...] = ()
    effective: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()
    title_label: Label = field(default=_("Title"))

    @property
    def first_status(self) -> str:
        return next(iter(self.statuses))

    @property
    def all_fields(self) -> tuple[Field, ...]:
        return self.fields + COMMON

    def field(self, name: str) -> Field:
        return next(each for each in self.all_fields if each.name == name)

    def moves_from(self, status: str) -> tuple[Move, ...]:
        return self.moves.get(status, ())

    def empty_fields(self) -> dict[str, Any]:
        return {each.name: each.empty for each in self.all_fields}


def rows(name: str, label: Label, *columns: Field, help: Label = "") -> Field:
    return Field(name, ROWS, label, help, columns=columns)


def each(statuses: str, *moves: Move) -> dict[str, tuple[Move, ...]]:
    return dict.fromkeys(statuses.split(), moves)


def together(*tables: Mapping[str, tuple[Move, ...]]) -> dict[str, tuple[Move, ...]]:
    """One table of several; the moves of a status that occurs twice are joined."""
    joined: dict[str, tuple[Move, ...]] = {}
    for table in tables:
        for status, moves in table.items():
            joined[status] = joined.get(status, ()) + moves
    return joined


COMMON = (
    Field("owner", LINE, _("Owner"), _("A person or a role who answers for this record.")),
    Field("tags", LINES, _("Tags"), _("One on a line.")),
)


REVIEW_BY = Field("review_by", DATE, _("Review by"), _("After this day the record is stale."))


EVIDENCE = rows(
    "evidence",
    _("Evidence"),
    Field("claim", LINE, _("What it shows")),
    Field("metric", METRIC, _("Measured by the portal")),
    Field("url", URL, _("or a source elsewhere")),
    Field("seen_value", NUMBER, _("Value when last confirmed")),
    Field("seen_on", DATE, _("Seen on")),
    Field("tolerance", NUMBER, _("Tolerated change, percent")),
    Field("expires_on", DATE, _("Expires on")),
    help=_("A number of the portal, or a source. It goes stale when the number moves too far."),
)


SUPERSEDED = Move("superseded", "system", ("superseded",))


LIFE = together(
    each("draft", Move("active", "contributor", ("required",))),
    each("active", Move("retired", "lead", ("not_needed",))),
    each("retired", Move("active", "lead")),
)


LIFE_LABELS = {"draft": _("Draft"), "active": _("Active"), "retired": _("Retired")}
