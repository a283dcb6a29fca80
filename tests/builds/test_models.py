"""Status moves by a table, one mover at a time."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from builds.models import Build
from builds.operations import Source, start_build
from builds.states import Status
from builds.tasks import wake
from tests.conftest import NOW


@pytest.fixture
def build(hat, alice):
    return start_build(hat, by=alice, source=Source("https://git.example.org/a"), at=NOW)[0]


def test_only_the_first_of_two_movers_wins(build):
    other = Build.objects.get(pk=build.pk)
    assert build.move_to(Status.RUNNING, at=NOW) is True
    assert other.move_to(Status.CANCELLED, at=NOW) is False
    assert build.moves.count() == 1


def test_a_final_state_stays_final(build):
    build.move_to(Status.CANCELLED, at=NOW)
    with pytest.raises(ValueError, match="cannot move"):
        build.move_to(Status.RUNNING, at=NOW)


def test_the_database_refuses_an_unknown_status(build):
    with pytest.raises(IntegrityError), transaction.atomic():
        Build.objects.filter(pk=build.pk).update(status="strange")


def test_a_look_can_be_claimed_once(build):
    lease = timedelta(seconds=10)
    assert Build.objects.claim(build.pk, now=NOW, lease=lease) == build
    assert Build.objects.claim(build.pk, now=NOW, lease=lease) is None
    assert Build.objects.claim(build.pk, now=NOW + lease, lease=lease) == build


def test_who_is_woken_during_a_look_is_looked_at_once_more(build):
    lease = timedelta(seconds=10)
    claimed = Build.objects.claim(build.pk, now=NOW, lease=lease)
    for number in (1, 2):
        later = NOW + timedelta(seconds=number)
        wake([build.pk], now=later)
        assert Build.objects.claim(build.pk, now=later, lease=lease) is None
    assert claimed.look_again(NOW + timedelta(hours=1)) is False
    again = Build.objects.claim(build.pk, now=later, lease=lease)
    assert again.look_again(NOW + timedelta(hours=2)) is True
    build.refresh_from_db()
    assert build.next_look_at == NOW + timedelta(hours=2)
    assert build.busy_until is None


def test_a_look_that_did_not_end_in_time_changes_nothing_of_the_next(build):
    lease = timedelta(seconds=10)
    slow = Build.objects.claim(build.pk, now=NOW, lease=lease)
    later = NOW + lease
    assert list(Build.objects.overdue(later)) == [build]
    Build.objects.claim(build.pk, now=later, lease=lease)
    assert list(Build.objects.overdue(later)) == []
    assert slow.look_again(None) is False
    build.refresh_from_db()
    assert (build.next_look_at, build.busy_until) == (NOW, later + lease)


def test_a_lost_alarm_is_found(build):
    assert list(Build.objects.overdue(NOW + timedelta(seconds=1))) == [build]
    Build.objects.update(next_look_at=None)
    assert not Build.objects.overdue(NOW + timedelta(days=1)).exists()


def test_a_build_knows_its_name_label_and_duration(build):
    assert (str(build), build.label, build.duration) == ("hat-1", "Queued", None)
    build.ask_to_stop(Status.CANCELLED, reason_code="cancelled", reason="", at=NOW)
    assert (build.label, build.is_stopping) == ("Stopping", True)
    build.started_at, build.finished_at = NOW, NOW + timedelta(seconds=3)
    assert build.duration == timedelta(seconds=3)
