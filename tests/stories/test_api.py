"""REST: whatever the pages can do."""

import pytest
from rest_framework.test import APIClient

from stories.models import Record
from stories.operations import edit_record
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
URL = "/api/v1/records/"


@pytest.fixture
def api(api_of, wanda):
    return api_of(wanda)


@pytest.fixture
def story(api):
    sent = {"kind": "US", "title": "Fly", "content": {"role": "bird", "goal": "fly"}}
    answer = api.post(URL, sent)
    assert answer.status_code == 201
    return answer


def test_a_record_is_made_read_and_found(story):
    assert story.headers["Location"] == "/api/v1/records/US-1/"
    assert story.headers["ETag"] == '"US-1.v1"'
    visitor = APIClient()
    answer = visitor.get(story.headers["Location"])
    assert answer.json()["content"]["role"] == "bird"
    assert answer.json()["version"] == 1
    again = visitor.get(story.headers["Location"], headers={"If-None-Match": '"US-1.v1"'})
    assert again.status_code == 304
    found = visitor.get(URL, {"q": "fly", "kind": "US", "status": "draft"}).json()["results"]
    assert [each["ident"] for each in found] == ["US-1"]
    assert visitor.get(f"{URL}US-9/").status_code == 404


def test_a_change_names_the_version_that_was_read(api, story):
    place = story.headers["Location"]
    change = {"content": {"goal": "soar"}, "summary": "higher"}
    assert api.patch(place, change).status_code == 428
    for wrong in ('"FT-1.v1"', "1", '"US-1.v"', "*"):
        assert api.patch(place, change, headers={"If-Match": wrong}).status_code == 412
    answer = api.patch(place, change, headers={"If-Match": story.headers["ETag"]})
    assert answer.headers["ETag"] == '"US-1.v2"'
    assert answer.json()["content"] == {**story.json()["content"], "goal": "soar"}


def test_an_older_version_is_merged_or_all_sides_are_shown(api, story, wanda):
    place, read = story.headers["Location"], {"If-Match": story.headers["ETag"]}
    edit_record(Record.objects.get(), by=wanda, at=NOW, version=1, fields={"goal": "soar"})
    merged = api.patch(place, {"title": "Fly high"}, headers=read)
    assert merged.json()["content"]["goal"] == "soar"
    clash = api.patch(place, {"content": {"goal": "dive"}}, headers=read)
    assert clash.status_code == 412
    (error,) = clash.json()["errors"]
    assert (error["field"], error["base"], error["theirs"], error["mine"]) == (
        "goal",
        "fly",
        "soar",
        "dive",
    )
    assert Record.objects.get().fields["goal"] == "soar"


def test_a_refused_move_lists_all_that_is_missing(api, story):
    place = story.headers["Location"]
    answer = api.post(f"{place}moves/", {"to": "proposed"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"code": "no-benefit", "field": "benefit", "detail": "“so that” is empty."}
    ]
    possible = {each["to"]: each for each in APIClient().get(f"{place}moves/").json()}
    assert possible["proposed"]["missing"] == answer.json()["errors"]
    assert possible["deferred"]["needs_date"]
    assert api.post(f"{place}moves/", {"to": "flying"}).status_code == 422


def test_links_both_ways(api, story):
    api.post(URL, {"kind": "FT", "title": "Wings"})
    place = story.headers["Location"]
    link = api.post(f"{place}links/", {"type": "implemented_by", "to": "FT-1"})
    assert link.status_code == 201
    assert api.get(f"{URL}FT-1/").json()["backlinks"] == [{"type": "implements", "to": "US-1"}]
    assert api.post(f"{place}links/", {"type": "serves", "to": "FT-1"}).status_code == 422
    assert api.post(f"{place}links/", {"type": "serves", "to": "FT-7"}).status_code == 422
    assert api.delete(f"{place}links/{link.json()['id']}/").status_code == 204
    assert api.get(f"{place}links/").json() == []


def test_history_and_restore(api, story):
    place, read = story.headers["Location"], {"If-Match": story.headers["ETag"]}
    api.patch(place, {"title": "Walk"}, headers=read)
    numbers = [each["number"] for each in api.get(f"{place}revisions/").json()["results"]]
    assert numbers == [2, 1]
    assert api.get(f"{place}revisions/1/").json()["snapshot"]["title"] == "Fly"
    (part,) = api.get(f"{place}diff/", {"from": 1, "to": 2}).json()
    assert part["lines"] == [{"before": "Fly", "after": "Walk", "is_same": False}]
    assert api.post(f"{place}revisions/1/restore/").json()["title"] == "Fly"
    assert api.get(f"{place}diff/", {"from": "x", "to": 2}).status_code == 422


def test_comments_reviews_and_support(api, api_of, story, alice, hat, ada, record_of):
    place = story.headers["Location"]
    guest = api_of(alice)
    comment = guest.post(f"{place}comments/", {"body": "Why?", "kind": "concern"})
    assert comment.status_code == 201
    answer = {"body": "Because.", "reply_to": comment.json()["id"]}
    assert api.post(f"{place}comments/", answer).json()["reply_to"] == comment.json()["id"]
    elsewhere = f"/api/v1/records/{record_of('FT').ident}/comments/"
    assert api.post(elsewhere, answer).status_code == 422
    resolved = f"{place}comments/{comment.json()['id']}/resolve/"
    assert api.post(resolved).status_code == 403
    assert guest.post(resolved).status_code == 204
    assert guest.put(f"{place}support/", {"why": "bot", "tool": "hat"}).status_code == 200
    assert api.put(f"{place}support/", {"tool": "hat"}).status_code == 422
    assert [each["why"] for each in api.get(f"{place}support/").json()] == ["bot"]
    assert guest.delete(f"{place}support/").status_code == 204
    assert api_of(ada).post(f"{place}reviews/", {"verdict": "approve"}).status_code == 422
    assert api.get(f"{place}comments/").json()[0]["author"] == "alice"


def test_who_may_not(api_of, alice, story):
    visitor = APIClient()
    sent = {"kind": "FT", "title": "T"}
    assert visitor.post(URL, sent).status_code == 401
    refused = api_of(alice).post(URL, sent)
    assert refused.status_code == 403
    assert refused.json()["type"] == "/problems/not-allowed"


def test_wrong_content_is_named_by_field(api):
    sent = {"kind": "DR", "title": "T", "content": {"decide_by": "soon", "risks": "many"}}
    answer = api.post(URL, sent)
    assert answer.status_code == 422
    assert {each["field"] for each in answer.json()["errors"]} == {"decide_by", "risks"}


def test_a_record_from_a_line_of_a_meeting(catalogue, api):
    sent = {
        "kind": "US",
        "title": "Know",
        "source_record": "MT-1",
        "anchor": "t3.l5",
        "quote": "So when/hy was it added?",
    }
    assert api.post(URL, sent).json()["quote"] == sent["quote"]
    assert api.post(URL, sent | {"quote": "never"}).status_code == 422


def test_the_why_of_a_feature(catalogue):
    visitor = APIClient()
    why = visitor.get("/api/v1/features/FT-2/why/").json()
    assert (why["rationale"], why["rationale_status"]) == ("RA-2", "question")
    assert why["answer"].startswith("Whatever was in use")
    assert visitor.get("/api/v1/features/FT-6/why/").json()["question"] is None
    assert visitor.get("/api/v1/features/US-1/why/").status_code == 404


def test_findings_readings_and_exports(catalogue):
    visitor = APIClient()
    found = visitor.get("/api/v1/findings/", {"page_size": 100}).json()["results"]
    assert len(found) == 41
    few = visitor.get("/api/v1/findings/", {"code": "story-no-criteria"}).json()["results"]
    assert [each["record"] for each in few] == ["US-3"]
    assert visitor.get("/api/v1/readings/").json()["results"] == []
    text = visitor.get("/api/v1/records/FT-2/export/").content.decode()
    assert text.startswith("---\nrecord: FT-2\nrevision: 1\n")
    whole = b"".join(visitor.get("/api/v1/records.md")).decode()
    assert whole.count("\nrecord: ") == 108


def test_pages_of_a_list_do_not_overlap(catalogue):
    visitor = APIClient()
    seen, address = [], "/api/v1/records/?page_size=50"
    while address:
        page = visitor.get(address).json()
        seen += [each["ident"] for each in page["results"]]
        address = page["next"]
    assert len(seen) == len(set(seen)) == 108


def test_a_merged_record_leads_on(api_of, api, story, ada, wanda):
    from stories.operations import merge_into  # noqa: PLC0415

    api.post(URL, {"kind": "US", "title": "Fly too"})
    records = {record.ident: record for record in Record.objects.all()}
    merge_into(records["US-2"], records["US-1"], by=ada, at=NOW)
    moved = api.get(f"{URL}US-2/")
    assert (moved.status_code, moved.headers["Location"]) == (308, "/api/v1/records/US-1/")
    assert api.patch(f"{URL}US-2/", {}, headers={"If-Match": '"US-2.v2"'}).status_code == 404
