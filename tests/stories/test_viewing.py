"""Filters that people keep under a name: whose they are, what they may hold, who sees them."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from portal.accounts.models import ApiToken
from portal.tools.models import AuditEvent
from stories.models import SavedView
from stories.operations import NotAllowed, Refused, change_view, delete_view, edit_record, save_view
from stories.operations.viewing import VIEWS_AT_MOST
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
URL = "/api/v1/views/"
OPEN = {"status": ["proposed"], "q": ["cron"]}


@pytest.fixture
def saved():
    def save(by, name="Mine", filters=OPEN, **how):
        return save_view("US", name=name, filters=filters, by=by, at=NOW, **how)

    return save


def test_a_view_leads_to_the_list_with_its_filter(saved, alice, record_of):
    record_of("US", "Run cron")
    view = saved(alice, filters={"q": ["cron"]})
    assert view.get_absolute_url() == "/stories/stories/?q=cron"
    assert "Run cron" in Client().get(view.get_absolute_url()).content.decode()


def test_own_views_stand_first_and_foreign_ones_nowhere(saved, alice, wanda, client_of):
    saved(wanda, "A shared one", is_shared=True)
    saved(wanda, "Only for wanda")
    saved(alice, "Zebra")
    page = client_of(alice).get("/stories/stories/").content.decode()
    assert page.index("Zebra") < page.index("A shared one")
    assert "Only for wanda" not in page
    assert "Zebra" not in client_of(alice).get("/stories/features/").content.decode()
    visitor = Client().get("/stories/stories/").content.decode()
    assert "A shared one" in visitor
    assert "Zebra" not in visitor


@pytest.mark.parametrize(
    ("filters", "sentence"),
    [
        ({"colour": ["red"]}, "This list has no filter “colour”."),
        ({"fields__role": ["x"]}, "This list has no filter “fields__role”."),
        ({"page": ["2"]}, "no filter “page”"),
        ({"status": ["proposed", "shipped"]}, "“status” does not know “shipped”"),
        ({"priority": ["could", "must"]}, "one value for the filter “priority”"),
        ({"flag": ["no-such-check"]}, "“flag” does not know"),
        ({"order": ["sideways"]}, "“order” does not know"),
        ({"q": ["x" * 201]}, "at most 200 plain characters"),
        ({"tag": ["a\0b"]}, "at most 200 plain characters"),
        ({"q": ["\u202eevil"]}, "at most 200 plain characters"),
        ({"q": [" "], "status": [""]}, "Set a filter first"),
        ({}, "Set a filter first"),
    ],
)
def test_what_is_no_filter_is_refused_with_a_sentence(saved, alice, filters, sentence):
    with pytest.raises(Refused, match=sentence):
        saved(alice, filters=filters)
    assert not SavedView.objects.exists()


def test_everything_that_is_wrong_is_said_at_once(saved, alice):
    with pytest.raises(Refused) as refused:
        saved(alice, filters={"colour": ["red"], "order": ["sideways"]})
    assert [each.field for each in refused.value.missing] == ["colour", "order"]


def test_spaces_and_repeated_values_are_no_difference(saved, alice):
    view = saved(alice, "  My \n view ", {"status": ["proposed", " proposed", ""], "q": [" a  b "]})
    assert view.name == "My view"
    assert view.filters == {"status": ["proposed"], "q": ["a b"]}


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\0b", "\u202eevil"])
def test_a_name_is_plain_and_not_too_long(saved, alice, name):
    with pytest.raises(Refused, match="at most 100 plain characters"):
        saved(alice, name)


def test_a_name_is_taken_once_by_each_person(saved, alice, bob):
    saved(alice, "Mine")
    saved(bob, "Mine")
    with pytest.raises(Refused, match="Give this one another name"):
        saved(alice, "Mine")
    other = saved(alice, "Other")
    with pytest.raises(Refused, match="Give this one another name"):
        change_view(other, name="Mine", by=alice, at=NOW)


def test_nobody_keeps_more_than_the_limit(saved, alice, bob):
    for number in range(VIEWS_AT_MOST):
        saved(alice, f"View {number}")
    with pytest.raises(Refused, match="Delete one first"):
        saved(alice, "One more")
    saved(bob)
    delete_view(alice.saved_views.first(), by=alice, at=NOW)
    saved(alice, "One more")


def test_only_the_workgroup_shares(saved, alice, wanda):
    with pytest.raises(NotAllowed, match="Only members of the workgroup"):
        saved(alice, is_shared=True)
    own = saved(alice)
    with pytest.raises(NotAllowed, match="Only members of the workgroup"):
        change_view(own, is_shared=True, by=alice, at=NOW)
    assert saved(wanda, is_shared=True).is_shared


def test_an_administrator_keeps_shared_views_only(saved, alice, wanda, ada):
    shared, private = saved(wanda, is_shared=True), saved(alice)
    change_view(shared, name="Clearer", by=ada, at=NOW)
    for by in (alice, ada):
        with pytest.raises(NotAllowed):
            change_view(private if by == ada else shared, name="Taken", by=by, at=NOW)
        with pytest.raises(NotAllowed):
            delete_view(private if by == ada else shared, by=by, at=NOW)
    delete_view(shared, by=ada, at=NOW)
    assert [each.name for each in SavedView.objects.all()] == ["Mine"]


def test_the_history_tells_of_every_change_and_of_no_other(saved, alice):
    view = saved(alice)
    change_view(view, name="Mine", by=alice, at=NOW)
    change_view(view, filters={"tag": ["grid"]}, by=alice, at=NOW)
    delete_view(view, by=alice, at=NOW)
    events = AuditEvent.objects.filter(action__startswith="record_view.").order_by("pk")
    assert [each.action.partition(".")[2] for each in events] == ["saved", "changed", "deleted"]
    assert events[1].before["filters"] == "status=proposed&q=cron"
    assert events[1].after["filters"] == "tag=grid"


def test_a_view_outlives_a_choice_that_its_kind_forgot(saved, alice):
    view = saved(alice)
    SavedView.objects.filter(pk=view.pk).update(filters={"status": ["forgotten"]})
    view.refresh_from_db()
    assert change_view(view, name="Old", by=alice, at=NOW).filters == {"status": ["forgotten"]}
    page = Client().get(view.get_absolute_url())
    assert "does not know “forgotten”" in page.content.decode()


def test_tags_and_choices_are_filters(record_of, wanda, alice, saved):
    record_of("US", "First", tags=["grid", "Cron jobs"])
    record_of("US", "Second", tags=["grids"], priority="must")
    pages = {
        query: Client().get(f"/stories/stories/?{query}").content.decode()
        for query in ("tag=grid", "tag=cron+jobs", "tag=cron", "priority=must", "owner=x")
    }
    found = {
        query: [title for title in ("First", "Second") if f">{title}</a>" in page]
        for query, page in pages.items()
    }
    assert found == {
        "tag=grid": ["First"],
        "tag=cron+jobs": ["First"],
        "tag=cron": [],
        "priority=must": ["Second"],
        "owner=x": [],
    }


def test_the_list_orders_as_it_is_asked(record_of, wanda):
    first, _second = record_of("FT", "Zebra"), record_of("FT", "Ant")
    edit_record(first, by=wanda, at=NOW + timedelta(hours=1), version=1, title="Zebra again")
    api = APIClient()
    for order, idents in (("", "FT-2 FT-1"), ("title", "FT-2 FT-1"), ("updated", "FT-1 FT-2")):
        rows = api.get(f"/api/v1/records/?kind=FT&order={order}").json()["results"]
        assert [row["ident"] for row in rows] == idents.split()


def test_the_form_is_there_when_a_filter_is_set_and_somebody_signed_in(client_of, alice, wanda):
    asked, plain = "/stories/stories/?q=cron&utm=1&page=1", "/stories/stories/"
    assert "Save this filter" in client_of(alice).get(asked).content.decode()
    assert "Share with everybody" not in client_of(alice).get(asked).content.decode()
    assert "Share with everybody" in client_of(wanda).get(asked).content.decode()
    assert "Save this filter" not in client_of(alice).get(plain).content.decode()
    assert "Save this filter" not in Client().get(asked).content.decode()


def test_a_filter_is_saved_renamed_and_deleted_on_pages(client_of, alice):
    client = client_of(alice)
    sent = {"name": "Mine", "query": "q=cron&status=proposed"}
    answer = client.post("/stories/stories/views/", sent)
    assert answer.headers["Location"] == "/stories/stories/?q=cron&status=proposed"
    view = SavedView.objects.get()
    client.post(f"/stories/views/{view.pk}/", {"name": "Ours"})
    page = client.get("/stories/views/").content.decode()
    assert "Ours" in page
    assert "Words: cron, Status: Proposed" in page
    client.post(f"/stories/views/{view.pk}/delete/")
    assert not SavedView.objects.exists()


def test_what_was_typed_stays_when_it_is_refused(client_of, alice, saved):
    client, view = client_of(alice), saved(alice)
    saved(alice, "Taken")
    answer = client.post("/stories/stories/views/", {"name": "Taken", "query": "q=cron"})
    assert (answer.status_code, 'value="Taken"' in answer.content.decode()) == (422, True)
    assert "Give this one another name" in answer.content.decode()
    answer = client.post("/stories/stories/views/", {"name": "New", "query": "colour=red"})
    assert "no filter “colour”" in answer.content.decode()
    answer = client.post(f"/stories/views/{view.pk}/", {"name": "Taken"})
    assert (answer.status_code, 'value="Taken"' in answer.content.decode()) == (422, True)


def test_a_foreign_view_is_not_there(client_of, api_of, saved, alice, bob, wanda):
    private, shared = saved(alice), saved(wanda, is_shared=True)
    for view in (private, shared):
        assert client_of(bob).post(f"/stories/views/{view.pk}/", {"name": "x"}).status_code == 404
        assert client_of(bob).post(f"/stories/views/{view.pk}/delete/").status_code == 404
        assert api_of(bob).patch(f"{URL}{view.pk}/", {"name": "x"}).status_code == 404
        assert api_of(bob).delete(f"{URL}{view.pk}/").status_code == 404
    assert api_of(bob).get(f"{URL}{private.pk}/").status_code == 404
    assert api_of(bob).get(f"{URL}{shared.pk}/").json()["owner"] == "wanda"


def test_over_rest_too(api_of, alice, wanda, saved):
    saved(wanda, "Shared", is_shared=True)
    api = api_of(alice)
    new = {"kind": "US", "name": "Mine", "filters": OPEN}
    answer = api.post(URL, new, format="json")
    assert answer.status_code == 201, answer.json()
    place = f"{URL}{answer.json()['id']}/"
    assert [each["name"] for each in api.get(URL).json()["results"]] == ["Mine", "Shared"]
    assert api.get(f"{URL}?kind=FT").json()["results"] == []
    assert [each["name"] for each in APIClient().get(URL).json()["results"]] == ["Shared"]
    changed = api.patch(place, {"filters": {"tag": ["grid"]}}, format="json").json()
    assert (changed["name"], changed["url"]) == ("Mine", "/stories/stories/?tag=grid")
    assert api.patch(place, {"is_shared": True}, format="json").status_code == 403
    assert api.delete(place).status_code == 204
    assert api.get(place).status_code == 404


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"filters": {"colour": ["red"]}}, 422, "colour"),
        ({"filters": {"status": ["shipped"]}}, 422, "status"),
        ({"filters": {}}, 422, "filters"),
        ({"filters": {"q": "cron"}}, 400, "filters.q"),
        ({"filters": [1]}, 400, "filters"),
        ({"name": " "}, 400, "name"),
        ({"name": "x" * 101}, 400, "name"),
        ({"kind": "XX"}, 400, "kind"),
    ],
)
def test_rest_names_what_is_wrong(api_of, alice, change, status, field):
    new = {"kind": "US", "name": "Mine", "filters": OPEN, **change}
    answer = api_of(alice).post(URL, new, format="json")
    assert answer.status_code == status, answer.json()
    assert answer.json()["errors"][0]["field"] == field


def test_only_somebody_known_keeps_a_view():
    assert APIClient().post(URL, {"kind": "US"}, format="json").status_code == 401
    assert Client().post("/stories/stories/views/", {"name": "x"}).status_code == 302
    assert Client().get("/stories/views/").status_code == 302


def test_a_token_needs_the_scope_for_changing(alice, saved):
    view = saved(alice)
    for scopes, status in ((["stories:read"], 403), (["stories:write"], 200)):
        _token, value = ApiToken.issue(alice, name="x", at=timezone.now(), scopes=scopes)
        program = APIClient()
        program.credentials(HTTP_AUTHORIZATION=f"Bearer {value}")
        answer = program.patch(f"{URL}{view.pk}/", {"name": "Renamed"}, format="json")
        assert answer.status_code == status
