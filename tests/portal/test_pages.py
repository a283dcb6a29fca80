"""Pages over several apps."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from builds.models import Build
from builds.operations import Source, start_build
from builds.states import Status
from builds.tasks import engine
from portal.tools.models import Membership, Tool
from portal.tools.operations import register_tool
from portal.webservices.models import Webservice
from tests.conftest import NOW


def many_tools(user, count):
    tools = Tool.objects.bulk_create(
        Tool(name=f"tool-{number}", title=f"Tool {number}", created_at=NOW)
        for number in range(count)
    )
    Membership.objects.bulk_create(Membership(tool=tool, user=user) for tool in tools)
    Webservice.objects.bulk_create(
        Webservice(tool=tool, status="running", created_at=NOW) for tool in tools
    )
    Build.objects.bulk_create(
        Build(tool=tool, number=n, status=Status.FAILED, source_url="x", created_at=NOW)
        for tool in tools
        for n in (1, 2)
    )


def queries(client, path):
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


@pytest.mark.parametrize("path", ["/", "/api/v1/tools/", "/?q=tool"])
def test_the_number_of_queries_does_not_grow_with_the_tools(path, alice, client_of):
    client = client_of(alice)
    many_tools(alice, 10)
    few = queries(client, path)
    Tool.objects.all().delete()
    many_tools(alice, 1000)
    assert queries(client, path) == few <= 15


def test_the_number_of_queries_does_not_grow_with_the_builds(hat, alice, client_of):
    client = client_of(alice)
    counts = []
    for amount in (10, 500):
        Build.objects.bulk_create(
            Build(
                tool=hat, number=amount * 1000 + n, status="failed", source_url="x", created_at=NOW
            )
            for n in range(amount)
        )
        counts.append(
            [queries(client, p) for p in ("/tools/hat/builds/", "/api/v1/tools/hat/builds/")]
        )
    assert counts[0] == counts[1]


def test_the_dashboard_leads_a_newcomer_on(alice, client_of, client, db):
    assert "Register your first tool" in client_of(alice).get("/").content.decode()
    assert "Sign in to begin" in client.get("/").content.decode()


def test_the_dashboard_finds_tools(hat, alice, client):
    register_tool("scarf", by=alice, at=NOW, title="Scarf <b>bold</b>")
    found = client.get("/?q=bold", headers={"HX-Request": "true"}).content.decode()
    assert "Scarf &lt;b&gt;bold&lt;/b&gt;" in found
    assert "hat" not in found
    assert "No tool matches" in client.get("/?q=nothing").content.decode()
    assert "Scarf" not in client.get("/?running=1").content.decode()


def test_a_tools_page_shows_strangers_no_builds(hat, alice, mallory, client_of):
    start_build(hat, by=alice, source=Source("https://git.example.org/private"), at=NOW)
    assert "Latest builds" in client_of(alice).get("/tools/hat/").content.decode()
    assert "Latest builds" not in client_of(mallory).get("/tools/hat/").content.decode()


def test_the_status_page_says_what_is_enforced(client, db):
    text = client.get("/status/").content.decode()
    assert "user id per tool" in text
    assert "Builds waiting" in text


def test_the_portal_says_that_it_is_well(client, db):
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/status/"])
def test_pages_allow_no_inline_script(path, client, db):
    answer = client.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert b"<script>" not in answer.content


def test_the_sign_in_form_may_lead_to_the_wiki(client, db):
    policy = client.get("/accounts/login/").headers["Content-Security-Policy"]
    assert "form-action 'self' https://meta.wikimedia.org;" in f"{policy};"


def test_a_page_that_is_not_there_is_a_page(client, db, settings):
    settings.DEBUG = False
    answer = client.get("/tools/none/")
    assert answer.status_code == 404
    assert b"There is nothing here" in answer.content


def test_the_reading_direction_follows_the_language(client, db):
    client.post("/i18n/setlang/", {"language": "ar"})
    assert b'dir="rtl"' in client.get("/").content


@pytest.fixture
def unconfined(settings):
    """A platform on which no sandbox is to be used."""
    settings.SANDBOX = "none"
    engine.cache_clear()
    yield settings
    engine.cache_clear()


def test_a_platform_without_a_sandbox_says_that_it_refuses_builds(client, db, unconfined):
    assert "builds are refused" in client.get("/status/").content.decode()
    assert "trusts all users" not in client.get("/").content.decode()


def test_a_platform_that_trusts_all_users_says_so_on_every_page(client, db, unconfined):
    unconfined.TRUST_ALL_USERS = True
    for path in ("/", "/status/", "/stories/", "/accounts/login/"):
        assert "the operator trusts all users" in client.get(path).content.decode()
    assert "builds are refused" not in client.get("/status/").content.decode()
