"""Tables for people, JSON for scripts, notes about progress on standard error."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

# Escape sequences other than colours, and control codes, could write anywhere on a terminal.
_CONTROL = re.compile(
    r"\x1b(?!\[[0-9;]*m)[^a-zA-Z]{0,16}[a-zA-Z]?|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]"
)
Command = TypeVar("Command", bound=Callable[..., Any])
COLOURS = {
    "succeeded": "green", "live": "green", "running": "green", "active": "green",
    "failed": "red", "timed-out": "red", "degraded": "red", "cancelled": "yellow",
    "queued": "yellow", "starting": "yellow", "stopping": "yellow",
}  # fmt: skip


def clean(text: str) -> str:
    """Text of other people, so that it stays text on a terminal."""
    return _CONTROL.sub("", text)


def output_option(command: Command) -> Command:
    choice = click.Choice(["table", "json"])
    return click.option(
        "-o", "--output", type=choice, default="table", help="How to print the answer."
    )(command)


def note(text: str) -> None:
    """Progress, for whoever waits; not part of the answer."""
    click.echo(clean(text), err=True)


def print_json(data: object) -> None:
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def print_rows(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], output: str, *, none: str
) -> None:
    """A table with these columns, `none` as a note if there are no rows; or all as JSON."""
    rows = list(rows)
    if output == "json":
        print_json(rows)
    elif rows:
        _print_table([[_cell(row.get(name)) for name in columns] for row in rows], columns)
    else:
        note(none)


def print_one(row: Mapping[str, Any], names: Sequence[str], output: str) -> None:
    """One thing as lines of `name  value`, leaving out what is empty; or all of it as JSON."""
    if output == "json":
        print_json(row)
        return
    width = max(map(len, names)) + 2
    for name in names:
        value = _cell(row.get(name))
        if value:
            click.echo(f"{_words(name):{width}}{_coloured(value)}")


def _print_table(cells: list[list[str]], columns: Sequence[str]) -> None:
    heads = [_words(name) for name in columns]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    click.echo(click.style(_line(heads, widths), bold=True))
    for row in cells:
        padded = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)]
        parts = [p.replace(c, _coloured(c)) for p, c in zip(padded, row, strict=True)]
        click.echo("  ".join(parts).rstrip())


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    pairs = zip(cells, widths, strict=True)
    return "  ".join(f"{cell:{width}}" for cell, width in pairs).rstrip()


def _words(name: str) -> str:
    return name.replace("_", " ")


def _coloured(value: str) -> str:
    colour = COLOURS.get(value)
    return click.style(value, fg=colour) if colour else value


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    text = clean(str(value)).replace("\n", " ")
    return _moment(text) or text


def _moment(text: str) -> str:
    """A time in the reader's own zone; empty for what is none."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*", text):
        return ""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def is_watched() -> bool:
    return sys.stderr.isatty()
