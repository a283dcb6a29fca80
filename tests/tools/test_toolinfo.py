"""Toolinfo: what catalogues get, and records that are taken over."""

import json
from datetime import timedelta

import jsonschema
import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.tools.models import Membership, Tool
from portal.tools.operations import (
    StaleVersion,
    ToolRefused,
    edit_tool,
    import_toolinfo,
    preview_import,
    register_tool,
    set_status,
)
from portal.tools.toolinfo import record_of
from tests.conftest import NOW
from tests.internet import PUBLIC, Internet, Server, make_certificate

# What the documentation of toolinfo 1.2.2 says of the fields that we write.
URL = {"type": "string", "maxLength": 2047, "format": "uri", "pattern": "^https?://[!-~]+$"}
SHORT = {"type": "string", "maxLength": 255}
TOOL = {
    "type": "object",
    "required": ["name", "title", "description", "url"],
    "properties": {
        "name": SHORT,
        "title": SHORT,
        "description": {"type": "string", "maxLength": 65535},
        "url": URL,
        "keywords": {"type": "string", "maxLength": 2047},
        "author": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": SHORT, "wiki_username": SHORT},
                "additionalProperties": False,
            },
        },
        "repository": URL,
        "license": SHORT,
        "tool_type": {"enum": ["web app"]},
        "user_docs_url": URL,
        "developer_docs_url": URL,
        "api_url": URL,
        "bugtracker_url": URL,
        "feedback_url": URL,
        "translate_url": URL,
        "privacy_policy_url": URL,
        "_schema": {"const": "/toolinfo/1.2.2"},
        "_language": {"type": "string", "pattern": "^(x-.*|[A-Za-z]{2,3}(-.*)?)$"},
    },
    "additionalProperties": False,
}
RECORD = {
    "name": "hat",
    "title": "A better hat",
    "description": "Sorts wizards.",
    "url": "https://elsewhere.example.org/",
    "license": "MIT",
    "keywords": "wizards, hats, wizards,",
    "bugtracker_url": "https://phabricator.example.org/hat",
    "user_docs_url": [
        {"language": "de", "url": "https://example.org/de"},
        {"language": "en", "url": "https://example.org/en"},
    ],
    "icon": "https://commons.wikimedia.org/wiki/File:Hat.svg",
    "_schema": "/toolinfo/1.2.2",
}


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()


def crawl(client, **headers):
    return client.get("/toolinfo.json", headers=headers)


def test_what_a_catalogue_crawls_is_as_the_schema_says(hat, alice, bob, client):
    Membership.objects.create(tool=hat, user=bob, role="viewer")
    edit_tool(
        hat,
        by=alice,
        at=NOW,
        version=1,
        license="MIT",
        keywords=["ünïcode", "two words"],
        repository="https://git.example.org/ü.git",
        links={"bugtracker_url": "https://example.org/?q=ü"},
    )
    register_tool("bare", by=alice, at=NOW, title="Bare")
    found = crawl(client).json()
    jsonschema.validate(found, {"type": "array", "items": TOOL})
    assert [tool["name"] for tool in found] == ["bare", "hat"]
    assert found[1]["author"] == [{"name": "alice", "wiki_username": "alice"}]
    assert found[1]["keywords"] == "ünïcode, two words"
    assert client.get("/tools/hat/toolinfo.json").json() == found[1]


def test_the_longest_tool_fits_the_schema(hat):
    hat.title, hat.description = "x" * 120, "x" * 4000
    hat.keywords = ["x" * 50] * 20
    jsonschema.validate(record_of(hat, ["x" * 255]), TOOL)


def test_names_can_have_a_prefix(hat, client, settings):
    settings.TOOLINFO_PREFIX = "hosting-"
    assert crawl(client).json()[0]["name"] == "hosting-hat"


def test_who_has_it_already_gets_nothing_until_something_changes(hat, alice, client):
    first = crawl(client)
    known = {"If-None-Match": first.headers["ETag"]}
    again = crawl(client, **known)
    assert (again.status_code, again.content) == (304, b"")
    since = {"If-Modified-Since": first.headers["Last-Modified"]}
    assert crawl(client, **since).status_code == 304
    edit_tool(hat, by=alice, at=NOW + timedelta(seconds=5), version=1, title="New")
    for headers in (known, since):
        assert crawl(client, **headers).json()[0]["title"] == "New"


def test_what_everybody_sees_of_people_and_status_changes_it_too(hat, ada, client):
    before = crawl(client).headers["ETag"]
    set_status(hat, "archived", by=ada, at=NOW + timedelta(seconds=5))
    assert crawl(client).json() == []
    assert client.get("/tools/hat/toolinfo.json").status_code == 404
    set_status(hat, "active", by=ada, at=NOW + timedelta(seconds=9))
    assert crawl(client).headers["ETag"] == before


def test_ten_thousand_tools_cost_few_queries_and_then_one(alice, client):
    tools = Tool.objects.bulk_create(
        Tool(name=f"tool-{number}", title="x", created_at=NOW) for number in range(10_000)
    )
    Membership.objects.bulk_create(Membership(tool=tool, user=alice) for tool in tools)
    with CaptureQueriesContext(connection) as making:
        assert len(crawl(client).json()) == 10_000
    with CaptureQueriesContext(connection) as again:
        crawl(client)
    # Memberships are asked for in as many queries as SQLite's limit of parameters demands.
    assert (len(making) <= 15, len(again)) == (True, 1)


def test_an_import_shows_what_changes_and_then_does_it(hat, alice):
    preview = preview_import(hat, json.dumps(RECORD))
    assert {field: after for field, _before, after in preview.changes} == {
        "title": "A better hat",
        "description": "Sorts wizards.",
        "license": "MIT",
        "keywords": ["wizards", "hats"],
        "links": {
            "bugtracker_url": "https://phabricator.example.org/hat",
            "user_docs_url": "https://example.org/en",
        },
    }
    assert preview.ignored == ["icon", "url"]
    assert Tool.objects.get().title == "Hat"
    import_toolinfo(hat, json.dumps(RECORD), by=alice, at=NOW, version=1)
    assert Tool.objects.get().links["user_docs_url"] == "https://example.org/en"
    assert hat.events.first().before["title"] == "Hat"
    assert preview_import(Tool.objects.get(), json.dumps(RECORD)).changes == []


def test_the_tools_own_record_is_picked_from_many(hat):
    many = [{"name": "a", "title": "A"}, {"name": "toolforge-hat", "title": "B"}]
    assert preview_import(hat, json.dumps(many)).changes == [("title", "Hat", "B")]
    with pytest.raises(ToolRefused, match="None of the 2 records"):
        preview_import(hat, json.dumps([many[0], many[0]]))


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "7", "[]", "[7]", "null", "[" * 100_000, '{"name": "hat", "title": ""}',
        json.dumps({"title": "x" * 121}), '{"license": "<b>"}', '{"repository": "file:///etc"}',
        '{"bugtracker_url": "javascript:alert(1)"}', '{"bugtracker_url": "https://u:p@x.org"}',
        json.dumps({"keywords": ",".join(map(str, range(21)))}), '{"title": "a\\u0000b"}',
        '{"title": "\\ud800"}',
        " " * 1024 * 1024 + "{}",
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_nothing_changed(text, hat, alice):
    with pytest.raises(ToolRefused) as caught:
        import_toolinfo(hat, text, by=alice, at=NOW, version=1)
    assert caught.value.field == "toolinfo"
    assert (Tool.objects.get().title, Tool.objects.get().version) == ("Hat", 1)


@pytest.mark.parametrize("record", [{"title": 7}, {"keywords": ["a"]}, {"api_url": {"a": 1}}, {}])
def test_what_has_another_type_is_left_out(record, hat):
    assert preview_import(hat, json.dumps(record)).changes == []


def test_an_import_over_a_newer_edit_is_refused(hat, alice):
    edit_tool(hat, by=alice, at=NOW, version=1, title="Newer")
    with pytest.raises(StaleVersion):
        import_toolinfo(hat, json.dumps(RECORD), by=alice, at=NOW, version=1)


def test_it_is_pasted_or_chosen_in_the_browser_and_taken_over(hat, alice, client_of):
    client, text = client_of(alice), json.dumps(RECORD)
    file = SimpleUploadedFile("toolinfo.json", text.encode())
    for sent in ({"toolinfo": text}, {"file": file}):
        page = client.post("/tools/hat/toolinfo/", sent).content.decode()
        assert "A better hat" in page
        assert Tool.objects.get().title == "Hat"
    answer = client.post("/tools/hat/toolinfo/", {"toolinfo": text, "version": 1, "apply": "1"})
    assert answer.url == "/tools/hat/"
    assert Tool.objects.get().title == "A better hat"
    shown = client.get("/tools/hat/").content.decode()
    assert 'href="https://example.org/en"' in shown
    assert "wizards, hats" in shown


@pytest.mark.parametrize(
    "sent",
    [
        {"toolinfo": "{"},
        {"url": "http://127.0.0.1/x"},
        {"file": SimpleUploadedFile("x", b"\xff\xfe")},
        {"toolinfo": '{"title": "x"}', "apply": "1", "version": "x"},
        {"toolinfo": '{"title": "<script>x</script>"}'},
    ],
)
def test_nonsense_in_the_browser_is_answered_in_words(sent, hat, alice, client_of):
    answer = client_of(alice).post("/tools/hat/toolinfo/", sent)
    assert answer.status_code == 200
    assert b"<script>x" not in answer.content
    assert Tool.objects.get().title == "Hat"


def test_it_is_previewed_and_taken_over_by_rest(hat, alice, bob, api_of):
    client = api_of(alice)
    preview = client.post("/api/v1/tools/hat/toolinfo/preview/", {"toolinfo": RECORD}).json()
    assert preview["changes"][0] == {"field": "title", "before": "Hat", "after": "A better hat"}
    path = "/api/v1/tools/hat/toolinfo/"
    assert client.post(path, {"toolinfo": RECORD}).status_code == 428
    headers = {"If-Match": '"hat.v1"'}
    assert api_of(bob).post(path, {"toolinfo": RECORD}, headers=headers).status_code == 404
    assert client.post(path, {"toolinfo": RECORD}, headers=headers).json()["version"] == 2
    assert client.post(path, {"toolinfo": RECORD}, headers=headers).status_code == 412
    assert client.post(path, {"url": "x", "toolinfo": {}}, headers={"If-Match": '"hat.v2"'}).json()[
        "errors"
    ]


def test_keywords_and_links_are_edited_by_page_and_rest(hat, alice, client_of, api_of):
    data = {"title": "Hat", "version": 1, "keywords": "a, b", "api_url": "https://example.org/api"}
    assert client_of(alice).post("/tools/hat/edit/", data).status_code == 302
    hat.refresh_from_db()
    assert (hat.keywords, hat.links) == (["a", "b"], {"api_url": "https://example.org/api"})
    page = client_of(alice).get("/tools/hat/edit/").content.decode()
    assert 'value="a, b"' in page
    assert 'value="https://example.org/api"' in page
    change, headers = {"links": {"api_url": "javascript:x"}}, {"If-Match": '"hat.v2"'}
    answer = api_of(alice).patch("/api/v1/tools/hat/", change, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "links")


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """A public server with a toolinfo.json, and one inside that must not be read."""
    certificate = make_certificate(tmp_path, "tools.example.org")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    internet = Internet(monkeypatch)
    internet.servers = {PUBLIC: Server(certificate), "127.0.0.1": Server()}
    internet.servers["127.0.0.1"].say(200, json.dumps({"title": "inside"}).encode())
    internet.name("tools.example.org", [PUBLIC])
    internet.name("rebound.example.org", ["127.0.0.1"])
    yield internet
    internet.close()


def test_it_is_fetched_from_a_public_address_only(elsewhere, hat, alice, api_of):
    client, path = api_of(alice), "/api/v1/tools/hat/toolinfo/preview/"
    elsewhere.servers[PUBLIC].say(200, json.dumps(RECORD).encode())
    found = client.post(path, {"url": "https://tools.example.org/toolinfo.json"})
    assert found.json()["changes"][0]["after"] == "A better hat"
    for url in ("https://rebound.example.org/", "https://127.0.0.1/", "http://tools.example.org/"):
        answer = client.post(path, {"url": url})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "url")
        assert "inside" not in answer.content.decode()
    elsewhere.servers[PUBLIC].say(302, b"", Location="https://rebound.example.org/")
    answer = client.post(path, {"url": "https://tools.example.org/"})
    assert "302" in answer.json()["detail"]
    elsewhere.servers[PUBLIC].say(200, b"x" * (1024 * 1024 + 1))
    assert "1 MB" in client.post(path, {"url": "https://tools.example.org/"}).json()["detail"]
