"""Pages made from an older version: they change nothing, say so, and hold what was written."""

import re
from html import unescape

import pytest
from django.utils import timezone

from stories.models import Link, Record
from stories.operations import add_link, edit_record
from tests.conftest import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(record_of, wanda):
    """A story whose page was opened, and that was saved since: version 2."""
    record = record_of("US", "Fly")
    record_of("FT", "Wings")
    edit_record(record, by=wanda, at=timezone.now(), version=1, title="Walk")
    return record


def hidden(page):
    """What the form would send again."""
    form = page.partition('class="inline-form"')[2]
    found = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
    found.pop("csrfmiddlewaretoken")
    return {name: unescape(value) for name, value in found.items()}


FORMS = {
    "move": {"to": "deferred", "reason": "Not <now>", "look_again_on": "2999-01-01"},
    "link": {"type": "implemented_by", "to": "FT-1", "note": "by hand"},
    "restore/1": {},
    "merge": {"to": "US-2"},
    "delete": {"reason": "made twice"},
    "reconfirm": {"review_by": "2999-01-01"},
    "review": {"verdict": "approve", "text": "Fine"},
}


@pytest.mark.parametrize("leaf", sorted(FORMS))
def test_nothing_is_done_and_nothing_is_lost(story, client_of, ada, leaf):
    sent = FORMS[leaf]
    answer = client_of(ada).post(f"/r/US-1/-/{leaf}", {**sent, "version": "1"})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "It has changed since you opened the page" in page
    assert "/r/US-1/-/diff?from=1&amp;to=2" in page
    assert hidden(page) == {**sent, "version": "2"}
    assert Record.objects.by_ident("US-1").get().version == 2
    assert not Link.objects.exists()


def test_what_was_sent_is_told_in_words(story, client_of, wanda):
    answer = client_of(wanda).post("/r/US-1/-/move", {**FORMS["move"], "version": "1"})
    for told in ("Deferred", "Not &lt;now&gt;", "2999-01-01"):
        assert f"<dd>{told}</dd>" in answer.content.decode()


def test_sent_again_it_is_done(story, client_of, wanda):
    client = client_of(wanda)
    page = client.post("/r/US-1/-/link", {**FORMS["link"], "version": "1"}).content.decode()
    assert client.post("/r/US-1/-/link", hidden(page)).status_code == 302
    assert (Link.objects.get().note, Link.objects.get().source.ident) == ("by hand", "US-1")


def test_every_form_that_saves_the_record_knows_its_version(story, client_of, ada):
    add_link(story, "implemented_by", Record.objects.by_ident("FT-1").get(), by=ada, at=NOW)
    for address in ("/r/US-1", "/r/US-1/-/diff?from=1&to=3"):
        page = client_of(ada).get(address).content.decode()
        forms = re.findall(
            r'<form method="post" action="/r/[^"]*/-/(\w+)[^>]*>(.*?)</form>', page, re.S
        )
        without = {leaf for leaf, body in forms if 'name="version" value="3"' not in body}
        assert len(forms) > len(without)
        assert without <= {"support", "watch", "patrol"}


def test_a_link_is_not_removed_from_a_page_that_is_behind(story, client_of, wanda):
    feature = Record.objects.by_ident("FT-1").get()
    link = add_link(story, "implemented_by", feature, by=wanda, at=NOW)
    client, place = client_of(wanda), f"/r/US-1/-/link/{link.pk}/remove"
    assert client.post(place, {"version": "2"}).status_code == 409
    assert Link.objects.exists()
    assert client.post(place, {"version": "3"}).status_code == 302
    assert not Link.objects.exists()


@pytest.mark.parametrize("version", ["", "0", "-1", "9", "one", "9" * 400, "1\0"])
def test_a_version_that_there_is_not_is_none_that_was_read(story, client_of, wanda, version):
    answer = client_of(wanda).post("/r/US-1/-/move", {**FORMS["move"], "version": version})
    assert answer.status_code == 409
    assert Record.objects.by_ident("US-1").get().status != "deferred"


def test_a_form_that_names_no_version_goes_by_the_newest(story, client_of, wanda):
    assert client_of(wanda).post("/r/US-1/-/restore/1").status_code == 302
    assert Record.objects.by_ident("US-1").get().title == "Fly"


@pytest.fixture
def suspect(story, wanda):
    """A link whose target says something else since: version 2."""
    feature = Record.objects.by_ident("FT-1").get()
    link = add_link(story, "implemented_by", feature, by=wanda, at=NOW)
    edit_record(feature, by=wanda, at=NOW, version=1, title="Rotors")
    return link


def seen(link):
    return Link.objects.get(pk=link.pk).target_version_seen


def confirm_form(page):
    form = re.search(r'/confirm">(.*?)</form>', page, re.S)[1]
    return dict(re.findall(r'name="(\w+)" value="(\d+)"', form))


def test_the_page_shows_what_changed_at_the_other_end(suspect, client_of, wanda):
    page = client_of(wanda).get("/r/US-1").content.decode()
    assert "/r/FT-1/-/diff?from=1&amp;to=2" in page
    assert confirm_form(page) == {"version": "3", "target_version": "2"}


def test_what_was_read_at_the_other_end_is_confirmed(suspect, client_of, wanda):
    client = client_of(wanda)
    sent = confirm_form(client.get("/r/US-1").content.decode())
    assert client.post(f"/r/US-1/-/link/{suspect.pk}/confirm", sent).status_code == 302
    assert seen(suspect) == 2


def test_nobody_confirms_what_they_have_not_read(suspect, client_of, wanda):
    """The target is saved again while the page is open; sent again, what is new is confirmed."""
    client = client_of(wanda)
    sent = confirm_form(client.get("/r/US-1").content.decode())
    target = Record.objects.by_ident("FT-1").get()
    edit_record(target, by=wanda, at=NOW, version=2, title="Feathers")
    answer = client.post(f"/r/US-1/-/link/{suspect.pk}/confirm", sent)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "FT-1 has changed since you opened the page" in page
    assert "/r/FT-1/-/diff?from=2&amp;to=3" in page
    assert seen(suspect) == 1
    assert hidden(page) == {"version": "3", "target_version": "3"}
    assert client.post(f"/r/US-1/-/link/{suspect.pk}/confirm", hidden(page)).status_code == 302
    assert seen(suspect) == 3


def test_a_slip_of_the_pen_at_the_other_end_asks_nobody_again(suspect, client_of, wanda):
    target = Record.objects.by_ident("FT-1").get()
    edit_record(target, by=wanda, at=NOW, version=2, title="Rotor", is_minor=True)
    sent = {"version": "3", "target_version": "2"}
    assert client_of(wanda).post(f"/r/US-1/-/link/{suspect.pk}/confirm", sent).status_code == 302
    assert seen(suspect) == 2


@pytest.mark.parametrize("version", ["", "0", "-1", "9", "one", "9" * 400, "1\0"])
def test_a_version_that_nobody_can_have_read_confirms_nothing(suspect, client_of, wanda, version):
    sent = {"target_version": version}
    answer = client_of(wanda).post(f"/r/US-1/-/link/{suspect.pk}/confirm", sent)
    assert answer.status_code == 409
    assert seen(suspect) == 1
