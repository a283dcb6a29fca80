"""Whatever is not as Harbor's own document says is found, so that its silence means something.

The tests that speak to a Harbor are held against the document where they are, by `SERVING`.
"""

from dataclasses import replace

import httpx
import pytest

from portal.harbor import Account, Harbor
from tests.cluster.harbor_document import document, serving_by_the_document
from tests.harbor_server import Exchange

pytestmark = pytest.mark.cluster

PROJECT = {"project_id": 1, "name": "tool-hat", "owner_name": "portal"}
READ = Exchange("GET", "projects/tool-hat", {}, {"X-Is-Resource-Name": "true"}, None, 200, PROJECT)
ARTIFACTS = "projects/tool-hat/repositories/a%252Fb/artifacts"
LISTED = Exchange("GET", ARTIFACTS, {"page": "1", "page_size": "100"}, {}, None, 200, [])
MADE = Exchange("POST", "projects", {}, {}, {"project_name": "tool-hat"}, 201, None)
ENDED = Exchange("DELETE", "robots/1", {}, {}, None, 200, None)


def artifact(**fields):
    return [{"digest": "sha256:1", "push_time": "2026-01-01T00:00:00.000Z"} | fields]


@pytest.mark.parametrize(
    "exchange",
    [
        READ,
        LISTED,
        MADE,
        ENDED,
        replace(READ, headers={"x-is-resource-name": "true", "Host": "harbor.example.org"}),
        replace(READ, status=404, answer={"errors": [{"code": "NOT_FOUND", "message": "none"}]}),
        replace(LISTED, answer=artifact()),
        replace(MADE, body={"project_name": "tool-hat", "storage_limit": None}),
    ],
)
def test_what_is_as_the_document_says_has_no_faults(exchange):
    assert document().faults(exchange) == []


@pytest.mark.parametrize(
    ("exchange", "words"),
    [
        (replace(READ, path="project/tool-hat"), "no such operation"),
        (replace(READ, method="PATCH"), "no such operation"),
        (replace(READ, query={"with_details": "true"}), "query with_details is unknown"),
        (replace(READ, headers={"X-Resource-Name": "true"}), "header x-resource-name is unknown"),
        (replace(READ, headers={"X-Is-Resource-Name": "yes"}), "'yes' is not of type 'boolean'"),
        (replace(READ, body={}), "body is unknown"),
        (replace(LISTED, path=ARTIFACTS.replace("%252F", "%2F")), "'a/b' does not match"),
        (replace(LISTED, path=ARTIFACTS.replace("%252F", "/")), "no such operation"),
        (replace(LISTED, query={"page_size": "101"}), "101 is greater than the maximum of 100"),
        (replace(MADE, body=None), "body is missing"),
        (replace(MADE, body={"name": "tool-hat"}), "'name' was unexpected"),
        (replace(MADE, body={"metadata": {"open": "no"}}), "'open' was unexpected"),
        (replace(MADE, body={"metadata": {"public": False}}), "False is not of type 'string'"),
        (replace(MADE, body={"storage_limit": "1"}), "'1' is not of type 'integer'"),
        (replace(ENDED, path="robots/portal-1"), "'portal-1' is not of type 'integer'"),
    ],
)
def test_a_wrong_request_is_found(exchange, words):
    [fault] = document().faults(exchange)
    assert words in fault


@pytest.mark.parametrize(
    ("exchange", "words"),
    [
        (replace(READ, answer=PROJECT | {"id": 1}), "'id' was unexpected"),
        (replace(READ, answer=PROJECT | {"project_id": "1"}), "'1' is not of type 'integer'"),
        (replace(READ, answer=[PROJECT]), "is not of type 'object'"),
        (replace(READ, status=404, answer="none"), "'none' is not of type 'object'"),
        (replace(READ, status=204, answer=None), "is not answered by 204"),
        (replace(LISTED, answer=artifact(pushed="today")), "'pushed' was unexpected"),
        (replace(LISTED, answer=artifact(push_time="2026-01-01")), "is not a 'date-time'"),
        (replace(LISTED, answer=artifact(push_time=None)), "None is not of type 'string'"),
        (replace(MADE, answer={"project_id": 1}), "201 has no body"),
        (replace(ENDED, status=409), "is not answered by 409"),
    ],
)
def test_a_wrong_answer_is_found(exchange, words):
    [fault] = document().faults(exchange)
    assert words in fault


def test_a_request_that_is_wrong_fails_the_test_that_sent_it():
    with (
        pytest.raises(AssertionError, match="query level is unknown"),
        serving_by_the_document() as server,
    ):
        place = f"{server.address}/api/v2.0/quotas"
        httpx.get(place, params={"level": "1"}, auth=("portal", "correct horse"))


def test_an_answer_that_is_wrong_fails_the_test_that_had_it_given():
    with (
        pytest.raises(AssertionError, match="'colour' was unexpected"),
        serving_by_the_document() as server,
        Harbor(Account(server.address, "portal", "correct horse")) as harbor,
    ):
        harbor.keep_project("hat", storage=1)
        server.project("tool-hat")["colour"] = "red"
        harbor.keep_project("hat", storage=1)
