"""Rows that were changed behind the portal's back are found, told, and left as they are."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from stories import checks, integrity, operations, tasks
from stories.exchange import import_records, read_directory
from stories.models import Flag, Link, Record, Revision
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=1)


@pytest.fixture
def feature(record_of, wanda):
    """At version 3, with a link."""
    record = record_of("FT", "Cron", summary="One.")
    operations.edit_record(record, by=wanda, at=NOW, version=1, fields={"summary": "Two."})
    operations.add_link(record, "justified_by", record_of("RA"), by=wanda, at=NOW)
    return record


def row(record):
    return Record.objects.filter(pk=record.pk)


def told(now=LATER):
    """The sentences of all that differs, by ident."""
    checks.refresh(now, integrity.compare(now))
    flags = Flag.objects.filter(code="record-differs", cleared_at=None).select_related("record")
    return {flag.record.ident: flag.sentence for flag in flags}


def test_what_the_portal_wrote_is_what_its_history_says(catalogue, feature, wanda, ada, record_of):
    operations.restore(feature, 1, by=wanda, at=NOW)
    operations.delete_record(record_of("US"), by=ada, at=NOW, reason="made twice")
    operations.merge_into(record_of("US"), record_of("US"), by=ada, at=NOW)
    assert told() == {}
    state = integrity.state()
    assert (state.compared, state.differ) == (Record.objects.count(), 0)
    assert state.oldest == LATER


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"title": "Not cron"}, "title"),
        ({"status": "beta"}, "status"),
        ({"is_deleted": True}, "is_deleted"),
        ({"owner": "mallory"}, "owner"),
        ({"fields": {}}, "fields.summary"),
        ({"fields": []}, "fields"),
        ({"fields": {"review_by": "soon"}}, "fields"),
    ],
)
def test_a_changed_row_is_a_finding_and_stays_as_it_is(feature, values, name):
    row(feature).update(**values)
    sentence = told()["FT-1"]
    assert sentence.startswith("Version 3 says something else: ")
    assert name in sentence.partition(": ")[2].rstrip(".").split(", ")
    assert row(feature).values(*values).get() == values
    assert feature.revisions.count() == 3


@pytest.mark.parametrize("change", [{"note": "by hand"}, {"type": "relates_to"}])
def test_a_changed_link_is_a_finding(feature, change):
    Link.objects.update(**change)
    assert "links" in told()["FT-1"]


def test_a_link_that_is_gone_is_a_finding(feature):
    Link.objects.all().delete()
    assert "links" in told()["FT-1"]


def test_a_link_that_repeats_another_status_is_a_finding(feature):
    Link.objects.update(is_agreed=True)
    assert "links.RA-1" in told()["FT-1"]


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (1, "at version 3; 2 versions are kept, the last of them is 3"),
        (2, "at version 3; 2 versions are kept, the last of them is 3"),
        (3, "at version 3; 2 versions are kept, the last of them is 2"),
    ],
)
def test_a_version_that_is_gone_is_a_finding(feature, number, sentence):
    feature.revisions.filter(number=number).delete()
    assert sentence in told()["FT-1"]


def test_a_record_without_any_version_is_a_finding(feature):
    feature.revisions.all().delete()
    assert "0 versions are kept" in told()["FT-1"]


@pytest.mark.parametrize(
    "values",
    [
        {"base_revision": 2},
        {"base_revision": 9},
        {"base_revision": 0},
        {"restored_from": 1},
        {"cause": "restore", "restored_from": 2},
        {"cause": "restore", "restored_from": 0},
        {"cause": "restore"},
    ],
)
def test_a_version_that_comes_from_none_is_a_finding(feature, values):
    feature.revisions.filter(number=2).update(**values)
    assert told()["FT-1"].endswith("versions that were not there: 2.")


def test_the_finding_goes_when_the_row_is_what_it_was(feature):
    row(feature).update(title="Not cron")
    assert set(told()) == {"FT-1"}
    row(feature).update(title="Cron")
    assert told(LATER + timedelta(days=1)) == {}


def test_those_that_nobody_looked_at_for_longest_are_next(record_of):
    records = [record_of("FT") for _number in range(5)]
    for day in range(1, 4):
        integrity.compare(NOW + timedelta(days=day), at_most=2)
    days = [row(each).get().compared_at.day - NOW.day for each in records]
    assert days == [3, 1, 2, 2, 3]


def test_not_all_are_compared_yet(record_of):
    for _number in range(3):
        record_of("FT")
    integrity.compare(NOW, at_most=2)
    state = integrity.state()
    assert (state.records, state.compared, state.oldest) == (3, 2, None)


def test_what_differs_is_looked_at_again_before_its_turn(record_of):
    records = [record_of("FT") for _number in range(3)]
    row(records[0]).update(title="Changed")
    integrity.compare(NOW)
    row(records[0]).update(title="A title")
    assert integrity.compare(LATER, at_most=1) == [records[0].pk]
    assert integrity.state().differ == 0


def test_a_record_that_is_saved_meanwhile_is_not_blamed(feature, monkeypatch, wanda):
    """The save falls between reading the row and reading what is kept of it."""
    histories = integrity._histories

    def slow(records):
        mine = Record.objects.get(pk=feature.pk)
        operations.edit_record(mine, by=wanda, at=NOW, version=3, fields={"summary": "Three."})
        Link.objects.filter(source=feature).delete()
        return histories(records)

    monkeypatch.setattr(integrity, "_histories", slow)
    assert integrity.compare(LATER) == []


def test_the_number_of_queries_does_not_grow(record_of):
    def queries():
        with CaptureQueriesContext(connection) as caught:
            integrity.compare(NOW)
        return len(caught)

    record_of("FT")
    few = queries()
    for _number in range(20):
        record_of("FT")
    assert queries() == few


def test_the_nightly_task_raises_the_finding(feature):
    row(feature).update(title="Not cron")
    assert tasks.compare() == 1
    assert Flag.objects.filter(code="record-differs", cleared_at=None).exists()


def test_the_hourly_look_keeps_the_finding(feature):
    row(feature).update(title="Not cron")
    tasks.compare()
    tasks.sample()
    assert Flag.objects.filter(code="record-differs", cleared_at=None).exists()


def test_the_command_compares_all_at_once(feature, capsys):
    row(feature).update(title="Not cron")
    call_command("check_records", code="record-differs", fail=True)
    assert capsys.readouterr().out == ""
    with pytest.raises(CommandError, match="1 findings"):
        call_command("check_records", integrity=True, code="record-differs", fail=True)
    assert "Version 3 says something else: title" in capsys.readouterr().out


def test_an_administrator_sees_how_far_it_is(feature, client_of, api_of, ada, wanda):
    row(feature).update(title="Not cron")
    told()
    page = client_of(ada).get("/stories/findings/").content.decode()
    assert "Integrity" in page
    assert "Version 3 says something else: title." in page
    assert "Integrity" not in client_of(wanda).get("/stories/findings/").content.decode()
    place = "/api/v1/findings/integrity/"
    state = {"records": 2, "compared": 2, "oldest": LATER.isoformat().replace("+00:00", "Z")}
    assert api_of(ada).get(place).json() == state | {"differ": 1}
    assert api_of(wanda).get(place).status_code == 403


def test_rest_tells_how_grave_it_is(feature, client_of, wanda):
    row(feature).update(title="Not cron")
    told()
    (found,) = client_of(wanda).get("/api/v1/findings/?code=record-differs").json()["results"]
    assert (found["severity"], found["record"]) == ("damage", "FT-1")
    assert found["url"] == "/r/FT-1/not-cron"
    assert "restore a version" in found["advice"]


def test_a_form_that_is_too_new_is_said_to_be(feature):
    Revision.objects.filter(record=feature, number=3).update(schema_version=99)
    assert told()["FT-1"].startswith("A newer portal wrote this version")


def test_an_agreed_rationale_that_is_imported_is_agreed_for_its_feature(tmp_path, wanda):
    """Links are made before the records that they lead to have their status."""
    texts = {
        "FT-1.md": "---\nrecord: FT-1\ntitle: Cron\nstatus: supported\n"
        "links:\n- {type: justified_by, to: RA-1}\n---\n",
        "RA-1.md": "---\nrecord: RA-1\ntitle: Why?\nstatus: agreed\nreview_by: '2027-01-01'\n---\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    import_records(read_directory(tmp_path), by=wanda, at=NOW)
    assert Link.objects.get().is_agreed
    assert not Flag.objects.filter(code="rationale-not-agreed", cleared_at=None).exists()
    assert told() == {}


def test_a_row_that_no_check_can_read_stops_neither_findings_nor_saves(record_of, wanda):
    """What a check found before stays while it cannot look; the broken row is a finding."""
    upstream = {"component": "Kubernetes", "minor": "1.21", "end_of_life": "2022-06-28"}
    record_of("UR", **upstream)
    broken, old = record_of("CL", version="1.21"), record_of("CL", version="1.21")
    row(broken).update(fields={})
    assert set(told()) == {broken.ident}
    operations.edit_record(old, by=wanda, at=LATER, version=1, title="New", fields={})
    record_of("AI")
    checks.refresh(LATER)
    codes = set(Flag.objects.filter(cleared_at=None).values_list("code", "record__title"))
    assert ("action-unowned", "A title") in codes
    assert ("cluster-past-eol", "New") in codes
