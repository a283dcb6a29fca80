"""Merging two edits of one text or one record, by what both began with."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

MINE, BETWEEN, THEIRS = "<<<<<<< mine", "=======", ">>>>>>> theirs"


@dataclass(frozen=True)
class Merged:
    """The merged lines; where both sides changed the same place both stand between marks."""

    lines: list[str]
    conflicts: int


def _matches(base: Sequence[str], other: Sequence[str]) -> dict[int, int]:
    """Which line of `other` each unchanged line of `base` is."""
    found = {}
    for block in SequenceMatcher(None, base, other, autojunk=False).get_matching_blocks():
        for offset in range(block.size):
            found[block.a + offset] = block.b + offset
    return found


def diff3(base: Sequence[str], mine: Sequence[str], theirs: Sequence[str]) -> Merged:
    """Three-way merge by lines, as GNU diff3 does it."""
    in_mine, in_theirs = _matches(base, mine), _matches(base, theirs)
    stable = [line for line in range(len(base)) if line in in_mine and line in in_theirs]
    lines: list[str] = []
    conflicts = 0
    at_base = at_mine = at_theirs = 0
    for line in [*stable, len(base)]:
        end_mine = in_mine.get(line, len(mine))
        end_theirs = in_theirs.get(line, len(theirs))
        part = list(base[at_base:line])
        ours, others = list(mine[at_mine:end_mine]), list(theirs[at_theirs:end_theirs])
        if ours in (part, others):
            lines += others
        elif others == part:
            lines += ours
        else:
            lines += [MINE, *ours, BETWEEN, *others, THEIRS]
            conflicts += 1
        if line < len(base):
            lines.append(base[line])
        at_base, at_mine, at_theirs = line + 1, end_mine + 1, end_theirs + 1
    return Merged(lines, conflicts)


@dataclass(frozen=True)
class Clash:
    """A field that both sides changed in ways that do not go together.

    `merged` is the text with marks, or None where the value is not a text.
    """

    field: str
    base: Any
    theirs: Any
    mine: Any
    merged: str | None


@dataclass(frozen=True)
class MergedFields:
    values: dict[str, Any]
    clashes: list[Clash]


def merge_fields(
    base: Mapping[str, Any], theirs: Mapping[str, Any], mine: Mapping[str, Any]
) -> MergedFields:
    """Merge field by field; where it clashes the value is mine, and the clash is listed."""
    values: dict[str, Any] = {}
    clashes = []
    for name in mine:
        was, other, own = base.get(name), theirs.get(name), mine[name]
        values[name] = own
        if own == was:
            values[name] = other
        elif other not in (was, own):
            merged = _merge_value(was, other, own)
            if merged is not None and not merged.conflicts:
                values[name] = _unlined(merged.lines, own)
            else:
                text = "\n".join(merged.lines) if merged and isinstance(own, str) else None
                clashes.append(Clash(name, was, other, own, text))
    return MergedFields(values, clashes)


def _merge_value(base: Any, theirs: Any, mine: Any) -> Merged | None:  # noqa: ANN401
    """None for values that are not made of lines."""
    if isinstance(mine, list):
        return diff3(_lined(base or []), _lined(mine), _lined(theirs or []))
    if isinstance(mine, str) and "\n" in f"{base}{theirs}{mine}":
        return diff3(str(base or "").split("\n"), mine.split("\n"), str(theirs or "").split("\n"))
    return None


def _lined(rows: Sequence[Any]) -> list[str]:
    return [json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows]


def _unlined(lines: Sequence[str], like: Any) -> Any:  # noqa: ANN401
    return [json.loads(line) for line in lines] if isinstance(like, list) else "\n".join(lines)
