"""Output of which each line begins with its time."""

from datetime import UTC, datetime

import pytest

from portal.cluster.stamps import second_of, stamped_lines


@pytest.mark.parametrize(
    ("stamp", "nanoseconds"),
    [
        (b"2026-01-01T00:00:00.123456789Z", 1767225600_123456789),
        (b"2026-01-01T00:00:00.5Z", 1767225600_500000000),
        (b"2026-01-01T00:00:00Z", 1767225600_000000000),
        (b"2026-01-01T02:00:00.000000001+02:00", 1767225600_000000001),
        (b"no-time", 0),
        (b"", 0),
    ],
)
def test_times_are_read_to_the_nanosecond(stamp, nanoseconds):
    assert stamped_lines(stamp + b" x\n") == [(nanoseconds, b"x\n")]


def test_a_line_that_is_not_complete_counts_only_if_nothing_comes_after_it():
    raw = b"2026-01-01T00:00:00Z one\n2026-01-01T00:00:00Z tw"
    assert [line for _time, line in stamped_lines(raw)] == [b"one\n"]
    assert [line for _time, line in stamped_lines(raw, with_rest=True)] == [b"one\n", b"tw\n"]
    assert stamped_lines(b"", with_rest=True) == []


def test_a_cluster_is_asked_for_whole_seconds():
    assert second_of(0) is None
    assert second_of(1767225600_999999999) == datetime(2026, 1, 1, tzinfo=UTC)
