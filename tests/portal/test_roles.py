"""Every route x role x method, from the URL configuration: what is declared is what happens."""

import math
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.db import transaction
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone
from rest_framework.test import APIClient

from builds.operations import Source, start_build
from portal.accounts.authentication import OF_A_TOOL
from portal.accounts.checks import DECLARED, OURS, named_views
from portal.accounts.models import ApiToken, User
from portal.tools.models import AuditEvent, Membership
from portal.tools.operations import register_tool, set_variable
from portal.webservices.releases import webservice_of
from stories.operations import create_record
from tests.conftest import NOW

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Each person with the roles that they have on the tool or on the site.
PEOPLE = {
    "visitor": {"public"},
    "mallory": {"public", "member"},
    "bob": {"public", "member", "viewer"},
    "alice": {"public", "member", "viewer", "maintainer"},
    "wanda": {"public", "member", "workgroup"},
    "ada": {"public", "member", "viewer", "maintainer", "workgroup", "admin"},
}
# Tokens of alice's, for one tool or with an end that has come, and of somebody who is suspended.
TOKENS = ("for hat", "for scarf", "ended", "suspended")
VIEWS = {
    route: (name, view)
    for route, name, view in named_views(get_resolver().url_patterns)
    if (view.__module__.startswith(OURS) or name in DECLARED) and "examples/" not in route
}
ROUTES = {
    route: getattr(view, "required_role", None) or DECLARED[name]
    for route, (name, view) in sorted(VIEWS.items())
    # What stands first answers; allauth's page for codes never does.
    if name not in ("usersessions_list", "idp:oidc:device_authorization")
}
# Routes that an API token opens; others know sessions only, and a token is nothing to them.
REST = [route for route in ROUTES if hasattr(VIEWS[route][1], "authentication_classes")]
VALUES = {
    "<slug:name>": "hat",
    "<int:number>": "1",
    "<int:release>": "1",
    "<str:build_id>": "hat-buildpacks-pipelinerun-1",
    "<int:pk>": "999999",
    "<str:variable>": "TOKEN",
    "<ident:ident>": "FT-1",
    "<str:ident>": "FT-1",
    "<slug:slug>": "features",
    "<str:slug>": "words",
}
# 400 is a body that is found wrong before its sender is.
REFUSED = {302, 400, 401, 403, 404, 405}


def address(route):
    for pattern, value in VALUES.items():
        route = route.replace(pattern, value)
    return f"/{route}"


@pytest.fixture
def people(hat, alice, bob, mallory, wanda, ada):
    """A tool of alice's, seen by bob, with something of everything."""
    Membership.objects.create(tool=hat, user=bob, role=Membership.Role.VIEWER)
    start_build(hat, by=alice, source=Source("https://git.example.org/a"), at=NOW)
    webservice_of(hat, at=NOW)
    set_variable(hat, name="TOKEN", value="hunter2-hunter2", by=alice, at=NOW)
    create_record("FT", title="Feature", fields={}, by=None, at=NOW)
    register_tool("scarf", by=alice, at=NOW, title="Scarf")
    known = {"alice": alice, "bob": bob, "mallory": mallory, "wanda": wanda, "ada": ada}
    clients = {"visitor": Client()}
    for name, user in known.items():
        clients[name] = Client()
        clients[name].force_login(user)
    return clients


@pytest.fixture
def programs(people):
    suspended = User.objects.create_user("suspended", is_active=False)
    alice = User.objects.get(username="alice")
    facts = {
        "for hat": {"user": alice, "tool_name": "hat"},
        "for scarf": {"user": alice, "tool_name": "scarf"},
        "ended": {"user": alice, "expires_at": timezone.now() - timedelta(seconds=1)},
        "suspended": {"user": suspended},
    }
    clients = {}
    for name, fact in facts.items():
        _token, value = ApiToken.issue(name=name, at=NOW, **fact)
        clients[name] = APIClient()
        clients[name].credentials(HTTP_AUTHORIZATION=f"Bearer {value}")
    return clients


def ask(client, method, route):
    """The answer, whose effects are undone, and how many events it wrote."""
    if method == "GET" and route.endswith("events/"):
        # A stream: that it opens is tested elsewhere; here only who is let in.
        method = "HEAD"
    is_api = "api/" in route or route.startswith("builds/")
    body = {"data": "{}", "content_type": "application/json"} if is_api else {}
    if method in ("GET", "HEAD"):
        body = {}
    before = AuditEvent.objects.count()
    point = transaction.savepoint()
    try:
        answer = client.generic(method, address(route), **body)
        return answer, AuditEvent.objects.count() - before
    finally:
        transaction.savepoint_rollback(point)


def text_of(answer):
    return b"" if answer.streaming else answer.content


@pytest.mark.parametrize("route", ROUTES)
def test_everybody_gets_what_they_may(people, programs, route):
    as_visitor = {}
    for name, roles in PEOPLE.items():
        for method in METHODS:
            answer, events = ask(people[name], method, route)
            if name == "visitor":
                as_visitor[method] = answer.status_code
            check_person(f"{name} {method} {route}", answer, events, roles, route)
    for name in TOKENS:
        for method in METHODS:
            answer, events = ask(programs[name], method, route)
            case = f"token {name}: {method} {route}: {answer.status_code}"
            assert answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR, case
            if VIEWS[route][0] in DECLARED:
                # Packages have limits, and sometimes tokens, of their own.
                continue
            if route not in REST:
                assert answer.status_code == as_visitor[method], case
            elif authenticates(route):
                assert outcome(name, method, route) in (None, (answer.status_code, events)), case
                if (name, method) == ("for hat", "GET") and ROUTES[route] in PEOPLE["alice"]:
                    assert is_of_hat(route) == (answer.status_code != 403), case


def check_person(case, answer, events, roles, route):
    role = ROUTES[route]
    case = f"{case} ({role}): {answer.status_code}"
    assert answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR, case
    assert b"hunter2-hunter2" not in text_of(answer), case
    if role not in roles:
        assert answer.status_code in REFUSED, case
        assert events == 0, case
    elif answer.wsgi_request.method == "GET" and VIEWS[route][0] not in DECLARED:
        assert answer.status_code not in (401, 403), case


def outcome(name, method, route):
    """What a token must meet: a status, and no event; None where its owner's rights decide."""
    if name in ("ended", "suspended"):
        return 401, 0
    if name == "for scarf" or not is_of_hat(route):
        return 403, 0
    return None


def authenticates(route):
    """Some say who is asking, or need not know it."""
    view = VIEWS[route][1]
    return view.authentication_classes and not getattr(view, "for_any_token", False)


def is_of_hat(route):
    return OF_A_TOOL.search(route) is not None


@pytest.mark.parametrize("route", [each for each in REST if ROUTES[each] == "public"])
def test_what_anyone_may_read_only_somebody_known_may_change(people, route):
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer, events = ask(people["visitor"], method, route)
        assert events == 0, f"{method} {route}: {answer.status_code}"


def test_no_placeholder_is_left():
    assert [route for route in ROUTES if "<" in address(route)] == []


def test_the_matrix_is_whole(capsys):
    """Roles here are people and tokens: who may ask, and with what."""
    roles = len(PEOPLE) + len(TOKENS)
    size = (len(ROUTES), roles, len(METHODS))
    with capsys.disabled():
        print(f"\n{len(ROUTES)} routes x {roles} roles x {len(METHODS)} methods", math.prod(size))
    assert {role for roles in PEOPLE.values() for role in roles} >= set(ROUTES.values())
