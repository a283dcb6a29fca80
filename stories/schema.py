"""Whether what somebody sends is a record of its kind: types, lengths, choices, days."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from difflib import SequenceMatcher
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from stories import kinds
from stories.kinds import Field, Kind

NUMBER_AT_MOST = 10**15
TITLE_LENGTH = 300
# "AB: what was said", with initials or a name before the colon.
_SPEAKER = re.compile(r"([^\W\d_][\w .'-]{0,39}): +(.*)", re.DOTALL)

_LINE_ENDS = re.compile(r"\r\n?|[\x85\u2028\u2029]")
# They show nothing and hide much.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Invalid(Exception):
    """What is wrong, by the path of the field, such as "options.2.name"."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{path}: {sentence}" for path, sentence in errors.items()))
        self.errors = dict(errors)


def clean(kind: Kind, given: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of the kind, with those that are not given empty. Raises Invalid."""
    errors: dict[str, str] = {}
    for name in given:
        if name not in {each.name for each in kind.all_fields}:
            errors[str(name)[:50]] = _("There is no such field.")
    fields = {
        each.name: _clean(each, given.get(each.name), each.name, errors) for each in kind.all_fields
    }
    choice = fields.get("chosen_option")
    if choice and choice not in {row["name"] for row in fields["options"]}:
        errors["chosen_option"] = _("There is no option of that name.")
    if errors:
        raise Invalid(errors)
    return fields


def clean_title(title: object) -> str:
    if not isinstance(title, str) or not title.strip():
        raise Invalid({"title": _("Give it a title.")})
    try:
        cleaned = " ".join(_text(title, TITLE_LENGTH).split())
    except ValueError as error:
        raise Invalid({"title": str(error)}) from error
    return cleaned


def _clean(field: Field, value: Any, path: str, errors: dict[str, str]) -> Any:  # noqa: ANN401
    if value is None or value == "":
        return field.empty
    try:
        return _CLEANERS[field.type](field, value, path, errors)
    except ValueError as error:
        errors[path] = str(error)
        return field.empty


def _text(value: object, longest: int) -> str:
    if not isinstance(value, str):
        raise ValueError(_("This has to be a text."))
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(_("This is not valid Unicode.")) from error
    cleaned = _CONTROLS.sub("", _LINE_ENDS.sub("\n", value))
    if len(cleaned) > longest:
        raise ValueError(_("At most %(count)d characters.") % {"count": longest})
    return cleaned


def _line(field: Field, value: object, path: str, errors: dict[str, str]) -> str:
    return " ".join(_text(value, kinds.LINE_LENGTH).split())


def _prose(field: Field, value: object, path: str, errors: dict[str, str]) -> str:
    return _text(value, kinds.PROSE_LENGTH).strip("\n").rstrip()


def _day(field: Field, value: object, path: str, errors: dict[str, str]) -> str:
    if isinstance(value, date):
        return value.isoformat()
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError as error:
        raise ValueError(_("Write the day as 2026-12-31.")) from error


def _number(field: Field, value: Any, path: str, errors: dict[str, str]) -> float | int:  # noqa: ANN401
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(_("This has to be a number.")) from error
    if not math.isfinite(number) or abs(number) > NUMBER_AT_MOST:
        raise ValueError(_("This number is too large."))
    return int(number) if number.is_integer() else number


def _flag(field: Field, value: object, path: str, errors: dict[str, str]) -> bool:
    if not isinstance(value, bool):
        raise ValueError(_("This has to be true or false."))
    return value


def _url(field: Field, value: object, path: str, errors: dict[str, str]) -> str:
    text = _line(field, value, path, errors)
    if text and urlsplit(text).scheme not in ("http", "https"):
        raise ValueError(_("Write an address that begins with https://."))
    return text


def _choice(field: Field, value: object, path: str, errors: dict[str, str]) -> str:
    if value not in dict(field.choices):
        raise ValueError(_("Choose one of: %(names)s.") % {"names": ", ".join(dict(field.choices))})
    return str(value)


def _metric(field: Field, value: object, path: str, errors: dict[str, str]) -> str:
    """A name that nobody measures any more stays: evidence says that it is unknown."""
    text = _line(field, value, path, errors)
    if not re.fullmatch(r"[a-z][a-z0-9.-]{0,49}", text):
        raise ValueError(_("This is not the name of a metric."))
    return text


def _listed(value: object) -> Sequence[Any]:
    if not isinstance(value, list):
        raise ValueError(_("This has to be a list."))
    if len(value) > kinds.ROWS_AT_MOST:
        raise ValueError(_("At most %(count)d entries.") % {"count": kinds.ROWS_AT_MOST})
    return value


def _lines(field: Field, value: object, path: str, errors: dict[str, str]) -> list[str]:
    cleaned = [_line(field, each, path, errors) for each in _listed(value)]
    return [each for each in cleaned if each]


def _rows(field: Field, value: object, path: str, errors: dict[str, str]) -> list[dict[str, Any]]:
    rows = []
    for number, row in enumerate(_listed(value)):
        place = f"{path}.{number}"
        if not isinstance(row, dict):
            raise ValueError(_("Each entry has to be an object."))
        for name in set(row) - {each.name for each in field.columns}:
            errors[f"{place}.{str(name)[:50]}"] = _("There is no such field.")
        cleaned = {
            each.name: _clean(each, row.get(each.name), f"{place}.{each.name}", errors)
            for each in field.columns
        }
        if any(cleaned.values()):
            rows.append(cleaned)
    return rows


def _topics(field: Field, value: object, path: str, errors: dict[str, str]) -> list[dict[str, Any]]:
    """Topics with numbered lines; numbers are anchors, so a number is used once."""
    topics = []
    for topic in _listed(value):
        if not isinstance(topic, dict) or set(topic) - {"number", "title", "lines"}:
            raise ValueError(_("A topic has a number, a title and lines."))
        lines = []
        for line in topic.get("lines", []):
            if not isinstance(line, dict) or set(line) - {"number", "speaker", "text"}:
                raise ValueError(_("A line has a number, a speaker and a text."))
            text = _text(line.get("text", ""), kinds.PROSE_LENGTH).strip()
            speaker = " ".join(_text(line.get("speaker", ""), 50).split())
            lines.append({"number": line.get("number"), "speaker": speaker, "text": text})
        title = " ".join(_text(topic.get("title", ""), kinds.LINE_LENGTH).split())
        topics.append({"number": topic.get("number"), "title": title, "lines": _numbered(lines)})
    return _numbered(topics)


def _numbered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without a number get the next that is free; one that occurs twice is refused."""
    used = [row["number"] for row in rows if row["number"] is not None]
    if any(not isinstance(each, int) or isinstance(each, bool) or each < 1 for each in used):
        raise ValueError(_("Numbers of topics and lines begin with 1."))
    if len(set(used)) != len(used):
        raise ValueError(_("The number %(number)s occurs twice.") % {"number": max(used)})
    last = max(used, default=0)
    for row in rows:
        if row["number"] is None:
            last += 1
            row["number"] = last
    return rows


_CLEANERS: dict[str, Callable[[Field, Any, str, dict[str, str]], Any]] = {
    kinds.LINE: _line,
    kinds.PROSE: _prose,
    kinds.DATE: _day,
    kinds.NUMBER: _number,
    kinds.FLAG: _flag,
    kinds.URL: _url,
    kinds.CHOICE: _choice,
    kinds.METRIC: _metric,
    kinds.LINES: _lines,
    kinds.ROWS: _rows,
    kinds.TOPICS: _topics,
}


def split_line(text: str) -> dict[str, Any]:
    """ "AB: Yes" as speaker and text; a line without a speaker has an empty one."""
    match = _SPEAKER.fullmatch(text.strip())
    speaker, said = (match[1], match[2]) if match else ("", text.strip())
    return {"number": None, "speaker": speaker, "text": said}


def join_line(line: Mapping[str, Any]) -> str:
    return f"{line['speaker']}: {line['text']}" if line["speaker"] else line["text"]


def notes_of(text: str) -> list[dict[str, Any]]:
    """Pasted notes as topics: "# Title" begins one, each other line is said in it."""
    topics: list[dict[str, Any]] = []
    for line in text.replace("\r", "").split("\n"):
        if line.startswith("#"):
            topics.append({"number": None, "title": line.lstrip("# ").strip(), "lines": []})
        elif line.strip():
            if not topics:
                topics.append({"number": None, "title": "", "lines": []})
            topics[-1]["lines"].append(split_line(line))
    return topics


def keep_numbers(
    before: Sequence[Mapping[str, Any]], after: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Give edited lines the numbers that they had: lines that stayed, or were changed in place."""
    old, new = [join_line(line) for line in before], [join_line(line) for line in after]
    used = max((line["number"] for line in before), default=0)
    for tag, old_from, old_to, new_from, new_to in SequenceMatcher(
        None, old, new, autojunk=False
    ).get_opcodes():
        if tag == "delete":
            continue
        for offset in range(new_to - new_from):
            is_kept = tag != "insert" and old_from + offset < old_to
            if is_kept:
                after[new_from + offset]["number"] = before[old_from + offset]["number"]
            else:
                used += 1
                after[new_from + offset]["number"] = used
    return after


def line_at(notes: Sequence[Mapping[str, Any]], anchor: str) -> Mapping[str, Any] | None:
    """The line of an anchor such as "t4.l7"."""
    match = re.fullmatch(r"t(\d+)\.l(\d+)", anchor)
    if match is None:
        return None
    for topic in notes:
        if topic["number"] == int(match[1]):
            for line in topic["lines"]:
                if line["number"] == int(match[2]):
                    return line
    return None
