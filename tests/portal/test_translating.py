"""What `make messages` collects reaches the pages once somebody has translated it."""

import shutil

import pytest
from django.core.management import CommandError, call_command
from django.test import Client, override_settings

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not shutil.which("msgfmt"), reason="gettext is not installed"),
]
ELSEWHERE = ["tests/*", "benchmarks/*", "examples/*", "deploy/*"]


@pytest.fixture
def catalogue(tmp_path):
    """The file that a translator gets."""
    with override_settings(LOCALE_PATHS=[tmp_path]):
        call_command("makemessages", locale=["ar"], ignore_patterns=ELSEWHERE, verbosity=0)
    return tmp_path / "ar" / "LC_MESSAGES" / "django.po"


def translate(catalogue, text, translation):
    given = catalogue.read_text()
    asked = f'msgid "{text}"\nmsgstr ""'
    assert asked in given, text
    catalogue.write_text(given.replace(asked, f'msgid "{text}"\nmsgstr "{translation}"'))


def compiled(catalogue):
    with override_settings(LOCALE_PATHS=[catalogue.parents[2]]):
        call_command("compilemessages", locale=["ar"], verbosity=0)
    # Django reads catalogues anew when it is told of others.
    return override_settings(LOCALE_PATHS=[catalogue.parents[2]])


def test_a_translation_reaches_the_pages(catalogue):
    # Of a template, of a field of a record, and one into which a field's name is put.
    translate(catalogue, "More filters", "مرشحات أخرى")
    translate(catalogue, "Decide by", "القرار بحلول")
    translate(catalogue, "%s, from", "%s من")
    with compiled(catalogue):
        page = Client().get("/stories/decisions/", HTTP_ACCEPT_LANGUAGE="ar").content.decode()
        english = Client().get("/stories/decisions/").content.decode()
    assert "مرشحات أخرى" in page
    assert "القرار بحلول من" in page
    assert "Words" in page
    assert "More filters" in english


def test_a_translation_that_loses_a_name_is_not_compiled(catalogue):
    translate(catalogue, "%s, from", "من")
    with pytest.raises(CommandError):
        compiled(catalogue)
