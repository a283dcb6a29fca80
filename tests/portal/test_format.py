"""How pages write durations."""

from datetime import timedelta

import pytest

from portal.templatetags.portal_format import duration


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (timedelta(seconds=0.84), "0.8 s"),
        (timedelta(seconds=42), "42 s"),
        (timedelta(seconds=185), "3 min 5 s"),
        (timedelta(hours=2, minutes=3), "2 h 3 min"),
    ],
)
def test_a_duration_is_written_for_people(value, text):
    assert duration(value) == text
