"""Where somebody is signed in, and signing out there."""

import pytest

from portal.tools.models import AuditEvent
from tests.wiki.browser import Visitor


@pytest.fixture
def browsers(wiki):
    """Two browsers of Alice's and one of Bob's."""
    alice, bob = wiki.add("Alice"), wiki.add("Bob")
    visitors = []
    for person, agent in ((alice, "Firefox"), (alice, "Chromium"), (bob, "Safari")):
        visitor = Visitor(wiki)
        visitor.client.defaults["HTTP_USER_AGENT"] = agent
        visitor.sign_in(person)
        visitors.append(visitor)
    return visitors


def test_ones_own_sessions_are_listed(browsers):
    page = browsers[0].client.get("/accounts/sessions/").content.decode()
    assert page.count("127.0.0.1") == 2
    assert "Chromium" in page
    assert "Safari" not in page
    assert page.count("(this one)") == 1


def test_one_session_can_be_ended(browsers):
    one, other, _bob = browsers
    sessions = one.client.get("/api/v1/sessions/").json()
    chromium = next(each for each in sessions if each["user_agent"] == "Chromium")
    one.client.post(f"/accounts/sessions/{chromium['id']}/end/")
    assert (one.name, other.name) == ("Alice", "")


def test_a_session_of_somebody_else_is_not_there(browsers):
    one, _other, bob = browsers
    session = bob.client.get("/api/v1/sessions/").json()[0]
    assert one.client.post(f"/accounts/sessions/{session['id']}/end/").status_code == 404
    assert one.client.delete(f"/api/v1/sessions/{session['id']}/").status_code == 404
    assert bob.name == "Bob"


@pytest.mark.parametrize("over", ["page", "rest"])
def test_signing_out_everywhere_ends_all_of_ones_own(browsers, over):
    one, other, bob = browsers
    if over == "page":
        one.client.post("/accounts/sessions/end/")
    else:
        assert one.client.delete("/api/v1/sessions/").status_code == 204
    assert (one.name, other.name, bob.name) == ("", "", "Bob")
    event = AuditEvent.objects.get(action="account.signed_out_everywhere")
    assert event.summary == "Alice"


def test_a_session_that_nobody_listed_ends_too(alice, client_of):
    one, other = client_of(alice), client_of(alice)
    one.post("/accounts/sessions/end/")
    assert other.get("/accounts/sessions/").status_code == 302


def test_ending_the_session_that_one_uses_leads_to_the_sign_in_page(browsers):
    one = browsers[2]
    session = one.client.get("/api/v1/sessions/").json()[0]
    answer = one.client.post(f"/accounts/sessions/{session['id']}/end/")
    assert answer.url == "/accounts/login/"
    assert one.name == ""
