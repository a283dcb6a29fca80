"""The file of a record: Markdown with front matter in YAML, and back without loss.

The front matter holds the title, the status, fields and links; prose follows, each field under a
line `<!-- field: name -->`. Keys and links stand in a fixed order, so that a change of a line is a
change of a line.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from django.utils.translation import gettext as _

from stories.kinds import KINDS, LINK_TYPES, PROSE, ROWS, split_ident
from stories.schema import Invalid, clean, clean_title

BYTES_AT_MOST = 2 * 1024**2
_MARK = re.compile(r"^<!-- field: ([a-z_]+) -->$", re.MULTILINE)
# What the front matter says besides fields and links.
KEYS = (
    "uid", "title", "status", "status_reason", "look_again_on", "superseded_by", "merged_into",
    "is_deleted", "source", "anchor", "quote", "certainty",
)  # fmt: skip


class BadFile(Exception):
    """A file that cannot be read as a record: which, in which line, and what is wrong."""

    def __init__(self, name: str, line: int, sentence: str) -> None:
        super().__init__(f"{name}:{line}: {sentence}")
        self.name, self.line, self.sentence = name, line, sentence


class _Dumper(yaml.SafeDumper):
    """Block style throughout, texts of several lines as literal blocks."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text and not re.search(r"[ \t]\n|^\s|[^\S\n]$", text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def to_markdown(snapshot: Mapping[str, Any], version: int | None = None) -> str:
    """A snapshot as the text of a file; `version` lets an import merge with later edits."""
    kind = KINDS[snapshot["ident"].split("-")[0]]
    front: dict[str, Any] = {"record": snapshot["ident"]}
    if version:
        front["revision"] = version
    front |= {name: snapshot[name] for name in KEYS if snapshot.get(name)}
    fields = snapshot["fields"]
    body = []
    for each in kind.all_fields:
        value = fields.get(each.name, each.empty)
        if value == each.empty:
            continue
        if each.type == PROSE:
            body.append(f"<!-- field: {each.name} -->\n\n{_escape(value)}\n")
        else:
            front[each.name] = _sparse(value) if each.type == ROWS else value
    if snapshot["links"]:
        front["links"] = snapshot["links"]
    text = yaml.dump(
        front, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=10**9, indent=2
    )
    return "---\n" + text + "---\n" + "".join(f"\n{part}" for part in body)


def _sparse(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without what is empty in them."""
    return [
        {name: value for name, value in row.items() if value or (value == 0 and value is not False)}
        for row in rows
    ]


def _escape(prose: str) -> str:
    return re.sub(r"^(\\*<!-- field:)", r"\\\1", prose, flags=re.MULTILINE)


def _unescape(prose: str) -> str:
    return re.sub(r"^\\(\\*<!-- field:)", r"\1", prose, flags=re.MULTILINE)


def file_name(ident: str) -> str:
    """Where a record's file is below the directory of an export."""
    kind, number = ident.split("-")
    return f"{KINDS[kind].slug}/{kind}-{int(number):04}.md"


@dataclass
class Draft:
    """A record as a file has it, before it is compared with what is there."""

    name: str
    ident: str
    front: dict[str, Any]
    fields: dict[str, Any]
    links: list[dict[str, str]]
    # The version that the file was exported from; None if it does not say.
    version: int | None

    @property
    def key(self) -> tuple[str, int]:
        found = split_ident(self.ident)
        assert found
        return found


def parse(name: str, data: bytes) -> Draft:
    """Read a file. Raises BadFile with the line of what is wrong."""
    text = _decoded(name, data)
    head, body = _parted(name, text)
    front = _front_matter(name, head)
    ident = str(front.pop("record", ""))
    key = split_ident(ident)
    if key is None:
        raise BadFile(name, 2, _("“record” has to be an ident such as FT-2."))
    prose = _prose(name, body, head.count("\n") + 4)
    links = front.pop("links", None) or []
    version = front.pop("revision", None)
    if not _is_version(version):
        raise BadFile(name, _line_of(text, "revision:"), _("The revision has to be a number."))
    known = {each.name: each for each in KINDS[key[0]].all_fields}
    fields = {each: front.pop(each) for each in list(front) if each in known}
    _refuse_unknown(name, text, front, prose, {each for each in known if known[each].type == PROSE})
    draft = Draft(name, ident, front, fields | prose, links, version)
    _check(draft, text)
    return draft


def _decoded(name: str, data: bytes) -> str:
    if len(data) > BYTES_AT_MOST:
        raise BadFile(name, 1, _("The file is larger than 2 MB."))
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadFile(name, line, _("This is not UTF-8.")) from error


def _parted(name: str, text: str) -> tuple[str, str]:
    if not text.startswith("---\n"):
        raise BadFile(name, 1, _("The file has to begin with a line of three dashes."))
    head, found, body = text[4:].partition("\n---\n")
    if not found:
        raise BadFile(name, 1, _("The front matter does not end with a line of three dashes."))
    return head, body


def _is_version(given: object) -> bool:
    return given is None or (isinstance(given, int) and given >= 1)


def _refuse_unknown(
    name: str, text: str, front: Mapping[str, Any], prose: Mapping[str, str], texts: set[str]
) -> None:
    for unknown in prose.keys() - texts:
        line = _line_of(text, f"<!-- field: {unknown} -->")
        raise BadFile(name, line, _("There is no text field “%s”.") % unknown)
    for unknown in front.keys() - set(KEYS):
        raise BadFile(name, _line_of(text, f"{unknown}:"), _("There is no field “%s”.") % unknown)


def _front_matter(name: str, head: str) -> dict[str, Any]:
    try:
        front = yaml.load(head, Loader=_Loader)  # nosec B506 - a safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadFile(name, mark.line + 2 if mark else 1, error.problem or str(error)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadFile(name, 2, str(error)) from error
    if not isinstance(front, dict):
        raise BadFile(name, 2, _("The front matter has to be names with values."))
    return {str(key): value for key, value in front.items()}


class _Loader(yaml.SafeLoader):
    """Days stay texts; aliases, with which a small file can become a huge one, are refused."""

    def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(
                problem=_("Aliases are not allowed"), problem_mark=event.start_mark
            )
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _prose(name: str, body: str, first_line: int) -> dict[str, str]:
    marks = list(_MARK.finditer(body))
    starts = [*(each.start() for each in marks), len(body)]
    if stray := re.search(r"\S", body[: starts[0]]):
        line = first_line + body.count("\n", 0, stray.start())
        raise BadFile(name, line, _("Text has to stand below <!-- field: name -->."))
    fields: dict[str, str] = {}
    for mark, end in zip(marks, starts[1:], strict=True):
        if mark[1] in fields:
            line = first_line + body.count("\n", 0, mark.start())
            raise BadFile(name, line, _("The field “%s” stands twice.") % mark[1])
        fields[mark[1]] = _unescape(body[mark.end() : end].strip("\n"))
    return fields


def _line_of(text: str, words: str) -> int:
    place = text.find(words)
    return text[: max(place, 0)].count("\n") + 1


def _check(draft: Draft, text: str) -> None:
    """Everything about a file that can be said without the others."""
    kind = KINDS[draft.key[0]]
    front = draft.front
    try:
        front["title"] = clean_title(front.get("title"))
        draft.fields = clean(kind, draft.fields)
    except Invalid as error:
        path, sentence = next(iter(error.errors.items()))
        line = _line_of(text, f"{path.split('.')[0]}:")
        raise BadFile(draft.name, line, f"{path}: {sentence}") from error
    status = front.setdefault("status", kind.first_status)
    if status not in kind.statuses:
        names = ", ".join(kind.statuses)
        line = _line_of(text, "status:")
        raise BadFile(draft.name, line, _("The status has to be one of: %s.") % names)
    line = _line_of(text, "links:")
    if not isinstance(draft.links, list):
        raise BadFile(draft.name, line, _("“links” has to be a list."))
    for link in draft.links:
        keys = set(link) if isinstance(link, dict) else set()
        if not {"type", "to"} <= keys <= {"type", "to", "anchor", "quote", "note"}:
            raise BadFile(draft.name, line, _("A link has a type and “to”."))
        if link["type"] not in LINK_TYPES or split_ident(str(link["to"])) is None:
            raise BadFile(draft.name, line, _("This link is not known: %s.") % link)
