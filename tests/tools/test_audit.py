"""The history: what is in it, what is hidden in it, who sees it, how it leaves."""

import csv
import io
import json

import pytest
from django.test import Client
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from portal.accounts.models import ApiToken, User
from portal.tools.audit import MASK, as_csv, masked, record_event
from portal.tools.models import AppendOnlyError, AuditEvent, Membership
from portal.tools.operations import edit_tool, register_tool, set_status, set_variable
from tests.conftest import NOW


def events(client, query=""):
    answer = client.get(f"/api/v1/audit/{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def test_a_change_by_token_names_the_token_and_the_address(hat, alice, api_of):
    client = api_of(alice)
    client.patch("/api/v1/tools/hat/", {"title": "New"}, headers={"If-Match": '"hat.v1"'})
    event, prefix = hat.events.first(), ApiToken.objects.get().prefix
    assert (event.actor, event.via, event.token_prefix) == (alice, "token", prefix)
    assert event.address == "127.0.0.1"
    assert (event.before, event.after) == ({"title": "Hat"}, {"title": "New"})


def test_a_change_in_the_browser_names_the_person_and_what_was_before(hat, alice, client_of):
    data = {"title": "New", "version": 1, "repository": hat.repository}
    client_of(alice).post("/tools/hat/edit/", data)
    event = hat.events.first()
    assert (event.actor_name, event.via, event.address) == ("alice", "person", "127.0.0.1")
    assert (event.before, event.after) == ({"title": "Hat"}, {"title": "New"})


def test_what_the_platform_does_for_somebody_names_no_address(hat, alice):
    record_event(hat, by=User.objects.get(pk=alice.pk), action="x", summary="", at=NOW)
    assert hat.events.first().address is None
    record_event(hat, by=None, action="x", summary="", at=NOW)
    assert hat.events.first().via == "platform"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"password": "hunter2"}, {"password": MASK}),
        ({"a": [{"client_secret": "x", "b": 1}]}, {"a": [{"client_secret": MASK, "b": 1}]}),
        ({"tokens": ["x", "y"]}, {"tokens": [MASK, MASK]}),
        ({"API-Key": 7}, {"API-Key": MASK}),
        ({"Authorization": {"Bearer": "x"}}, {"Authorization": {"Bearer": MASK}}),
        ({"is_secret": True, "token": None}, {"is_secret": True, "token": None}),
        ({"token_prefix": "cht_abc"}, {"token_prefix": "cht_abc"}),
        ({"url": "https://u:pw@x.org/y"}, {"url": f"https://{MASK}@x.org/y"}),
        ({"secret": {"deep": [{"er": "hunter2"}]}}, {"secret": {"deep": [{"er": MASK}]}}),
    ],
)
def test_secrets_are_masked_however_deep(value, shown):
    assert masked(value) == shown


nested = st.recursive(
    st.just("hunter2") | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(value=nested)
def test_nothing_below_a_secret_field_is_left(value):
    assert "hunter2" not in json.dumps(masked({"a": {"secret_key": value}}))


def test_no_value_of_a_variable_gets_into_the_history(hat, alice):
    for value in ("hunter2-one", "hunter2-two"):
        set_variable(hat, name="V", value=value, is_secret=False, by=alice, at=NOW)
    assert "hunter2" not in "".join(str(event.__dict__) for event in hat.events.all())
    assert hat.events.first().after["value_changed"] is True


def test_what_has_happened_is_neither_changed_nor_deleted(hat, ada, client_of):
    event = hat.events.first()
    for change in (
        event.save,
        event.delete,
        AuditEvent.objects.all().delete,
        lambda: AuditEvent.objects.update(summary="x"),
    ):
        with pytest.raises(AppendOnlyError):
            change()
    admin = client_of(ada)
    assert admin.get(f"/admin/tools/auditevent/{event.pk}/change/").status_code == 200
    for page in (f"{event.pk}/change/", f"{event.pk}/delete/", "add/"):
        assert admin.post(f"/admin/tools/auditevent/{page}", {"post": "yes"}).status_code == 403
    assert admin.post(f"/admin/tools/tool/{hat.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_maintainer_sees_the_tool_an_administrator_all(hat, alice, bob, mallory, ada, api_of):
    register_tool("scarf", by=bob, at=NOW, title="Scarf")
    Membership.objects.create(tool=hat, user=mallory, role="viewer")
    seen = {
        who.username: {event["tool"] for event in events(api_of(who))}
        for who in (alice, bob, mallory, ada)
    }
    assert seen == {"alice": {"hat"}, "bob": {"scarf"}, "mallory": {"hat"}, "ada": {"hat", "scarf"}}


def test_a_foreign_tool_cannot_be_asked_for_by_filter(hat, bob, api_of, client_of):
    assert events(api_of(bob), "?tool=hat") == []
    assert "tool.registered" not in client_of(bob).get("/audit/?tool=hat").content.decode()
    assert "tool.registered" not in client_of(bob).get("/audit/export/?tool=hat").content.decode()


def test_addresses_are_for_administrators_and_for_whose_they_are(
    hat, alice, bob, ada, api_of, client_of
):
    Membership.objects.create(tool=hat, user=bob)
    headers = {"If-Match": '"hat.v1"'}
    api_of(alice).patch("/api/v1/tools/hat/", {"title": "New"}, headers=headers)
    seen = [events(api_of(who))[0]["address"] for who in (alice, bob, ada)]
    assert seen == ["127.0.0.1", None, "127.0.0.1"]
    assert "127.0.0.1" not in client_of(bob).get("/tools/hat/history/").content.decode()


def test_the_history_is_filtered(hat, alice, ada, api_of):
    set_status(hat, "disabled", by=ada, at=NOW)
    client = api_of(ada)
    client.patch("/api/v1/tools/hat/", {"title": "New"}, headers={"If-Match": '"hat.v1"'})
    prefix = ApiToken.objects.get().prefix
    found = {
        query: [event["action"] for event in events(client, query)]
        for query in (
            "?actor=alice",
            "?action=tool.d",
            "?via=token",
            f"?token={prefix}",
            "?via=platform",
            "?since=2026-05-05",
            "?until=2026-05-05T00:00:00Z&action=tool.r",
        )
    }
    assert list(found.values()) == [
        ["tool.registered"],
        ["tool.disabled"],
        ["tool.edited"],
        ["tool.edited"],
        [],
        ["tool.edited"],
        ["tool.registered"],
    ]


@pytest.mark.parametrize("query", ["?via=magic", "?since=yesterday", "?before=x", "?tool=%00"])
def test_a_filter_that_makes_no_sense_is_no_error_of_ours(query, hat, ada, client_of, api_of):
    assert client_of(ada).get(f"/audit/{query}").status_code == 200
    assert api_of(ada).get(f"/api/v1/audit/{query}").status_code in {200, 400}
    assert api_of(ada).get(f"/api/v1/audit/export/{query}").status_code in {200, 400}


def test_it_is_exported_as_csv_that_no_spreadsheet_calculates(hat, alice, client_of, api_of):
    edit_tool(hat, by=alice, at=NOW, version=1, title="New")
    record_event(hat, by=alice, action="x", summary='=HYPERLINK("https://evil")', at=NOW)
    for answer in (
        client_of(alice).get("/audit/export/?as=csv&tool=hat"),
        api_of(alice).get("/api/v1/audit/export/?as=csv&tool=hat"),
    ):
        rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
        assert rows[0]["summary"] == '\'=HYPERLINK("https://evil")'
        assert json.loads(rows[1]["after"]) == {"title": "New"}
        assert "audit.csv" in answer.headers["Content-Disposition"]


def test_it_is_exported_as_json_lines_in_parts(hat, alice, api_of, monkeypatch):
    monkeypatch.setattr("portal.tools.exports.EXPORT_AT_MOST", 2)
    for number in range(4):
        record_event(hat, by=alice, action="x", summary=f"ü{number}\n", at=NOW)
    client, address, found = api_of(alice), "/api/v1/audit/export/?as=jsonl&action=x", []
    while address:
        answer = client.get(address)
        found += [json.loads(line)["summary"] for line in answer.content.decode().splitlines()]
        address = answer.headers.get("Link", "").partition(">")[0].lstrip("<")
    assert found == ["ü3\n", "ü2\n", "ü1\n", "ü0\n"]


def test_a_csv_has_a_header_even_when_empty():
    assert as_csv([]).startswith("id,at,actor")


def test_pages_of_the_history_skip_nothing(hat, alice, client_of):
    for number in range(60):
        record_event(hat, by=alice, action="x", summary=f"number-{number}.", at=NOW)
    client = client_of(alice)
    first = client.get("/tools/hat/history/?action=x")
    second = client.get(f"/tools/hat/history/?{first.context['older']}")
    shown = [event.summary for page in (first, second) for event in page.context["events"]]
    assert shown == [f"number-{number}." for number in reversed(range(60))]


def test_signing_in_and_tokens_are_in_the_history_of_the_account(db):
    client = Client()
    client.post("/accounts/development/", {"username": "alice"})
    client.post("/accounts/tokens/", {"name": "ci", "days": "30", "scopes": ["read"]})
    token = ApiToken.objects.get()
    client.post(f"/accounts/tokens/{token.pk}/revoke/")
    client.post("/accounts/logout/")
    told = AuditEvent.objects.order_by("pk")
    assert [event.action for event in told] == [
        "account.signed-in",
        "token.created",
        "token.revoked",
        "account.signed-out",
    ]
    assert {event.actor_name for event in told} == {"alice"}
    assert told[1].after["scopes"] == ["read"]
    assert token.digest not in str(told.values())


def test_a_role_given_in_the_admin_site_is_in_the_history(alice, ada, client_of):
    client_of(ada).post(
        f"/admin/accounts/user/{alice.pk}/change/",
        {"email": "", "is_active": "on", "is_workgroup": "on"},
    )
    event = AuditEvent.objects.get(action="account.changed")
    assert (event.actor_name, event.summary) == ("ada", "alice")
    assert (event.before, event.after) == ({"is_workgroup": False}, {"is_workgroup": True})


def test_a_status_that_is_so_already_is_no_event(hat, ada):
    count = AuditEvent.objects.count()
    set_status(hat, "active", by=ada, at=NOW)
    assert AuditEvent.objects.count() == count
