"""Search over records: words as people type them."""

import pytest

from stories import search
from stories.models import Record
from stories.operations import edit_record
from tests.conftest import NOW

pytestmark = pytest.mark.django_db


def idents(text, **how):
    return [hit.record.ident for hit in search.hits(text, **how)]


def test_stems_and_beginnings_are_found(record_of):
    record_of("FT", "Jobs", summary="They are scheduled.")
    assert idents("schedule") == ["FT-1"]
    assert idents("SCHEDULED they") == ["FT-1"]
    assert idents("nothing of that sort") == []


def test_the_title_counts_more_than_the_text(record_of):
    record_of("FT", "Something", summary="about cron")
    record_of("FT", "Cron", summary="about something")
    assert idents("cron") == ["FT-2", "FT-1"]


def test_what_was_edited_is_found_by_its_new_words(record_of, wanda):
    record = record_of("FT", "Cron")
    edit_record(record, by=wanda, at=NOW, version=1, title="Timers")
    assert idents("timers") == ["FT-1"]
    assert idents("cron") == []


def test_rows_are_searched_and_kinds_narrow(record_of):
    record_of("DR", "Which?", options=[{"name": "Kubernetes", "pros": ["portable"]}])
    record_of("FT", "Portable")
    assert idents("portable", kind="DR") == ["DR-1"]
    assert set(idents("portable")) == {"DR-1", "FT-1"}


def test_tombstones_are_not_found(record_of, ada):
    from stories.operations import delete_record  # noqa: PLC0415

    record = record_of("FT", "Cron")
    delete_record(record, by=ada, at=NOW, reason="r")
    assert idents("cron") == []


@pytest.mark.parametrize(
    "text",
    [
        "US-12",
        "a-b",
        "c++",
        '"unbalanced',
        "*",
        "cron AND",
        "(",
        "NEAR(a b)",
        "\0",
        "'",
        "a:b",
        "^",
        "مرحبا",
    ],
)
def test_no_text_is_a_query_of_its_own(record_of, text):
    record_of("FT", "Cron")
    search.hits(text)
    list(search.matching(Record.objects.all(), text))


def test_accents_do_not_matter(record_of):
    record_of("PE", "Taavi Väänänen")
    if search.connection.vendor == "sqlite":
        assert idents("vaananen") == ["PE-1"]
    assert idents("Väänänen") == ["PE-1"]
