"""Filters of lists by every field: texts, days, numbers and choices, on pages and over REST."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from stories import filtering, operations
from stories.extracts import value_of
from stories.filters import filters_of
from stories.kinds import KINDS
from stories.models import Record, SavedView
from stories.operations import save_view
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
URL = "/api/v1/records/"


def found(kind="DR", **asked):
    """Titles over REST, in the order in which they were made."""
    given = {name: value for name, value in {"kind": kind, **asked}.items() if value}
    answer = APIClient().get(URL, given)
    assert answer.status_code == 200, answer.json()
    return [row["title"] for row in reversed(answer.json()["results"])]


@pytest.fixture
def decisions(record_of):
    record_of("DR", "Early", decide_by="2026-01-31", problem="Cron_jobs are 100% Ärger")
    record_of("DR", "Late", decide_by="2026-12-01", problem="Cron-jobs are 100 percent")
    record_of("DR", "Never", goals=["Fewer Überraschungen", "سلمى decides"])
    record_of("DR", "Rows", options=[{"name": 'Stay \\ "put"', "pros": ["Cheap"]}])


@pytest.mark.parametrize(
    ("asked", "titles"),
    [
        ({"decide_by_from": "2026-01-31"}, "Early Late"),
        ({"decide_by_from": "2026-02-01"}, "Late"),
        ({"decide_by_until": "2026-01-31"}, "Early"),
        ({"decide_by_until": "2026-01-30"}, ""),
        ({"decide_by_from": "2026-01-31", "decide_by_until": "2026-01-31"}, "Early"),
        ({"decide_by_from": "0001-01-01", "decide_by_until": "9999-12-31"}, "Early Late"),
        ({"problem": "cron"}, "Early Late"),
        ({"problem": "  CRON  "}, "Early Late"),
        ({"problem": "100%"}, "Early"),
        ({"problem": "cron_"}, "Early"),
        ({"problem": "%"}, "Early"),
        ({"problem": "_"}, "Early"),
        ({"problem": "ärger"}, "Early"),
        ({"problem": "Ä.ger"}, ""),
        ({"problem": "null"}, ""),
        ({"goals": "überraschungen"}, "Never"),
        ({"goals": "سلمى"}, "Never"),
        ({"goals": "goals"}, ""),
        ({"options": "\\"}, "Rows"),
        ({"options": '"PUT"'}, "Rows"),
        ({"options": "cheap"}, "Rows"),
        ({"options": "name"}, ""),
        ({"problem": "' OR 1=1 --"}, ""),
        ({"problem": "cron", "decide_by_until": "2026-06-30"}, "Early"),
        ({"kind": "", "problem": "cron"}, "Early Late"),
        ({"kind": "", "decide_by_until": "2026-06-30"}, "Early"),
        ({"kind": "FT", "summary": "x"}, ""),
    ],
)
def test_what_is_found(decisions, asked, titles):
    assert found(**asked) == titles.split()


def test_days_that_every_record_has(record_of, ada):
    story = operations.create_record(
        "US", title="Later", fields={}, status="proposed", by=ada, at=NOW
    )
    day = (NOW + timedelta(days=3)).date()
    operations.move(
        story, "deferred", by=ada, at=NOW + timedelta(days=1), reason="r", look_again_on=day
    )
    record_of("US", "Now")
    today, tomorrow = NOW.date(), (NOW + timedelta(days=1)).date()
    for asked, titles in (
        ({"changed_from": tomorrow}, ["Later"]),
        ({"changed_until": today}, ["Now"]),
        ({"changed_from": today, "changed_until": tomorrow}, ["Later", "Now"]),
        ({"in_status_until": today}, ["Now"]),
        ({"look_again_from": day, "look_again_until": day}, ["Later"]),
        ({"look_again_until": tomorrow}, []),
        ({"changed_from": "0001-01-01", "changed_until": "9999-12-31"}, ["Later", "Now"]),
    ):
        assert (asked, found("US", **asked)) == (asked, titles)
        assert found("", **asked) == titles


def test_numbers_compare_as_numbers(record_of):
    for quorum in (2, 9, 10, 1.5):
        record_of("DD", str(quorum), quorum=quorum)
    record_of("DD", "none")
    assert found("DD", quorum_from="2") == ["2", "9", "10"]
    assert found("DD", quorum_from="1.2", quorum_until="9") == ["2", "9", "1.5"]


def test_a_field_that_is_text_in_one_kind_and_a_list_in_another(record_of):
    record_of("MS", "Milestone", notes="Said “so”")
    notes = [{"title": "Cron", "lines": [{"text": 'It is “so”, said "B"'}]}]
    record_of("MT", "Meeting", notes=notes)
    assert found("", notes="“SO”") == ["Milestone", "Meeting"]
    assert found("MT", notes='said "b"') == ["Meeting"]


@pytest.mark.parametrize("prefix", KINDS)
def test_every_field_can_be_asked_for(record_of, prefix):
    kind = KINDS[prefix]
    record_of(prefix)
    asked = {
        each.name: {"date": "2026-01-01", "number": "1"}.get(each.type, "x")
        for each in filters_of(kind).values()
        if not each.choices and not each.column
    }
    for name, value in asked.items():
        filters, wrong = filtering.read(kind, {name: [value]})
        assert not wrong
        assert list(filtering.apply(Record.objects.all(), kind, filters)) == []
    covered = {each.field for each in filters_of(kind).values()}
    assert covered >= {each.name for each in kind.fields}


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("decide_by_from", "2026-02-30", "Decide by, from: “2026-02-30” is no day."),
        ("decide_by_until", "soon", "Write it as 2026-12-31."),
        ("decide_by_from", "20260201", "is no day"),
        ("decide_by_from", "2026-W05-1", "is no day"),
        ("decide_by_from", "٢٠٢٦-٠١-٠١", "is no day"),
        ("decide_by_from", "0000-00-00", "is no day"),
        ("decide_by_from", "2026-01-01\u202e", "plain characters"),
        ("problem", "x" * 201, "at most 200 plain characters"),
        ("problem", "a\0b", "at most 200 plain characters"),
        ("status", "shipped", "does not know “shipped”"),
    ],
)
def test_a_broken_value_is_said_everywhere(decisions, name, value, sentence):
    answer = APIClient().get(URL, {"kind": "DR", name: value})
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["field"], sentence in error["detail"]) == (name, True)
    page = Client().get("/stories/decisions/", {name: value})
    assert page.status_code == 200
    assert sentence in page.content.decode()
    for form in ("csv", "json"):
        file = Client().get("/stories/decisions/", {name: value, "format": form})
        assert (file.status_code, sentence in file.content.decode()) == (400, True)


@pytest.mark.parametrize("value", ["nan", "inf", "1e999", "ten", "0x10"])
def test_a_number_is_a_number(record_of, value):
    answer = APIClient().get(URL, {"kind": "DD", "quorum_from": value})
    assert (answer.status_code, "is no number" in answer.json()["detail"]) == (400, True)


def test_a_range_that_is_turned_round_is_said(decisions):
    asked = {"decide_by_from": "2026-03-01", "decide_by_until": "2026-02-01"}
    answer = APIClient().get(URL, {"kind": "DR", **asked})
    assert answer.status_code == 400
    assert "“Decide by, until” comes before “Decide by, from”" in answer.json()["detail"]
    assert APIClient().get(URL, {"kind": "DD", "quorum_from": "9", "quorum_until": "10"}).json()


def test_the_page_keeps_what_was_typed(decisions):
    asked = "?decide_by_from=2026-02-30&decide_by_until=2026-12-31&problem=%22%3Cb%3E"
    page = Client().get(f"/stories/decisions/{asked}").content.decode()
    assert '<input type="text" name="decide_by_from" value="2026-02-30"' in page
    assert '<input type="date" name="decide_by_until" value="2026-12-31"' in page
    assert 'name="problem" value="&quot;&lt;b&gt;"' in page
    assert '<details class="more-filters" open>' in page
    assert '<details class="more-filters">' in Client().get("/stories/decisions/").content.decode()
    assert page.count("is no day") == 1


def test_filters_go_along_into_files_and_saved_views(decisions, wanda, client_of):
    query = "decide_by_until=2026-06-30&problem=cron"
    lines = Client().get(f"/stories/decisions/?{query}&format=csv").content.decode().splitlines()
    assert [line.split(",")[1] for line in lines] == ["title", "Early"]
    listed = Client().get(f"/stories/decisions/?{query}&format=json").json()["records"]
    assert [each["title"] for each in listed] == ["Early"]
    client_of(wanda).post("/stories/decisions/views/", {"name": "Soon", "query": query})
    page = client_of(wanda).get(SavedView.objects.get().get_absolute_url()).content.decode()
    assert ">Early</a>" in page
    assert ">Late</a>" not in page
    told = client_of(wanda).get("/stories/views/").content.decode()
    assert "Problem: cron, Decide by, until: 2026-06-30" in told


def test_a_view_keeps_no_day_that_there_is_not(wanda, client_of):
    sent = {"name": "Bad", "query": "decide_by_from=2026-02-30"}
    answer = client_of(wanda).post("/stories/decisions/views/", sent)
    assert answer.status_code == 422
    assert 'value="2026-02-30"' in answer.content.decode()
    view = save_view("DR", name="x", filters={"problem": ["a_b%"]}, by=wanda, at=NOW)
    assert view.get_absolute_url() == "/stories/decisions/?problem=a_b%25"


def test_more_records_ask_no_more_questions(record_of):
    counts = []
    for batch in (1, 12):
        for number in range(batch):
            record_of("DR", f"{batch} {number}", problem="cron", decide_by="2026-01-01")
        with CaptureQueriesContext(connection) as caught:
            Client().get("/stories/decisions/?problem=cron&decide_by_from=2025-12-31&goals=")
        counts.append(len(caught))
    assert counts[0] == counts[1]


def test_no_name_but_a_fields_reaches_the_database():
    with pytest.raises(ValueError, match="x'"):
        value_of("x') OR ('1'='1")


def test_the_document_names_every_filter():
    document = APIClient().get("/api/v1/schema/", HTTP_ACCEPT="application/json").json()
    given = {each["name"]: each for each in document["paths"][URL]["get"]["parameters"]}
    assert set(filters_of(None)) <= set(given)
    assert given["decide_by_from"]["schema"]["format"] == "date"
    assert given["decide_by_from"]["description"] == "Decide by, from (of DR)"
    assert "must" in given["priority"]["schema"]["enum"]
