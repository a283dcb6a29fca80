"""Every route, walked with every role: what is declared is what happens."""

import pytest
from django.urls import get_resolver

from builds.operations import Source, start_build
from portal.accounts.checks import OURS, views
from portal.accounts.models import ApiToken
from portal.tools.models import Membership
from portal.tools.operations import set_variable
from portal.webservices.releases import webservice_of
from stories.operations import create_record
from tests.conftest import NOW

ROUTES = sorted(
    (route, view.required_role)
    for route, view in views(get_resolver().url_patterns)
    if view.__module__.startswith(OURS) and "examples/" not in route
)
VALUES = {
    "<slug:name>": "hat",
    "<int:number>": "1",
    "<str:build_id>": "hat-buildpacks-pipelinerun-1",
    "<int:pk>": "999999",
    "<str:variable>": "TOKEN",
    "<ident:ident>": "FT-1",
    "<str:ident>": "FT-1",
    "<slug:slug>": "features",
    "<str:slug>": "words",
}
FOREIGN = {403, 404, 405}


def address(route):
    for pattern, value in VALUES.items():
        route = route.replace(pattern, value)
    return f"/{route}"


@pytest.fixture
def world(hat, alice, bob, mallory, ada):
    """A tool of alice's, seen by bob, with something of everything."""
    Membership.objects.create(tool=hat, user=bob, role=Membership.Role.VIEWER)
    start_build(hat, by=alice, source=Source("https://git.example.org/a"), at=NOW)
    webservice_of(hat, at=NOW)
    set_variable(hat, name="TOKEN", value="hunter2-hunter2", by=alice, at=NOW)
    create_record("FT", title="Feature", fields={}, by=None, at=NOW)
    return {"alice": alice, "bob": bob, "mallory": mallory, "ada": ada, "nobody": None}


def get(client, route):
    if route.endswith("events/"):
        # A stream: that it opens is tested elsewhere; here only who is let in.
        return client.head(address(route))
    return client.get(address(route))


@pytest.mark.parametrize(
    ("route", "role"), [each for each in ROUTES if each[1] not in ("public", "member")]
)
def test_a_foreign_user_sees_nothing_of_a_tool(world, client_of, route, role):
    assert get(client_of(world["mallory"]), route).status_code in FOREIGN


@pytest.mark.parametrize(("route", "role"), ROUTES)
def test_a_visitor_sees_only_what_is_public(world, client, route, role):
    answer = get(client, route)
    if role == "public":
        assert answer.status_code in {200, 404, 405, 422}
    else:
        assert answer.status_code in {302, 401, 403, 405}


@pytest.mark.parametrize(("route", "role"), ROUTES)
def test_nothing_fails_for_those_who_may(world, client_of, route, role):
    for name in ("alice", "bob", "ada"):
        answer = get(client_of(world[name]), route)
        assert answer.status_code < 500
        assert b"hunter2-hunter2" not in b"".join(answer) if answer.streaming else True


@pytest.mark.parametrize(("route", "role"), [each for each in ROUTES if each[1] == "maintainer"])
def test_a_viewer_changes_nothing(world, client_of, api_of, route, role):
    client = (
        api_of(world["bob"]) if route.startswith(("api/", "builds/")) else client_of(world["bob"])
    )
    before = ApiToken.objects.count()
    assert client.post(address(route), {}).status_code in FOREIGN
    assert ApiToken.objects.count() == before


@pytest.mark.parametrize(("route", "role"), [each for each in ROUTES if each[1] != "public"])
def test_a_change_without_a_session_is_not_made(world, client, route, role):
    assert client.post(address(route), {}).status_code in {302, 401, 403, 405}
