"""REST over many records, and what ends one: what the pages can do, programs can."""

from datetime import date, timedelta

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from portal.tools.operations import register_tool
from stories.models import Baseline, Notification, Record
from stories.operations import add_link, edit_record, move
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
URL = "/api/v1/"


@pytest.fixture
def api(api_of, wanda):
    return api_of(wanda)


@pytest.fixture
def visitor():
    return APIClient()


def test_the_matrix_names_the_features_of_each_story(catalogue, visitor):
    rows = visitor.get(f"{URL}matrix/").json()["results"]
    by_story = {row["story"]: row["features"] for row in rows}
    assert by_story["US-11"] == []
    assert any(by_story.values())
    gaps = visitor.get(f"{URL}matrix/?gaps=1").json()["results"]
    assert {row["story"] for row in gaps} == {f"US-{n}" for n in (11, 13, 14, 15, 16)}


def test_the_matrix_asks_as_much_for_many_as_for_few(record_of, visitor, django_assert_num_queries):
    def fill(count):
        for number in range(count):
            story = record_of("US", f"Story {number}")
            add_link(story, "implemented_by", record_of("FT", "F"), by=None, at=NOW)

    fill(2)
    with django_assert_num_queries(2):
        visitor.get(f"{URL}matrix/")
    fill(10)
    with django_assert_num_queries(2):
        assert len(visitor.get(f"{URL}matrix/").json()["results"]) == 12


def test_whom_the_end_of_a_feature_would_meet(record_of, visitor, alice):
    record_of("FT", metric="tools")
    record_of("FT", metric="")
    register_tool("hat", by=alice, at=NOW, title="Hat")
    use = visitor.get(f"{URL}features/FT-1/use/").json()
    assert use == [{"tool": "hat", "maintainers": ["alice"]}]
    assert visitor.get(f"{URL}features/FT-2/use/").json() == []
    assert visitor.get(f"{URL}features/US-1/use/").status_code == 404


def test_a_moment_is_named_once(api, api_of, alice, visitor):
    assert api.post(f"{URL}baselines/", {"name": "First", "note": "n"}).status_code == 201
    assert api.post(f"{URL}baselines/", {"name": "First"}).status_code in (400, 422)
    assert api_of(alice).post(f"{URL}baselines/", {"name": "Mine"}).status_code == 403
    assert visitor.post(f"{URL}baselines/", {"name": "X"}).status_code == 401
    assert [each["name"] for each in visitor.get(f"{URL}baselines/").json()["results"]] == ["First"]
    assert Baseline.objects.get().created_by.username == "wanda"


def test_following_a_record_and_what_is_told(api, api_of, alice, record_of, wanda):
    record_of("FT")
    follower = api_of(alice)
    assert follower.put(f"{URL}records/FT-1/watch/", {"level": "all"}).status_code == 200
    assert follower.put(f"{URL}records/FT-1/watch/", {"level": "shout"}).status_code == 400
    edit_record(Record.objects.get(), by=wanda, at=NOW, version=1, title="Other")
    (told,) = follower.get(f"{URL}notifications/").json()["results"]
    assert (told["record"], told["read_at"]) == ("FT-1", None)
    assert api.get(f"{URL}notifications/").json()["results"] == []
    assert follower.delete(f"{URL}notifications/").status_code == 204
    assert not Notification.objects.filter(read_at=None).exists()
    silenced = follower.put(f"{URL}records/FT-1/watch/", {"level": ""})
    assert (silenced.status_code, silenced.json()) == (200, {"level": "mentions"})
    assert follower.get(f"{URL}records/FT-1/watch/").json() == {"level": "mentions"}


def test_notes_are_taken_line_by_line(api, visitor, wanda, record_of):
    meeting = record_of("MT", date="2026-11-24")
    refused = api.post(f"{URL}records/MT-1/minutes/", {"text": "W: too early"})
    assert refused.status_code == 422
    move(meeting, "in_progress", by=wanda, at=NOW)
    first = api.post(f"{URL}records/MT-1/minutes/", {"title": "Grid", "text": "W: it must go"})
    assert first.status_code == 201, first.json()
    api.post(f"{URL}records/MT-1/minutes/", {"text": "A: when?", "topic": first.json()[0]["topic"]})
    lines = visitor.get(f"{URL}records/MT-1/minutes/").json()
    assert [(each["number"], each["speaker"], each["text"]) for each in lines] == [
        (1, "W", "it must go"),
        (2, "A", "when?"),
    ]
    assert visitor.post(f"{URL}records/MT-1/minutes/", {"text": "x"}).status_code == 401


def test_a_record_ends_with_a_reason(api, api_of, alice, ada, record_of):
    record_of("FT")
    lead = api_of(ada)
    assert api.post(f"{URL}records/FT-1/delete/", {}).status_code == 400
    assert api_of(alice).post(f"{URL}records/FT-1/delete/", {"reason": "x"}).status_code == 403
    assert lead.post(f"{URL}records/FT-1/delete/", {"reason": "made twice"}).status_code == 204
    assert lead.post(f"{URL}records/FT-1/delete/", {"reason": "again"}).status_code == 404


def test_one_record_stands_for_another(api, api_of, ada, record_of, visitor):
    for title in ("One", "Two"):
        record_of("FT", title)
    assert api.post(f"{URL}records/FT-2/merge/", {"into": "FT-9"}).status_code == 422
    assert api.post(f"{URL}records/FT-2/merge/", {"into": "FT-1"}).status_code == 403
    merged = api_of(ada).post(f"{URL}records/FT-2/merge/", {"into": "FT-1"})
    assert merged.json()["ident"] == "FT-1"
    assert visitor.get(f"{URL}records/FT-2/").status_code == 308


def test_a_link_to_what_changed_is_confirmed(api, wanda, record_of):
    story, feature = record_of("US"), record_of("FT")
    link = add_link(story, "implemented_by", feature, by=wanda, at=NOW)
    edit_record(Record.objects.get(pk=feature.pk), by=wanda, at=NOW, version=1, title="Other")
    assert api.get(f"{URL}records/US-1/links/").json()[0]["is_suspect"] is True
    place, read = f"{URL}records/US-1/links/{link.pk}/confirm/", {"If-Match": '"FT-1.v2"'}
    assert api.post(place).status_code == 428
    for other in ('"FT-1.v1"', '"FT-1.v3"', '"US-1.v2"'):
        assert api.post(place, headers={"If-Match": other}).status_code == 412
    assert api.get(f"{URL}records/US-1/links/").json()[0]["is_suspect"] is True
    assert api.post(place, headers=read).status_code == 204
    assert api.get(f"{URL}records/US-1/links/").json()[0]["is_suspect"] is False
    other_end = f"{URL}records/FT-1/links/{link.pk}/confirm/"
    assert api.post(other_end, headers=read).status_code == 404


def test_only_an_administrator_hides_a_text(api, api_of, ada, record_of, visitor):
    record = record_of("FT", "Somebody's secret")
    edit_record(record, by=ada, at=NOW, version=1, title="Nothing secret")
    place = f"{URL}records/FT-1/revisions/1/suppress/"
    assert api.post(place, {"reason": "private"}).status_code == 403
    assert api_of(ada).post(place, {"reason": "private"}).status_code == 204
    assert visitor.get(f"{URL}records/FT-1/revisions/1/").json()["snapshot"] is None


def test_confirming_again_needs_an_agreed_rationale_and_a_day(api, catalogue):
    day = (date.today() + timedelta(days=100)).isoformat()
    assert api.post(f"{URL}records/RA-2/reconfirm/", {"review_by": "soon"}).status_code == 400
    refused = api.post(f"{URL}records/RA-2/reconfirm/", {"review_by": day})
    assert refused.status_code in (403, 422)


def test_the_checks_run_as_a_command(catalogue, capsys):
    call_command("check_records")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 41
    assert any(line.startswith("RA-2: ") for line in lines)
    call_command("check_records", code="feature-unjustified")
    assert capsys.readouterr().out.startswith("FT-6: ")
    with pytest.raises(CommandError, match="41 findings"):
        call_command("check_records", fail=True)
