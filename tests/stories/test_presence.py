"""Who else has the form of a record open."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client

from stories.presence import GONE_AFTER, others_at
from tests.conftest import NOW


@pytest.fixture(autouse=True)
def _empty():
    cache.clear()


def test_nobody_is_told_of_themselves():
    assert others_at(1, username="wanda", now=NOW) == []
    assert others_at(1, username="wanda", now=NOW) == []


def test_each_is_told_of_the_others_at_the_same_record():
    others_at(1, username="wanda", now=NOW)
    others_at(2, username="ada", now=NOW)
    assert others_at(1, username="alice", now=NOW) == ["wanda"]
    assert others_at(1, username="wanda", now=NOW) == ["alice"]


def test_who_has_gone_is_forgotten():
    others_at(1, username="wanda", now=NOW)
    assert others_at(1, username="alice", now=NOW + GONE_AFTER - timedelta(seconds=1)) == ["wanda"]
    assert others_at(1, username="alice", now=NOW + GONE_AFTER) == []


def test_the_form_asks_and_the_names_are_text(client_of, wanda, ada, record_of):
    record_of("FT")
    wanda.username = "<b>wanda"
    wanda.save(update_fields=["username"])
    assert "/r/FT-1/-/editors" in client_of(ada).get("/r/FT-1/-/edit").content.decode()
    client_of(wanda).get("/r/FT-1/-/editors")
    fragment = client_of(ada).get("/r/FT-1/-/editors").content.decode()
    assert "&lt;b&gt;wanda has this form open too" in fragment


def test_strangers_are_not_told(record_of):
    record_of("FT")
    assert Client().get("/r/FT-1/-/editors").status_code == 302
