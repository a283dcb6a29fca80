"""Every page of records answers, for everyone who may see it, in a constant number of queries."""

import re

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from stories.kinds import BY_SLUG
from stories.models import Baseline, Record
from stories.operations import edit_record

pytestmark = pytest.mark.django_db

BOARDS = [
    "/stories/",
    "/stories/findings/",
    "/stories/findings/?code=since-unknown",
    "/stories/questions/",
    "/stories/matrix/",
    "/stories/matrix/?gaps=1&status=proposed",
    "/stories/search/?q=webservice",
    "/stories/search/?q=%00%22*",
    "/stories/changes/",
    "/stories/baselines/",
    "/r/DR-1/-/madr",
    "/r/DR-1/-/wikitext",
    "/stories/changes.atom",
    "/stories/findings.atom",
]


@pytest.mark.parametrize("address", BOARDS)
def test_boards_are_public(catalogue, address):
    assert Client().get(address).status_code == 200


@pytest.mark.parametrize("slug", sorted(BY_SLUG))
def test_lists_filter_and_export(catalogue, slug):
    client = Client()
    for query in ("", "?q=the&status=open&flag=since-unknown", "?format=csv", "?format=json"):
        assert client.get(f"/stories/{slug}/{query}").status_code == 200


def test_a_list_is_exported_whole(catalogue, django_assert_max_num_queries):
    count = Record.objects.present().filter(kind="FT").count()
    with django_assert_max_num_queries(8):
        answer = Client().get("/stories/features/?format=json")
    exported = {each["ident"]: each for each in answer.json()["records"]}
    assert len(exported) == count
    assert exported["FT-1"] == Record.objects.get(kind="FT", number=1).snapshot()
    lines = Client().get("/stories/features/?format=csv").content.decode().splitlines()
    assert len(lines) > count


def test_every_record_has_its_pages(catalogue, wanda, ada, client_of):
    clients = [Client(), client_of(wanda), client_of(ada)]
    for record in Record.objects.filter(number__lte=3):
        for place, client in enumerate(clients):
            for leaf in ("", "/-/history", "/-/diff", "/-/discussion", "/-/trace"):
                answer = client.get(f"/r/{record.ident}{leaf}")
                assert answer.status_code == 200, (record.ident, leaf)
            if place:
                assert client.get(f"/r/{record.ident}/-/edit").status_code == 200


def test_address_with_words_and_without(catalogue, get):
    record = get("FT-2")
    assert record.get_absolute_url() == "/r/FT-2/jobs-on-a-schedule"
    assert Client().get("/r/FT-2/jobs-on-a-schedule").status_code == 200
    assert Client().get("/r/FT-999").status_code == 404
    assert Client().get("/r/XX-1").status_code == 404


def test_an_ident_in_the_search_box_leads_to_the_record(catalogue):
    assert Client().get("/stories/search/?q=ft-2").headers["Location"].startswith("/r/FT-2")


def test_found_words_are_marked_and_nothing_else_is_markup(record_of):
    record_of("FT", "<script>alert(1)</script> quartz", summary="a quartz <b>clock</b>")
    page = Client().get("/stories/search/?q=quartz").content.decode()
    assert "<mark>quartz</mark>" in page
    assert "<script>alert" not in page


def test_a_page_as_of_a_day(catalogue):
    assert "not there yet" in Client().get("/r/FT-2?at=2001-01-01").content.decode()
    assert "As it was at the end of" in Client().get("/r/FT-2?at=2099-01-01").content.decode()
    assert Client().get("/r/FT-2?at=tomorrow").status_code == 302


def test_lists_ask_as_much_for_many_as_for_few(
    record_of, django_assert_max_num_queries, django_assert_num_queries
):
    for number in range(3):
        record_of("FT", f"Feature {number}")
    client = Client()
    with django_assert_max_num_queries(6) as few:
        client.get("/stories/features/")
    for number in range(30):
        record_of("FT", f"More {number}")
    with django_assert_num_queries(len(few)):
        client.get("/stories/features/")


def test_a_baseline_and_what_changed_since(catalogue, get, wanda, client_of):
    client = client_of(wanda)
    client.post("/stories/baselines/", {"name": "First", "note": "as loaded"})
    client.post("/stories/baselines/", {"name": "First"})
    baseline = Baseline.objects.get()
    place = f"/stories/baselines/{baseline.pk}/"
    assert "Nothing has changed since" in client.get(place).content.decode()
    edit_record(get("FT-2"), by=wanda, at=timezone.now(), version=1, title="Cron")
    page = Client().get(place).content.decode()
    assert "/r/FT-2/-/diff?from=1&amp;to=2" in page
    assert Client().post("/stories/baselines/", {"name": "X"}).status_code == 403


def test_a_decision_in_the_forms_of_others(catalogue):
    madr = Client().get("/r/DR-2/-/madr").content.decode()
    assert madr.startswith("---\nstatus: draft\n---\n\n# How often")
    assert "* Good, because Most hosters do it so" in madr
    wikitext = Client().get("/r/DR-2/-/wikitext").content.decode()
    assert "[[phab:T325196]]" in wikitext
    assert Client().get("/r/FT-2/-/madr").status_code == 404


def test_markup_of_a_wiki_is_shown_as_it_is(record_of):
    record_of("DR", problem="{{delete}} <b> [[x]]", options=[])
    text = Client().get("/r/DR-1/-/wikitext").content.decode()
    assert "{{delete}}" not in text.replace("<nowiki>{{</nowiki>", "")


def test_the_static_site_has_no_dead_link(catalogue, tmp_path):
    call_command("export_site", tmp_path, verbosity=0)
    pages = {path.name: path.read_text() for path in tmp_path.glob("*.html")}
    assert len(pages) == 110
    for name, text in pages.items():
        for link in re.findall(r'href="([^"]*)"', text):
            target, _hash, anchor = link.partition("#")
            if target.startswith("https:"):
                continue
            assert (tmp_path / (target or name)).is_file(), (name, link)
            if anchor:
                assert f'id="{anchor}"' in pages[target or name], (name, link)
