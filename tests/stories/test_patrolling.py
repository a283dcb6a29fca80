"""Changes that somebody else than their author has looked at."""

from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from stories.models import Revision
from stories.operations import NotAllowed, patrol
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
URL = "/api/v1/"


@pytest.fixture
def change(record_of):
    return record_of("US", "Fly").revisions.get()


def test_a_contributor_other_than_the_author_looks_at_a_change(change, wanda, ada, alice):
    for by in (wanda, alice):
        with pytest.raises(NotAllowed):
            patrol(change, by=by, at=NOW)
    assert list(Revision.objects.unpatrolled()) == [change]
    patrol(change, by=ada, at=NOW)
    assert not Revision.objects.unpatrolled().exists()


def test_the_first_mark_stays(change, ada, alice):
    patrol(change, by=ada, at=NOW)
    alice.is_workgroup = True
    patrol(change, by=alice, at=NOW + timedelta(hours=1))
    change.refresh_from_db()
    assert (change.patrolled_by, change.patrolled_at) == (ada, NOW)


def test_what_the_portal_wrote_needs_no_eyes(catalogue):
    assert Revision.objects.exists()
    assert not Revision.objects.unpatrolled().exists()


def test_the_page_of_a_change_takes_the_mark(change, client_of, ada, wanda):
    page = "/r/US-1/-/diff?to=1"
    assert "I have looked at this" not in client_of(wanda).get(page).content.decode()
    reviewer = client_of(ada)
    assert "I have looked at this" in reviewer.get(page).content.decode()
    assert "US-1" in reviewer.get("/stories/changes/?unpatrolled=1").content.decode()
    answer = reviewer.post("/r/US-1/-/patrol/1", follow=True)
    assert "Looked at by" in answer.content.decode()
    empty = reviewer.get("/stories/changes/?unpatrolled=1").content.decode()
    assert "Somebody has looked at every change." in empty
    assert "looked at by ada" in reviewer.get("/r/US-1/-/history").content.decode()
    assert reviewer.post("/r/US-1/-/patrol/9").status_code == 404


def test_over_rest_too(change, api_of, ada, wanda, alice):
    visitor = APIClient()
    (row,) = visitor.get(f"{URL}changes/?unpatrolled=1").json()["results"]
    assert (row["record"], row["number"], row["patrolled_by"]) == ("US-1", 1, None)
    place = f"{URL}records/US-1/revisions/1/patrol/"
    assert visitor.post(place).status_code == 401
    assert api_of(alice).post(place).status_code == 403
    assert api_of(wanda).post(place).json()["type"] == "/problems/not-allowed"
    assert api_of(ada).post(place).status_code == 204
    assert visitor.get(f"{URL}changes/?unpatrolled=1").json()["results"] == []
    assert visitor.get(f"{URL}changes/").json()["results"][0]["patrolled_by"] == "ada"
