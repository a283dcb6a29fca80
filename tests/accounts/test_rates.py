"""How often one address may try."""

import pytest
from django.core.cache import cache
from django.urls import NoReverseMatch, reverse
from rest_framework.throttling import ScopedRateThrottle

from portal.accounts.rates import parse, seconds_to_wait


@pytest.fixture(autouse=True)
def _nothing_counted():
    cache.clear()


@pytest.mark.parametrize(
    ("rate", "meaning"), [("30/min", (30, 60)), ("5/s", (5, 1)), ("100/hour", (100, 3600))]
)
def test_a_rate_is_read(rate, meaning):
    assert parse(rate) == meaning


def test_what_is_left_of_the_window_is_to_be_waited(db):
    waits = [seconds_to_wait("x", "a", rate="2/min", now=60_000 + second) for second in range(4)]
    assert waits == [0, 0, 58, 57]
    assert seconds_to_wait("x", "a", rate="2/min", now=60_061) == 0
    assert seconds_to_wait("x", "b", rate="2/min", now=60_002) == 0


@pytest.mark.parametrize(
    ("method", "address", "name"),
    [
        ("post", "/accounts/wikimedia/login/", "wikimedia_login"),
        ("get", "/accounts/wikimedia/login/callback/?oauth_token=x", "wikimedia_callback"),
        ("post", "/accounts/mediawiki/login/", "mediawiki_login"),
        ("get", "/accounts/mediawiki/login/callback/", "mediawiki_callback"),
        ("post", "/accounts/development/", "development_sign_in"),
        ("post", "/identity/o/device?code=X", "device"),
        ("post", "/identity/o/api/device/code", "idp:oidc:device_code"),
        ("post", "/identity/o/api/token", "idp:oidc:token"),
    ],
)
def test_one_address_that_tries_too_often_is_told_when_to_come_back(
    client, db, settings, method, address, name
):
    settings.ROUTE_RATES = {name: "3/hour"}
    answers = [getattr(client, method)(address) for _ in range(4)]
    assert 429 not in [each.status_code for each in answers[:3]]
    assert answers[3].status_code == 429
    assert 0 < int(answers[3].headers["Retry-After"]) <= 3600
    assert getattr(client, method)(address, REMOTE_ADDR="10.0.0.9").status_code != 429


def test_every_rate_is_of_a_route_that_is_there(settings):
    for name in settings.ROUTE_RATES:
        try:
            reverse(name)
        except NoReverseMatch as error:
            pytest.fail(str(error))


def test_making_tokens_has_a_rate_of_its_own(alice, api_of, monkeypatch):
    monkeypatch.setitem(ScopedRateThrottle.THROTTLE_RATES, "tokens", "2/hour")
    client = api_of(alice)
    wish = {"name": "n", "scopes": ["read"]}
    answers = [client.post("/api/v1/tokens/", wish) for _ in range(3)]
    assert [each.status_code for each in answers] == [201, 201, 429]
    assert int(answers[2].headers["Retry-After"]) > 0
    assert answers[2].json()["type"] == "/problems/throttled"
