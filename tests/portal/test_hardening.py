"""What every answer carries, how much a request may bring, and how often it may come."""

import asyncio

import pytest
from django.core.cache import cache
from django.test import override_settings
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle

from builds.models import Build
from portal.limits import LimitedBody

URL = "https://git.example.org/hat.git"


@pytest.mark.parametrize("path", ["/", "/api/docs/", "/api/v1/tools/", "/status/", "/nowhere/"])
def test_no_answer_lets_foreign_or_inline_code_run(client, db, path):
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "object-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_the_document_of_the_api_is_browsed_without_inline_code(client, db):
    page = client.get("/api/docs/").content.decode()
    assert "<style" not in page
    assert "<script>" not in page
    assert "SwaggerUIBundle" in client.get("/api/docs/?script=").content.decode()


def asked(limit, *, path="/", declared=None, pieces=()):
    """What a server that takes `limit` bytes sends for such a request."""
    sent, waiting = [], list(pieces)

    async def application(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"fine"})

    async def receive():
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def send(message):
        sent.append(message)

    headers = [(b"content-length", str(declared).encode())] if declared is not None else []
    scope = {"type": "http", "path": path, "headers": headers}
    asyncio.run(LimitedBody(application, limit=limit)(scope, receive, send))
    return sent


def test_a_body_within_the_limit_is_taken():
    assert asked(10, declared=10, pieces=[b"x" * 10])[0]["status"] == 200


@pytest.mark.parametrize(
    ("path", "kind", "words"),
    [
        ("/api/v1/tools/", b"application/problem+json", b'"status": 413'),
        ("/builds/v1/tool/hat/builds", b"application/json", b'{"error": ["This is more'),
        ("/tools/register/", b"text/plain", b"This is more than 10 bytes"),
    ],
)
@pytest.mark.parametrize("sizes", [{"declared": 11}, {"pieces": [b"x" * 6, b"x" * 6, b"x"]}])
def test_a_body_past_the_limit_is_413_whether_it_says_its_length_or_not(path, kind, words, sizes):
    start, body = asked(10, path=path, **sizes)
    assert (start["status"], dict(start["headers"])[b"content-type"]) == (413, kind)
    assert words in body["body"]


@pytest.fixture
def strict(monkeypatch):
    """Two starts a minute, and none counted yet."""
    cache.clear()
    rates = {**api_settings.DEFAULT_THROTTLE_RATES, "build-start": "2/min"}
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)


@pytest.mark.parametrize("path", ["/api/v1/tools/hat/builds/", "/builds/v1/tool/hat/builds"])
def test_who_starts_builds_too_fast_is_told_when_to_come_back(strict, hat, alice, api_of, path):
    client = api_of(alice)
    answers = [client.post(path, {"source_url": f"{URL}/{n}"}) for n in range(3)]
    assert [answer.status_code for answer in answers] == [
        answers[0].status_code,
        answers[0].status_code,
        429,
    ]
    assert 0 < int(answers[2].headers["Retry-After"]) <= 60
    assert Build.objects.count() == 2
    assert client.get(path).status_code == 200


def test_the_page_that_starts_builds_has_the_same_limit(strict, hat, alice, client_of):
    client, page = client_of(alice), "/tools/hat/builds/start/"
    made = [client.post(page, {"source_url": f"{URL}/{n}"}) for n in range(3)]
    assert [answer.status_code for answer in made] == [302, 302, 429]
    assert "Try again in" in made[2].content.decode()
    assert int(made[2].headers["Retry-After"]) > 0
    assert client.get(page).status_code == 200


def test_production_speaks_https_alone(client, db):
    with override_settings(SECURE_SSL_REDIRECT=True, SECURE_HSTS_SECONDS=31_536_000, DEBUG=False):
        assert client.get("/").url.startswith("https://")
        secure = client.get("/", secure=True).headers["Strict-Transport-Security"]
    assert secure.startswith("max-age=31536000")
