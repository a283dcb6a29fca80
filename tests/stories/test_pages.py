"""Every page of records answers, for everyone who may see it, in a constant number of queries."""

import pytest
from django.test import Client

from stories.kinds import BY_SLUG
from stories.models import Record

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
