"""What revisions hold, read as the portal of today writes it.

A snapshot is a plain dict in the form of the portal that wrote it. Whoever changes that form (the
keys of `Record.snapshot`, or the fields of a kind) appends the function that makes the new form of
the one before; the rows of records follow in a migration, which may call the same function.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from django.utils.translation import gettext as _

from portal.refusals import Refused

# The first makes version 2 of version 1, in place; the kind is told by "ident".
UPGRADES: list[Callable[[dict[str, Any]], None]] = []


class TooNew(Refused):
    """A newer portal wrote this; to guess what it means would be to misread it."""


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Names of what differs between two snapshots; those of `fields` with their prefix."""
    names = [name for name in after if name != "fields" and before.get(name) != after[name]]
    old, new = before.get("fields", {}), after["fields"]
    if not isinstance(new, dict):
        return [*names, "fields"]
    return names + [f"fields.{name}" for name in {**old, **new} if old.get(name) != new.get(name)]


def version() -> int:
    """Of the snapshots that are written today."""
    return 1 + len(UPGRADES)


def refusal(written: int) -> str:
    """Why a snapshot of that version cannot be read; empty if it can."""
    if written <= version():
        return ""
    sentence = _(
        "A newer portal wrote this version, in form %(written)d; this one reads up to form "
        "%(known)d. Bring the portal up to date to read it."
    )
    return sentence % {"written": written, "known": version()}


def read(stored: Mapping[str, Any], written: int) -> dict[str, Any]:
    """A snapshot in today's form; what is stored stays as it is. Raises TooNew."""
    if sentence := refusal(written):
        raise TooNew(sentence)
    upgrades = UPGRADES[written - 1 :]
    snapshot = deepcopy(dict(stored)) if upgrades else dict(stored)
    for upgrade in upgrades:
        upgrade(snapshot)
    return snapshot
