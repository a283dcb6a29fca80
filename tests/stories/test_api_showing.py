"""REST: a record in other forms, and changes that name the version they were made from."""

from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from stories.models import Baseline, Record
from stories.operations import add_link, edit_record, name_baseline
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
URL = "/api/v1/"


@pytest.fixture
def api(api_of, wanda):
    return api_of(wanda)


@pytest.fixture
def visitor():
    return APIClient()


def test_a_trace_leads_from_the_meeting_to_what_is_built(catalogue, visitor):
    found = visitor.get(f"{URL}records/FT-2/trace/").json()
    columns = {node["key"]: node["column"] for node in found["nodes"]}
    assert {"FT-2", "RA-2"} <= set(columns)
    assert all(columns[left] < columns[right] for left, right in found["edges"])
    assert ["FT-2", "RA-2"] in found["edges"]


def test_a_trace_of_a_line_is_smaller_than_that_of_its_meeting(catalogue, visitor):
    whole = visitor.get(f"{URL}records/MT-1/trace/").json()["nodes"]
    part = visitor.get(f"{URL}records/MT-1/trace/?line=t3.l5").json()["nodes"]
    assert 1 <= len(part) < len(whole)


def test_another_pace_shows_where_it_would_lead(catalogue, visitor):
    place = f"{URL}records/UP-1/outlook/"
    never = visitor.get(f"{place}?upgrades_per_year=0").json()
    fast = visitor.get(f"{place}?upgrades_per_year=12").json()
    assert never
    assert all(len(each["steps"]) == 1 for each in never)
    assert all(
        a["supported_share"] <= b["supported_share"] for a, b in zip(never, fast, strict=True)
    )
    assert any(len(each["steps"]) > 1 for each in fast)


@pytest.mark.parametrize("pace", ["-1", "53", "inf", "nan", "many"])
def test_a_pace_is_a_number_of_upgrades(catalogue, visitor, pace):
    place = f"{URL}records/UP-1/outlook/?upgrades_per_year={pace}"
    assert visitor.get(place).status_code == 400


def test_only_policies_have_an_outlook_and_only_decisions_these_forms(catalogue, visitor):
    for leaf in ("outlook", "madr", "wikitext"):
        assert visitor.get(f"{URL}records/FT-2/{leaf}/").status_code == 404
    madr = visitor.get(f"{URL}records/DR-1/madr/")
    assert madr.headers["Content-Type"].startswith("text/markdown")
    assert madr.content.decode().startswith("---\nstatus: ")
    wikitext = visitor.get(f"{URL}records/DR-1/wikitext/").content.decode()
    assert wikitext.startswith("== Problem ==")


def test_a_baseline_says_what_was_saved_since(record_of, visitor, wanda):
    old = record_of("FT", "Old")
    record_of("FT", "Same")
    named = name_baseline("Start", by=wanda, at=NOW)
    later = NOW + timedelta(hours=1)
    edit_record(old, by=wanda, at=later, version=1, title="Older")
    rows = visitor.get(f"{URL}baselines/{named.pk}/changes/").json()["results"]
    assert rows == [{"record": "FT-1", "title": "Older", "before": 1, "after": 2}]
    Baseline.objects.update(at=NOW - timedelta(days=1))
    rows = visitor.get(f"{URL}baselines/{named.pk}/changes/").json()["results"]
    assert {each["record"]: each["before"] for each in rows} == {"FT-1": 0, "FT-2": 0}
    assert visitor.get(f"{URL}baselines/{named.pk + 1}/changes/").status_code == 404


def test_a_preview_is_safe_and_links_records(api, visitor):
    sent = {"text": "# See FT-2\n<script>alert(1)</script>"}
    html = api.post(f"{URL}preview/", sent).json()["html"]
    assert '<a href="/r/FT-2">FT-2</a>' in html
    assert "<script>" not in html
    assert visitor.post(f"{URL}preview/", sent).status_code == 401
    assert api.post(f"{URL}preview/", {}).status_code == 400


@pytest.fixture
def behind(record_of, wanda):
    """The ETag of a record that was saved since."""
    record = record_of("US", "Fly")
    edit_record(record, by=wanda, at=NOW, version=1, title="Walk")
    record_of("US", "Other")
    return {"If-Match": '"US-1.v1"'}


@pytest.mark.parametrize(
    ("leaf", "sent"),
    [
        ("links", {"type": "relates_to", "to": "US-2"}),
        ("moves", {"to": "deferred", "reason": "later", "look_again_on": "2999-01-01"}),
        ("revisions/1/restore", {}),
        ("merge", {"into": "US-2"}),
        ("delete", {"reason": "made twice"}),
        ("reconfirm", {"review_by": "2027-01-01"}),
    ],
)
def test_a_change_made_from_an_old_version_is_refused(behind, api_of, ada, leaf, sent):
    place = f"{URL}records/US-1/{leaf}/"
    answer = api_of(ada).post(place, sent, headers=behind)
    assert answer.status_code == 412, answer.content
    other = api_of(ada).post(place, sent, headers={"If-Match": '"US-2.v1"'})
    assert other.status_code == 412
    assert Record.objects.by_ident("US-1").get().version == 2


def test_a_link_is_removed_only_from_the_version_that_was_read(behind, api, wanda):
    ends = [Record.objects.by_ident(ident).get() for ident in ("US-1", "US-2")]
    link = add_link(ends[0], "relates_to", ends[1], by=wanda, at=NOW)
    place = f"{URL}records/US-1/links/{link.pk}/"
    assert api.delete(place, headers={"If-Match": '"US-1.v2"'}).status_code == 412
    assert api.delete(place, headers={"If-Match": "nonsense"}).status_code == 412
    assert ends[0].links.exists()
    assert api.delete(place, headers={"If-Match": '"US-1.v3"'}).status_code == 204
    assert not ends[0].links.exists()


def test_a_change_made_from_the_newest_version_is_taken(behind, api):
    place = f"{URL}records/US-1/revisions/1/restore/"
    assert api.post(place, headers={"If-Match": '"US-1.v2"'}).json()["title"] == "Fly"
    assert api.post(place, headers={"If-Match": "*"}).status_code == 200
    assert api.post(place).status_code == 200
