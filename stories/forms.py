"""One form for every kind of record, made from its fields; lists are rows that can be reordered."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from stories import evidence, kinds
from stories.kinds import Field, Kind, Label
from stories.schema import join_line, notes_of

# Empty rows below a list, for browsers without scripts.
SPARE_ROWS = 1


@dataclass(frozen=True)
class Input:
    """One control: `name` is that of the form, `value` as the control shows it."""

    field: Field
    name: str
    value: Any
    errors: Sequence[str] = ()
    rows: Sequence["Row"] = ()

    @property
    def id(self) -> str:
        return f"id-{self.name}"

    @property
    def template(self) -> str:
        return f"stories/inputs/_{_TEMPLATES.get(self.field.type, self.field.type)}.html"

    @property
    def choices(self) -> list[tuple[str, Label]]:
        if self.field.type == kinds.METRIC:
            known = evidence.choices()
            if self.value and self.value not in dict(known):
                known.append((self.value, _("%s (not measured)") % self.value))
            return known
        return list(self.field.choices)

    @property
    def blank(self) -> "Row":
        """The row that scripts copy."""
        return _row(self.field, self.name, "INDEX", {}, {})


@dataclass(frozen=True)
class Row:
    number: int | str
    inputs: Sequence[Input]


_TEMPLATES = {kinds.METRIC: "choice", kinds.URL: "line"}


def inputs_of(
    kind: Kind, fields: Mapping[str, Any], errors: Mapping[str, str] | None = None
) -> list[Input]:
    """The controls of a record's form with what they show."""
    return [
        _input(field, field.name, fields.get(field.name, field.empty), errors or {})
        for field in kind.all_fields
    ]


def _input(field: Field, name: str, value: Any, errors: Mapping[str, str]) -> Input:  # noqa: ANN401
    path = name.replace("-", ".")
    own = [sentence for place, sentence in errors.items() if place == path]
    if field.type == kinds.ROWS:
        spare: list[dict[str, Any]] = [{}] * SPARE_ROWS
        rows = [_row(field, name, i, row, errors) for i, row in enumerate([*(value or []), *spare])]
        return Input(field, name, "", own, rows)
    return Input(field, name, _shown(field, value), own)


def _shown(field: Field, value: Any) -> Any:  # noqa: ANN401
    if field.type == kinds.LINES:
        return "\n".join(value or [])
    if field.type == kinds.TOPICS:
        return topics_text(value or [])
    return "" if value is None else value


def _row(
    field: Field, name: str, number: int | str, row: Mapping[str, Any], errors: Mapping[str, str]
) -> Row:
    return Row(
        number,
        [
            _input(
                column, f"{name}-{number}-{column.name}", row.get(column.name, column.empty), errors
            )
            for column in field.columns
        ],
    )


def topics_text(topics: Sequence[Mapping[str, Any]]) -> str:
    """Notes as one text: "# Title" begins a topic, each line was said in it."""
    lines = []
    for topic in topics:
        lines.append(f"# {topic['title']}")
        lines += [join_line(line).replace("\n", " ") for line in topic["lines"]]
        lines.append("")
    return "\n".join(lines).strip()


def read(kind: Kind, sent: QueryDict) -> dict[str, Any]:
    """What a browser sent as the fields that it is about; `stories.schema` checks them."""
    return {field.name: _read(field, field.name, sent) for field in kind.all_fields}


def _read(field: Field, name: str, sent: QueryDict) -> Any:  # noqa: ANN401
    text = sent.get(name, "")
    if field.type == kinds.FLAG:
        return name in sent
    if field.type == kinds.LINES:
        return [line for line in text.splitlines() if line.strip()]
    if field.type == kinds.ROWS:
        return [
            {each.name: _read(each, f"{name}-{number}-{each.name}", sent) for each in field.columns}
            for number in _numbers(name, sent)
        ]
    if field.type == kinds.TOPICS:
        return notes_of(text)
    return text


def _numbers(name: str, sent: QueryDict) -> list[str]:
    """Numbers of the rows in the order in which the browser sent them."""
    pattern = re.compile(rf"{re.escape(name)}-(\d{{1,6}})-")
    return list(dict.fromkeys(match[1] for key in sent if (match := pattern.match(key))))
