"""Errors of the REST API."""

import pytest
from rest_framework.exceptions import NotAuthenticated, Throttled, ValidationError
from rest_framework.test import APIRequestFactory

from portal.problems import Conflict, Unprocessable, document_problems, handle
from portal.refusals import Refused, Stale
from portal.views import server_error

CONTEXT = {"request": APIRequestFactory().get("/api/v1/x/")}


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (Conflict("No."), 409, "conflict"),
        (Unprocessable("No.", field="name"), 422, "invalid"),
        (Refused("No."), 409, "conflict"),
        (Refused("No.", field="name"), 422, "invalid"),
        (Stale("Read it again."), 412, "stale"),
        (NotAuthenticated(), 401, "not-authenticated"),
        (Throttled(wait=3), 429, "throttled"),
    ],
)
def test_an_error_is_a_problem_with_a_stable_type(error, status, kind):
    answer = handle(error, CONTEXT)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert answer.data["type"] == f"/problems/{kind}"
    assert answer.data["instance"] == "/api/v1/x/"


def test_somebody_who_is_too_fast_is_told_when_to_come_back():
    assert handle(Throttled(wait=3), CONTEXT)["Retry-After"] == "3"


def test_nested_errors_are_named_by_their_path():
    errors = handle(ValidationError({"a": {"b": ["Wrong."]}, "c": "Bad."}), CONTEXT).data["errors"]
    assert errors == [{"field": "a.b", "detail": "Wrong."}, {"field": "c", "detail": "Bad."}]


def test_an_error_of_ours_is_not_hidden():
    assert handle(RuntimeError("broken"), CONTEXT) is None


def test_the_document_says_that_every_call_may_be_refused():
    document = document_problems({"paths": {"/x/": {"get": {"responses": {}}, "summary": "x"}}})
    answer = document["paths"]["/x/"]["get"]["responses"]["default"]
    assert list(answer["content"]) == ["application/problem+json"]
    assert "Problem" in document["components"]["schemas"]


@pytest.mark.parametrize(
    ("path", "kind", "words"),
    [
        ("/api/v1/tools/%01/", "application/problem+json", "detail"),
        ("/builds/v1/tool/%01/builds", "application/json", "error"),
        ("/nowhere/", "text/html; charset=utf-8", None),
    ],
)
def test_an_address_that_is_none_answers_in_the_form_of_its_api(client, db, path, kind, words):
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, kind)
    assert words is None or words in answer.json()


def test_a_fault_of_ours_is_a_problem_too(rf):
    answer = server_error(rf.get("/api/v1/tools/"))
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/problem+json")


def test_a_log_that_is_not_there_is_a_problem_and_no_text(client, db):
    answer = client.get("/api/v1/tools/none/builds/1/logs/")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
