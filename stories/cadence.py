"""Where an upgrade policy leads: plain arithmetic over upstream's releases."""

import calendar
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

YEARS = 3


@dataclass(frozen=True, order=True)
class Release:
    """An upstream minor release; `end_of_life` is None where it is not known."""

    minor: tuple[int, int]
    released_on: date | None
    end_of_life: date | None

    @property
    def name(self) -> str:
        return f"{self.minor[0]}.{self.minor[1]}"


@dataclass(frozen=True)
class Step:
    """From this day on the cluster runs `release`."""

    on: date
    release: Release


@dataclass(frozen=True)
class Outlook:
    """What comes of a policy within YEARS.

    `lag` is in minor versions at the start; `days_past` is negative while there is time left, None
    if the end of life is not known. `first_supported` is None for a policy that never catches up.
    `supported_share` is of the days, between 0 and 1.
    """

    steps: tuple[Step, ...]
    lag: int
    days_past: int | None
    first_supported: date | None
    supported_share: float
    end: date

    @property
    def never_catches_up(self) -> bool:
        return self.first_supported is None


def minor_of(version: str) -> tuple[int, int] | None:
    """ "v1.16.15" is (1, 16); None for what is not a version."""
    match = re.match(r"v?(\d+)\.(\d+)", version.strip())
    return (int(match[1]), int(match[2])) if match else None


def months_after(start: date, months: int) -> date:
    """The same day of a later month, or that month's last."""
    years, month = divmod(start.month - 1 + months, 12)
    year = start.year + years
    return date(year, month + 1, min(start.day, calendar.monthrange(year, month + 1)[1]))


def past_end_of_life(release: Release | None, today: date) -> int | None:
    """Days since upstream stopped supporting it; negative before, None if not known."""
    if release is None or release.end_of_life is None:
        return None
    return (today - release.end_of_life).days


def is_supported(release: Release, today: date) -> bool:
    """Until the end of its last day; unknown counts as supported."""
    return release.end_of_life is None or today <= release.end_of_life


def outlook(
    releases: Sequence[Release],
    *,
    version: tuple[int, int],
    start: date,
    upgrades_per_year: float,
    years: int = YEARS,
) -> Outlook:
    """Go up one minor at a time, evenly over the year, never beyond what is released by then."""
    known = {release.minor: release for release in releases}
    end = months_after(start, 12 * years)
    steps = [Step(start, known.get(version, Release(version, None, None)))]
    for day in _days(start, end, upgrades_per_year):
        if following := _following(steps[-1].release, known, day):
            steps.append(Step(day, following))
    spans = [*pairwise(steps), (steps[-1], Step(end, steps[-1].release))]
    supported = [_supported_days(step, after.on) for step, after in spans]
    first = next((step.on for (step, _), days in zip(spans, supported, strict=True) if days), None)
    newest = max(
        (each.minor for each in releases if each.released_on and each.released_on <= start),
        default=version,
    )
    return Outlook(
        steps=tuple(steps),
        lag=max(0, newest[1] - version[1]),
        days_past=past_end_of_life(known.get(version), start),
        first_supported=first,
        supported_share=sum(supported) / max(1, (end - start).days),
        end=end,
    )


def _following(
    current: Release, known: Mapping[tuple[int, int], Release], day: date
) -> Release | None:
    """The next minor release, if it is out by that day; a day that is not known is past."""
    major, minor = current.minor
    found = known.get((major, minor + 1))
    is_out = found is not None and (found.released_on is None or found.released_on <= day)
    return found if is_out else None


def _days(start: date, end: date, upgrades_per_year: float) -> list[date]:
    """When upgrades happen: evenly over the year, to the month and roughly to the day."""
    days: list[date] = []
    span = 12 * (end.year - start.year) + 12
    while upgrades_per_year > 0 and (due := (len(days) + 1) * 12 / upgrades_per_year) <= span:
        day = months_after(start, int(due)) + timedelta(days=round(due % 1 * 30))
        if day > end:
            break
        days.append(day)
    return days


def _supported_days(step: Step, until: date) -> int:
    if step.release.end_of_life is None:
        return (until - step.on).days
    return max(0, (min(until, step.release.end_of_life + timedelta(days=1)) - step.on).days)
