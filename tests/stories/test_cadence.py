"""Where upgrade policies lead."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stories import cadence
from stories.checks import upstream

START = date(2022, 12, 13)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("pace", "after_one", "after_two", "first", "share"),
    [
        (1, "1.22", "1.23", None, 0),
        (2, "1.23", "1.25", None, 0),
        (3, "1.24", "1.27", None, 0),
        (4, "1.25", "1.29", date(2024, 6, 13), 36),
        (5, "1.26", "1.31", date(2023, 7, 19), 67),
        (7, "1.28", "1.31", date(2023, 5, 17), 83),
    ],
)
def test_what_a_pace_comes_to(catalogue, pace, after_one, after_two, first, share):
    seen = cadence.outlook(upstream(), version=(1, 21), start=START, upgrades_per_year=pace)

    def running_on(day):
        return [step.release.name for step in seen.steps if step.on <= day][-1]

    assert running_on(date(2023, 12, 13)) == after_one
    assert running_on(date(2024, 12, 13)) == after_two
    assert seen.first_supported == first
    assert round(seen.supported_share * 100) == share
    assert (seen.lag, seen.days_past) == (5, 168)


RELEASES = st.lists(
    st.tuples(st.dates(date(2020, 1, 1), date(2024, 1, 1)), st.integers(100, 500)),
    min_size=1,
    max_size=10,
).map(
    lambda found: [
        cadence.Release((1, 20 + number), day, date.fromordinal(day.toordinal() + days))
        for number, (day, days) in enumerate(sorted(found))
    ]
)


@given(RELEASES, st.floats(0, 24), st.dates(date(2021, 1, 1), date(2023, 1, 1)))
def test_no_version_is_left_out_and_none_is_run_before_its_release(releases, pace, start):
    seen = cadence.outlook(releases, version=(1, 20), start=start, upgrades_per_year=pace)
    minors = [step.release.minor[1] for step in seen.steps]
    assert minors == list(range(20, 20 + len(minors)))
    assert all(step.release.released_on <= step.on for step in seen.steps[1:])
    assert [step.on for step in seen.steps] == sorted(step.on for step in seen.steps)
    assert 0 <= seen.supported_share <= 1
    assert seen.never_catches_up == (seen.supported_share == 0)


@pytest.mark.parametrize(
    ("text", "minor"),
    [("1.21", (1, 21)), ("v1.16.15", (1, 16)), ("1.22/1.23", (1, 22)), ("n-1", None)],
)
def test_versions_as_people_write_them(text, minor):
    assert cadence.minor_of(text) == minor


def test_the_last_day_of_a_short_month():
    assert cadence.months_after(date(2024, 1, 31), 1) == date(2024, 2, 29)
    assert cadence.months_after(date(2023, 11, 30), 3) == date(2024, 2, 29)
