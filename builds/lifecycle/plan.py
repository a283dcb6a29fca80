"""Which buildpacks of a group take part: what one requires another must provide before it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

# Alternatives multiply; no real group comes near.
TRIALS_AT_MOST = 10_000


@dataclass(frozen=True)
class Offer:
    """One way in which a buildpack would take part."""

    provides: tuple[str, ...] = ()
    requires: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Candidate:
    """A buildpack whose detection passed, with its offer and the alternatives to it."""

    key: str
    offers: tuple[Offer, ...] = (Offer(),)
    is_optional: bool = False


@dataclass
class Entry:
    """What stands in the build plan under one name."""

    name: str
    providers: list[str] = field(default_factory=list)
    requires: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    keys: tuple[str, ...]
    entries: tuple[Entry, ...]


class InvalidPlan(Exception):
    """A sentence about what a buildpack wrote into its plan."""


def read_offers(data: Mapping[str, Any]) -> tuple[Offer, ...]:
    """The offers of a plan file. Raises InvalidPlan."""
    sections = [data, *_tables(data, "or")]
    return tuple(_offer(section) for section in sections)


def _tables(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise InvalidPlan(f"`{key}` is not a list of tables")
    return value


def _offer(section: Mapping[str, Any]) -> Offer:
    requires = _tables(section, "requires")
    for entry in [*requires, *_tables(section, "provides")]:
        if not isinstance(entry.get("name"), str):
            raise InvalidPlan("an entry has no name")
        if "version" in entry:
            raise InvalidPlan(f'"{entry["name"]}" has a "version" key, which is not supported')
    provides = tuple(entry["name"] for entry in _tables(section, "provides"))
    return Offer(provides, tuple(requires))


def resolve(candidates: Sequence[Candidate]) -> Plan | None:
    """The plan of the first combination of offers that works out; None if none does."""
    for trial in _trials(candidates):
        if plan := _try(trial):
            return plan
    return None


Chosen = tuple[Candidate, Offer, bool]


def _trials(candidates: Sequence[Candidate]) -> Iterator[list[Chosen]]:
    """Every choice of offers, the first candidate's changing slowest.

    An optional buildpack may be left out only where its last alternative is tried.
    """
    choices = [
        [
            (each, offer, each.is_optional and number == len(each.offers))
            for number, offer in enumerate(each.offers, 1)
        ]
        for each in candidates
    ]
    for number, trial in enumerate(product(*choices)):
        if number >= TRIALS_AT_MOST:
            return
        yield list(trial)


def _try(trial: list[Chosen]) -> Plan | None:
    while trial:
        entries, faulty = _walk(trial)
        if faulty is None:
            return Plan(tuple(each[0].key for each in trial), tuple(entries.values()))
        if not faulty[2]:
            return None
        trial = [each for each in trial if each is not faulty]
    return None


def _walk(trial: Sequence[Chosen]) -> tuple[dict[str, Entry], Chosen | None]:
    """The entries, and the first buildpack with a need unmet or an offer unused."""
    entries: dict[str, Entry] = {}
    pending: dict[str, list[Chosen]] = {}
    for chosen in trial:
        candidate, offer, _may_go = chosen
        for name in offer.provides:
            entries.setdefault(name, Entry(name)).providers.append(candidate.key)
            pending.setdefault(name, []).append(chosen)
        for need in offer.requires:
            if need["name"] not in entries:
                return entries, chosen
            entries[need["name"]].requires.append(need)
            pending.pop(need["name"], None)
    unused = next((chosen for many in pending.values() for chosen in many), None)
    return entries, unused
