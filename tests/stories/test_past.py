"""A record as of a day: what it said, led to, and what was measured and found then."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from stories import checks
from stories.models import Reading, Record
from stories.operations import (
    Change,
    add_link,
    create_record,
    delete_record,
    edit_record,
    save,
    suppress,
)
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
URL = "/api/v1/records/"


@pytest.fixture
def on():
    """The day that many days after NOW."""
    return lambda days: (NOW + days * DAY).date().isoformat()


@pytest.fixture
def made(wanda):
    def make(kind, title="A title", days=0, status="", **fields):
        at = NOW + days * DAY
        return create_record(kind, title=title, fields=fields, by=wanda, at=at, status=status)

    return make


@pytest.fixture
def edit(wanda):
    def change(record, days, title=None, **fields):
        record.refresh_from_db()
        edit_record(
            record,
            by=wanda,
            at=NOW + days * DAY,
            version=record.version,
            title=title,
            fields=fields,
        )

    return change


def read(value, days, metric="tools", sample=(), error=""):
    at = NOW + days * DAY
    Reading.objects.create(
        metric=metric, on=at.date(), at=at, value=value, sample=list(sample), error=error
    )


def page(ident, day):
    return Client().get(f"/r/{ident}?at={day}").content.decode()


def told(ident, day):
    return Client().get(f"{URL}{ident}/as-of/?on={day}").json()


def test_a_feature_shows_the_use_of_that_day(made, on):
    made("FT", "Cron", metric="tools")
    read(3, 1, sample=["coat", "hat"])
    read(77, 9)
    then = page("FT-1", on(2))
    assert '<strong class="big">3</strong>' in then
    assert "coat" in then
    assert '<strong class="big">77</strong>' in page("FT-1", on(9))
    (reading,) = told("FT-1", on(2))["readings"]
    assert (reading["metric"], reading["value"], reading["sample"]) == ("tools", 3, ["coat", "hat"])


def test_before_the_first_reading_use_is_unknown_and_not_zero(made, on):
    made("FT", metric="tools")
    read(77, 9)
    assert "unknown" in page("FT-1", on(2))
    (reading,) = told("FT-1", on(2))["readings"]
    assert (reading["value"], reading["at"], reading["error"]) == (None, None, "")


def test_a_reading_that_failed_that_day_is_told_with_the_one_before(made, on):
    made("FT", metric="tools")
    read(3, 1)
    read(None, 2, error="gone")
    read(4, 3)
    then = page("FT-1", on(2))
    assert '<strong class="big">3</strong>' in then
    assert "It could not be measured. The last value that was known is shown." in then
    assert "could not be measured" not in page("FT-1", on(3))
    assert told("FT-1", on(2))["readings"][0]["error"] == "gone"


def test_a_rationale_shows_its_evidence_by_the_numbers_of_that_day(made, on):
    row = {"claim": "Many run it", "metric": "tools", "seen_value": 10, "tolerance": 20}
    made("RA", "Why?", evidence=[row])
    read(11, 1)
    read(30, 9)
    then = page("RA-1", on(2))
    assert "On that day" in then
    assert "10 %" in then
    assert "200 %" not in then
    assert "200 %" in page("RA-1", on(9))


def test_a_decision_shows_what_was_measured_of_its_effect_that_day(made, on):
    made("DR", expected_effect=[{"measure": "Use", "metric": "tools", "expected": 9}])
    read(12345, 1)
    read(67890, 9)
    then = page("DR-1", on(2))
    assert "Measured on that day" in then
    assert "12345" in then
    assert "67890" not in then


def test_links_lead_to_what_stood_there_that_day(made, edit, wanda, on):
    policy, cluster = made("UP", "Upgrades"), made("CL", "tools", version="1.21")
    add_link(policy, "governs", cluster, by=wanda, at=NOW)
    edit(cluster, 5, title="toolforge", version="1.27")
    then, now = page("UP-1", on(2)), page("UP-1", on(5))
    assert "tools</a>" in then
    assert ", 1.21" in then
    assert "1.27" not in then
    assert ", 1.27" in now
    (link,) = told("UP-1", on(2))["links"]
    assert link == {
        "type": "governs", "to": "CL-1", "title": "tools", "status": "active", "version": "1.21",
    }  # fmt: skip


def test_what_was_observed_later_is_not_on_the_page(made, edit, on):
    cluster = made("CL", "tools", observations=[{"version": "1.21", "observed_on": on(0)}])
    later = [*cluster.fields["observations"], {"version": "1.22", "observed_on": on(5), "how": ""}]
    edit(cluster, 5, observations=later)
    then = page("CL-1", on(2))
    assert "1.21" in then
    assert "1.22" not in then
    assert told("CL-1", on(5))["content"]["observations"] == later


def test_where_a_policy_led_by_the_versions_of_that_day(made, edit, wanda, on):
    days = {"component": "Kubernetes", "released_on": on(-100)}
    made("UR", minor="1.21", end_of_life=on(-10), **days)
    made("UR", minor="1.22", end_of_life=on(300), **days)
    policy = made("UP", "Upgrades", upgrades_per_year=2)
    cluster = made("CL", "tools", version="1.21")
    add_link(policy, "governs", cluster, by=wanda, at=NOW)
    edit(cluster, 5, version="1.22")
    (then,) = told("UP-1", on(2))["outlooks"]
    (now,) = told("UP-1", on(5))["outlooks"]
    assert (then["lag"], then["days_past"]) == (1, 12)
    assert (now["lag"], now["days_past"]) == (0, -295)
    assert "Where this leads CL-1 tools" in page("UP-1", on(2))


def test_a_release_that_nobody_knew_of_yet_does_not_count(made, wanda, on):
    days = {"component": "Kubernetes", "released_on": on(-100), "end_of_life": on(300)}
    made("UR", minor="1.21", **days)
    policy = made("UP", upgrades_per_year=2)
    add_link(policy, "governs", made("CL", version="1.21"), by=wanda, at=NOW)
    made("UR", days=5, minor="1.22", **days)
    assert told("UP-1", on(2))["outlooks"][0]["lag"] == 0
    assert told("UP-1", on(5))["outlooks"][0]["lag"] == 1


def test_what_did_not_fit_that_day(made, edit, on):
    feature = made("FT", "Cron", status="supported", since_precision="unknown")
    edit(feature, 5, since="2014", since_precision="year")
    checks.refresh(NOW + 5 * DAY)
    assert "Supported, since when is unknown" in page("FT-1", on(2))
    assert "Supported, since when is unknown" not in page("FT-1", on(5))
    codes = [{each["code"] for each in told("FT-1", on(days))["findings"]} for days in (2, 5)]
    assert "since-unknown" in codes[0] - codes[1]


def test_the_status_is_told_in_words(made, on):
    story = made("US", "Fly")
    story.status = "in_progress"
    save(story, Change(by=None, at=NOW + 5 * DAY))
    assert "status Draft" in page("US-1", on(2))
    assert "status In progress" in page("US-1", on(5))


def test_the_notes_of_a_meeting_as_they_were(made, edit, client_of, wanda, on):
    line = {"number": 1, "speaker": "AB", "text": "We stay."}
    meeting = made("MT", notes=[{"number": 1, "title": "Cadence", "lines": [line]}])
    changed = [{"number": 1, "title": "Cadence", "lines": [{**line, "text": "We go."}]}]
    edit(meeting, 5, notes=changed)
    then = client_of(wanda).get(f"/r/MT-1?at={on(2)}").content.decode()
    assert "We stay." in then
    assert "Make of this line" not in then


def test_it_was_not_there_yet(made, on):
    made("FT", days=5)
    assert "It was not there yet." in page("FT-1", on(2))
    answer = Client().get(f"{URL}FT-1/as-of/?on={on(2)}")
    assert (answer.status_code, answer.json()["detail"]) == (404, "It was not there yet.")


def test_the_other_end_that_was_not_there_yet_is_named(made, wanda, on):
    """An import may date a link before the record that it leads to was made here."""
    feature, reason = made("FT"), made("RA", "Why?", days=5)
    add_link(feature, "justified_by", reason, by=wanda, at=NOW + DAY)
    assert "Why?" not in page("FT-1", on(2))
    assert told("FT-1", on(2))["links"][0]["title"] is None


def test_a_deleted_record_was_deleted_that_day(made, ada, on):
    delete_record(made("FT", "Cron"), by=ada, at=NOW + 5 * DAY, reason="made twice")
    assert "Deleted:" not in page("FT-1", on(2)).partition("As it was at the end")[2]
    assert "Deleted:" in page("FT-1", on(5)).partition("As it was at the end")[2]


def test_what_was_suppressed_is_not_replaced_by_an_older_text(made, edit, ada, on):
    feature = made("FT", summary="Harmless.")
    edit(feature, 1, summary="Libel.")
    edit(feature, 5, summary="Clean.")
    revision = feature.revisions.select_related("record").get(number=2)
    suppress(revision, by=ada, at=NOW, reason="libel")
    then = page("FT-1", on(2))
    assert "The text was suppressed: libel" in then
    assert "Harmless." not in then
    answer = told("FT-1", on(2))
    assert (answer["content"], answer["title"], answer["withheld"]) == (None, None, "libel")


@pytest.mark.parametrize("day", ["", "tomorrow", "2026-02-30", "2026-05-04T10:00"])
def test_a_day_that_there_is_not(made, day):
    made("FT")
    assert Client().get(f"{URL}FT-1/as-of/", {"on": day}).status_code == 400


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_first_and_the_last_day(made, day):
    made("FT", metric="tools")
    assert Client().get(f"/r/FT-1?at={day}").status_code == 200
    assert Client().get(f"{URL}FT-1/as-of/", {"on": day}).status_code in (200, 404)


def test_the_number_of_queries_does_not_grow(made, wanda, on):
    def queries():
        with CaptureQueriesContext(connection) as caught:
            page("UP-1", on(2))
        return len(caught)

    policy = made("UP", upgrades_per_year=2)
    add_link(policy, "governs", made("CL", version="1.21"), by=wanda, at=NOW)
    few = queries()
    for _number in range(8):
        policy = Record.objects.get(pk=policy.pk)
        add_link(policy, "governs", made("CL", version="1.21"), by=wanda, at=NOW)
        made("UR", component="Kubernetes", minor="1.21")
    assert queries() == few
