"""Tools: names, operations, pages, REST."""

import pytest
from cryptography.fernet import InvalidToken
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from portal.tools.models import EnvVar, Membership, Tool
from portal.tools.operations import (
    StaleVersion,
    ToolRefused,
    delete_variable,
    edit_tool,
    register_tool,
    set_status,
    set_variable,
    variables_for,
)
from tests.conftest import NOW

BAD_NAMES = [
    "", "a", "Hat", "1hat", "hat-", "-hat", "ha--t", "h_t", "hat.x", "hat;rm", "hut\n", "ħat",
    "a" * 41, "www", "api", "admin", "register",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_bad_name_is_refused_in_words(name, alice):
    with pytest.raises(ToolRefused) as caught:
        register_tool(name, by=alice, at=NOW, title="x")
    assert caught.value.field == "name"
    assert not Tool.objects.exists()


def test_a_taken_name_is_refused(hat, bob):
    with pytest.raises(ToolRefused, match="taken"):
        register_tool("hat", by=bob, at=NOW, title="x")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("license", "<b>"),
        ("repository", "ftp://x"),
        ("repository", "https://user:pw@x/y"),
        ("repository", "-x"),
    ],
)
def test_a_bad_value_is_refused_by_field(field, value, alice):
    with pytest.raises(ToolRefused) as caught:
        register_tool("hat", by=alice, at=NOW, **{"title": "x", field: value})
    assert caught.value.field == field


def test_an_edit_is_kept_with_what_was_before(hat, alice):
    edit_tool(hat, by=alice, at=NOW, version=1, title="New")
    event = hat.events.first()
    assert (event.before, event.after) == ({"title": "Hat"}, {"title": "New"})


def test_only_the_first_of_two_editors_wins(hat, alice):
    edit_tool(Tool.objects.get(), by=alice, at=NOW, version=1, title="First")
    with pytest.raises(StaleVersion):
        edit_tool(hat, by=alice, at=NOW, version=1, title="Second")
    assert Tool.objects.get().title == "First"


def test_who_sees_what_is_part_of_the_query(hat, alice, bob, mallory, ada):
    Membership.objects.create(tool=hat, user=bob, role="viewer")
    who = [alice, bob, mallory, ada, None]
    assert [Tool.objects.maintained_by(user).exists() for user in who] == [
        True,
        False,
        False,
        True,
        False,
    ]
    assert [Tool.objects.visible_to(user).exists() for user in who] == [
        True,
        True,
        False,
        True,
        False,
    ]
    set_status(hat, "archived", by=ada, at=NOW)
    assert not Tool.objects.public().exists()


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=300))
def test_a_variable_comes_out_as_it_went_in(value, hat, alice):
    set_variable(hat, name="V", value=value, by=alice, at=NOW)
    assert variables_for(hat, phase="run")[0].value == value


def test_a_variable_is_encrypted_where_it_lies(hat, alice, settings):
    set_variable(hat, name="V", value="hunter2-hunter2", by=alice, at=NOW)
    assert b"hunter2" not in bytes(EnvVar.objects.get().encrypted)
    settings.ENCRYPTION_KEYS = ["new", *settings.ENCRYPTION_KEYS]
    assert EnvVar.objects.get().value == "hunter2-hunter2"
    settings.ENCRYPTION_KEYS = ["other"]
    with pytest.raises(InvalidToken):
        assert EnvVar.objects.get().value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("1X", "x"), ("A-B", "x"), ("", "x"), ("LD_PRELOAD", "x"), ("PATH", "x"), ("CNB_X", "x"),
        ("GIT_DIR", "x"), ("PORT", "x"), ("ld_preload", "x"), ("V", "a\0b"), ("V", "x" * 40_000),
    ],
)  # fmt: skip
def test_a_variable_that_would_break_out_is_refused(name, value, hat, alice):
    with pytest.raises(ToolRefused):
        set_variable(hat, name=name, value=value, by=alice, at=NOW)
    assert not EnvVar.objects.exists()


def test_variables_are_for_builds_or_for_the_webservice(hat, alice):
    set_variable(hat, name="B", value="x", for_build=True, for_run=False, by=alice, at=NOW)
    run = set_variable(hat, name="R", value="x", by=alice, at=NOW)
    assert [each.name for each in variables_for(hat, phase="build")] == ["B"]
    delete_variable(run, by=alice, at=NOW)
    assert variables_for(hat, phase="run") == []


def page(client, path, data=None):
    answer = client.post(path, data) if data is not None else client.get(path)
    return answer, answer.content.decode()


def test_a_tool_is_registered_in_the_browser(alice, client_of):
    client = client_of(alice)
    answer, _text = page(client, "/tools/register/", {"name": "hat", "title": "Hat"})
    assert answer.url == "/tools/hat/builds/start/"
    assert Tool.objects.get().created_by == alice


def test_a_mistake_in_the_form_is_said_and_nothing_lost(hat, alice, client_of):
    data = {"name": "hat", "title": "Kept", "repository": "ftp://x"}
    _answer, text = page(client_of(alice), "/tools/register/", data)
    assert "Use the https address" in text
    assert "This name is taken" in text
    assert 'value="Kept"' in text


def test_an_example_fills_the_form(alice, client_of, settings):
    settings.DEBUG = True
    _answer, text = page(client_of(alice), "/tools/register/?example=flask-hello")
    assert "/examples/flask-hello.git" in text
    _answer, text = page(client_of(alice), "/tools/register/?example=../../etc")
    assert "/etc" not in text


@pytest.mark.parametrize(
    ("name", "words"), [("hat", "taken"), ("Hat", "small letters"), ("scarf", "is free"), ("", "")]
)
def test_a_name_is_checked_as_it_is_typed(name, words, hat, alice, client_of):
    _answer, text = page(client_of(alice), f"/tools/name-check/?name={name}")
    assert words in text


def test_an_edit_from_an_old_page_is_refused(hat, alice, client_of):
    client = client_of(alice)
    assert page(client, "/tools/hat/edit/", {"title": "A", "version": 1})[0].status_code == 302
    _answer, text = page(client, "/tools/hat/edit/", {"title": "B", "version": 1})
    assert "Somebody else changed this tool" in text
    assert Tool.objects.get().title == "A"


def test_variables_are_set_listed_and_deleted_in_the_browser(hat, alice, client_of):
    client = client_of(alice)
    data = {"name": "TOKEN", "value": "hunter2-hunter2", "is_secret": "on", "for_run": "on"}
    page(client, "/tools/hat/variables/", data)
    text = page(client, "/tools/hat/variables/")[1]
    assert "TOKEN" in text
    assert "hunter2" not in text
    assert "The platform sets" in page(client, "/tools/hat/variables/", {**data, "name": "PATH"})[1]
    page(client, f"/tools/hat/variables/{EnvVar.objects.get().pk}/delete/", {})
    assert not EnvVar.objects.exists()


def test_an_administrator_disables_a_tool(hat, ada, alice, client_of):
    assert (
        client_of(alice).post("/tools/hat/set-status/", {"status": "disabled"}).status_code == 403
    )
    client_of(ada).post("/tools/hat/set-status/", {"status": "disabled"})
    assert Tool.objects.get().status == "disabled"
    assert "tool.disabled" in page(client_of(alice), "/tools/hat/history/")[1]


def test_a_tool_is_registered_over_rest(alice, api_of):
    answer = api_of(alice).post("/api/v1/tools/", {"name": "hat", "title": "Hat"})
    assert (answer.status_code, answer.headers["Location"]) == (201, "/api/v1/tools/hat/")


def test_a_refusal_over_rest_is_a_problem_with_the_field(hat, alice, api_of):
    answer = api_of(alice).post("/api/v1/tools/", {"name": "hat", "title": "Hat"})
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["type"]) == (422, "/problems/invalid")
    assert problem["errors"] == [{"field": "name", "detail": "This name is taken. Choose another."}]


def test_what_is_missing_over_rest_is_named(alice, api_of):
    problem = api_of(alice).post("/api/v1/tools/", {}).json()
    assert {each["field"] for each in problem["errors"]} == {"name", "title"}


@pytest.mark.parametrize(("etag", "status"), [(None, 428), ('"hat.v9"', 412), ('"hat.v1"', 200)])
def test_an_edit_over_rest_needs_the_etag_that_was_read(etag, status, hat, alice, api_of):
    headers = {"If-Match": etag} if etag else {}
    answer = api_of(alice).patch("/api/v1/tools/hat/", {"title": "New"}, headers=headers)
    assert answer.status_code == status
    assert (Tool.objects.get().title == "New") == (status == 200)


def test_a_foreign_tool_is_not_there(hat, mallory, api_of):
    client = api_of(mallory)
    for path in ("members", "variables", "builds", "webservice"):
        assert client.get(f"/api/v1/tools/hat/{path}/").status_code == 404
    headers = {"If-Match": '"hat.v1"'}
    problem = client.patch("/api/v1/tools/hat/", {"title": "x"}, headers=headers).json()
    assert problem["detail"] == "There is nothing here, or nothing that you may see."


def test_variables_are_kept_over_rest(hat, alice, api_of):
    client = api_of(alice)
    made = client.post("/api/v1/tools/hat/variables/", {"name": "T", "value": "hunter2-x"})
    assert (made.status_code, made.json()["shown_value"]) == (201, "••••••")
    assert "hunter2" not in client.get("/api/v1/tools/hat/variables/").content.decode()
    assert client.delete("/api/v1/tools/hat/variables/T/").status_code == 204


def test_all_tools_are_walked_by_cursor(alice, api_of):
    Tool.objects.bulk_create(
        Tool(name=f"t-{number}", title="x", created_at=NOW) for number in range(70)
    )
    client, names, address = api_of(alice), [], "/api/v1/tools/?page_size=30"
    while address:
        data = client.get(address).json()
        names += [tool["name"] for tool in data["results"]]
        address = data["next"]
    assert len(names) == len(set(names)) == 70
