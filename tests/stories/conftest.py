"""Records for tests: the catalogue that comes with the portal, and a few made by hand."""

import pytest
from django.core.management import call_command

from stories.models import Record
from stories.operations import create_record
from tests.conftest import NOW


@pytest.fixture
def catalogue(db):
    call_command("load_catalogue", verbosity=0)
    return Record.objects.all()


@pytest.fixture
def record_of(wanda):
    """Make a record of a kind with a few fields."""

    def make(kind, title="A title", by=wanda, **fields):
        return create_record(kind, title=title, fields=fields, by=by, at=NOW)

    return make


@pytest.fixture
def get():
    def by_ident(ident):
        return Record.objects.by_ident(ident).get()

    return by_ident
