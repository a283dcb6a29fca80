"""Revisions that an older portal wrote are read in the form of today; those of a newer are not."""

import pytest

from stories import exchange, operations, snapshots
from stories.files import parse, to_markdown
from stories.models import Baseline, Record, Revision
from stories.snapshots import TooNew
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
URL = "/api/v1/records/"
NEWER = "A newer portal wrote this version"


@pytest.fixture
def upgrades():
    """Forms that a test adds."""
    known = list(snapshots.UPGRADES)
    yield snapshots.UPGRADES
    snapshots.UPGRADES[:] = known


def say_summary(snapshot):
    """The fields of features were other ones once."""
    fields = snapshot["fields"]
    fields["summary"] = f"{fields.pop('abstract')}\n{fields.pop('remark')}"


def note_links(snapshot):
    for link in snapshot["links"]:
        link["type"] = link.pop("relation")


@pytest.fixture
def feature(record_of, wanda, upgrades):
    """Three versions, of which the portal's first two forms tell the first two."""
    upgrades += [say_summary, note_links]
    record = record_of("FT", "Cron", summary="Runs\nat times.", what_is_not="x")
    operations.add_link(record, "justified_by", record_of("RA"), by=wanda, at=NOW)
    _edit(record, wanda, record.version, summary="Runs\noften.")
    for revision in record.revisions.filter(number__in=[1, 2]):
        stored = revision.stored
        for link in stored["links"]:
            link["relation"] = link.pop("type")
        if revision.number == 1:
            stored["fields"]["abstract"], stored["fields"]["remark"] = (
                stored["fields"].pop("summary").split("\n")
            )
        Revision.objects.filter(pk=revision.pk).update(
            stored=stored, schema_version=revision.number
        )
    return Record.objects.get(pk=record.pk)


def _edit(record, by, version, **fields):
    return operations.edit_record(record, by=by, at=NOW, version=version, fields=fields)


def test_each_form_is_brought_up_to_the_one_of_today(feature):
    texts = [each.snapshot["fields"]["summary"] for each in feature.revisions.order_by("number")]
    assert texts == ["Runs\nat times.", "Runs\nat times.", "Runs\noften."]
    assert feature.revisions.get(number=2).snapshot["links"][0]["type"] == "justified_by"


def test_reading_leaves_what_is_stored(feature):
    first = feature.revisions.get(number=1)
    assert "abstract" not in first.snapshot["fields"]
    assert first.stored["fields"]["abstract"] == "Runs"


def test_what_is_written_today_names_the_form_of_today(feature):
    assert feature.revisions.get(number=3).schema_version == 3


def test_old_forms_are_compared(feature, client_of, wanda):
    page = client_of(wanda).get("/r/FT-1/-/diff?from=1&to=2").content.decode()
    assert "Summary" not in page.partition("<h2>")[2]
    (part,) = client_of(wanda).get(f"{URL}FT-1/diff/?from=1&to=3").json()[:1]
    assert part["label"] == "Summary"


def test_an_old_form_is_restored(feature, wanda):
    operations.restore(feature, 1, by=wanda, at=NOW)
    newest = feature.revisions.first()
    assert newest.stored["fields"]["summary"] == "Runs\nat times."
    assert (newest.schema_version, newest.restored_from) == (3, 1)


def test_an_old_form_is_the_base_of_a_merge(feature, wanda):
    saved = _edit(feature, wanda, 1, what_is_not="y")
    assert saved.is_merged
    assert saved.record.fields["summary"] == "Runs\noften."
    assert saved.revision.changed_fields == ["fields.what_is_not"]


def test_an_old_form_is_shown_as_of_a_day(feature, client_of, wanda):
    Revision.objects.filter(number=3).delete()
    page = client_of(wanda).get(f"/r/FT-1?at={NOW:%Y-%m-%d}").content.decode()
    assert "at times." in page
    told = client_of(wanda).get(f"{URL}FT-1/revisions/1/").json()
    assert told["snapshot"]["fields"]["summary"] == "Runs\nat times."


def test_what_changed_since_a_baseline_is_told_from_an_old_form(feature, client_of, wanda):
    named = Baseline.objects.create(name="Then", at=NOW)
    Revision.objects.filter(number=3).update(at=NOW.replace(year=2100))
    (changed,) = named.changed()
    place = f"/r/FT-1/-/diff?from={changed.before}&to={changed.after}"
    assert "<ins>often.</ins>" in client_of(wanda).get(place).content.decode()


def test_a_file_that_was_written_from_an_old_form_is_merged(feature, wanda):
    first = feature.revisions.get(number=1)
    written = {**first.snapshot, "title": "Timer"}
    draft = parse("FT-1.md", to_markdown(written, 1).encode())
    report = exchange.import_records([draft], by=wanda, at=NOW)
    assert report.merged == ["FT-1"]
    record = Record.objects.get(pk=feature.pk)
    assert (record.title, record.fields["summary"]) == ("Timer", "Runs\noften.")


def test_an_import_of_an_old_form_is_known_again(feature, wanda):
    """Its digest was taken of what was written that day."""
    first = feature.revisions.get(number=1)
    Record.objects.filter(pk=feature.pk).update(imported_digest=exchange.digest(first.stored))
    draft = parse("FT-1.md", to_markdown({**first.snapshot, "title": "Timer"}).encode())
    assert exchange.import_records([draft], by=wanda, at=NOW).merged == ["FT-1"]


# --- newer than this portal ---


@pytest.fixture
def newer(record_of, wanda):
    """A record whose second version a newer portal wrote, in a form of its own."""
    record = record_of("FT", "Cron", summary="One.")
    _edit(record, wanda, 1, summary="Two.")
    Revision.objects.filter(number=2).update(
        stored={"words": []}, schema_version=snapshots.version() + 1
    )
    return Record.objects.get(pk=record.pk)


def test_a_newer_form_is_not_guessed_at(newer):
    with pytest.raises(TooNew, match=NEWER):
        newer.revisions.first().snapshot  # noqa: B018


@pytest.mark.parametrize(
    "address", ["/r/FT-1/-/diff?from=1&to=2", "/r/FT-1/-/diff?from=2&to=2", "/r/FT-1?at=2999-01-01"]
)
def test_pages_say_that_it_is_newer(newer, client_of, wanda, address):
    answer = client_of(wanda).get(address)
    assert answer.status_code == 200
    assert NEWER in answer.content.decode()


def test_rest_says_that_it_is_newer(newer, client_of, wanda):
    client = client_of(wanda)
    told = client.get(f"{URL}FT-1/revisions/2/").json()
    assert told["snapshot"] is None
    assert told["withheld"].startswith(NEWER)
    answer = client.get(f"{URL}FT-1/diff/?from=1&to=2")
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith(NEWER)


def test_a_newer_form_is_neither_restored_nor_written_over(newer, client_of, api_of, wanda):
    client = client_of(wanda)
    for address, sent in (
        ("/r/FT-1/-/restore/2", {}),
        ("/r/FT-1/-/edit", {"base_version": "2", "title": "Mine"}),
        ("/r/FT-1/-/move", {"to": "planned"}),
    ):
        assert NEWER in client.post(address, sent, follow=True).content.decode()
    sent = {"title": "Mine"}
    answer = api_of(wanda).patch(f"{URL}FT-1/", sent, headers={"If-Match": '"FT-1.v2"'})
    assert (answer.status_code, answer.json()["detail"][: len(NEWER)]) == (409, NEWER)
    record = Record.objects.get(pk=newer.pk)
    assert (record.version, record.title, record.status) == (2, "Cron", "idea")


def test_an_import_says_which_file_meets_a_newer_form(newer, wanda):
    draft = parse("FT-1.md", to_markdown({**newer.snapshot(), "title": "Timer"}, 2).encode())
    with pytest.raises(exchange.BadFile, match=rf"FT-1.md.*{NEWER}"):
        exchange.import_records([draft], by=wanda, at=NOW)
