"""What the records are for, from end to end: through REST, the pages and what runs by itself."""

from datetime import date, timedelta

import pytest
from django.test import Client

from portal.accounts.models import User
from stories.models import Flag, Reading
from stories.tasks import sample

pytestmark = pytest.mark.django_db
URL = "/api/v1/"


@pytest.fixture
def walter(db):
    """Another member of the workgroup than wanda."""
    return User.objects.create_user("walter", is_workgroup=True)


@pytest.fixture
def people(api_of, alice, wanda, walter, ada):
    """REST clients by name."""
    found = {"alice": alice, "wanda": wanda, "walter": walter, "ada": ada}
    return {name: api_of(user) for name, user in found.items()}


def done(answer):
    assert answer.status_code < 300, answer.json()
    return answer.json() if answer.content else {}


def register(client, *names):
    for name in names:
        done(client.post(f"{URL}tools/", {"name": name, "title": name.title()}))


def make(client, kind, title, **content):
    sent = {"kind": kind, "title": title, "content": content}
    return done(client.post(f"{URL}records/", sent))["ident"]


def move(client, ident, *steps):
    for step in steps:
        done(client.post(f"{URL}records/{ident}/moves/", {"to": step}))


def test_a_rationale_is_flagged_by_itself_when_tools_have_changed(people):
    """From a feature and its reason to the flag, and to a confirmation with today's number."""
    register(people["alice"], *(f"tool-{number}" for number in range(10)))
    sample()
    wanda, walter = people["wanda"], people["walter"]
    feature = make(wanda, "FT", "Tools of all kinds", metric="tools")
    next_year = (date.today() + timedelta(days=300)).isoformat()
    why = make(
        wanda,
        "RA",
        "Why are there tools?",
        answer="People run them.",
        alternatives=[{"name": "None", "why_not": "people run them"}],
        evidence=[{"claim": "Ten tools", "metric": "tools", "seen_value": 10, "tolerance": 20}],
        review_by=next_year,
    )
    link = {"type": "justified_by", "to": why}
    done(wanda.post(f"{URL}records/{feature}/links/", link))
    move(wanda, why, "drafted", "in_review")
    move(walter, why, "agreed")
    sample()
    assert done(Client().get(f"{URL}features/{feature}/why/"))["is_stale"] is False

    register(people["alice"], "one-more", "two-more", "three-more")
    Reading.objects.update(on=date.today() - timedelta(days=1))
    sample()

    told = done(Client().get(f"{URL}features/{feature}/why/"))
    assert told["is_stale"] is True
    flag = Flag.objects.get(code="rationale-moved", cleared_at=None)
    assert "was 10 and is 13" in flag.sentence
    assert "was 10 and is 13" in Client().get(f"/r/{why}").content.decode()
    assert f"/r/{why}" in Client().get("/stories/findings/").content.decode()

    done(walter.post(f"{URL}records/{why}/reconfirm/", {"review_by": next_year}))
    sample()
    assert done(Client().get(f"{URL}features/{feature}/why/"))["is_stale"] is False
    causes = [
        each["cause"] for each in done(Client().get(f"{URL}records/{why}/revisions/"))["results"]
    ]
    assert causes[0] == "reconfirmed"


def test_a_design_doc_is_reviewed_and_accepted(people):
    """A concern holds it up; once that is resolved and two have approved, it is approved."""
    sections = [{"heading": "Problem", "text": "p"}, {"heading": "Proposal", "text": "q"}]
    design = make(
        people["wanda"], "DD", "Tools on paper", summary="s", template="short", sections=sections
    )
    place = f"{URL}records/{design}/"
    move(people["wanda"], design, "in_review")
    assert people["wanda"].post(f"{place}reviews/", {"verdict": "approve"}).status_code == 422
    concern = done(
        people["alice"].post(f"{place}comments/", {"kind": "concern", "body": "Who pays?"})
    )
    for reviewer in ("walter", "ada"):
        done(people[reviewer].post(f"{place}reviews/", {"verdict": "approve", "text": "Good."}))
    assert done(Client().get(place))["status"] == "in_review"
    done(people["alice"].post(f"{place}comments/{concern['id']}/resolve/"))
    assert done(Client().get(place))["status"] == "approved"
    page = Client().get(f"/r/{design}/-/history").content.decode()
    assert "approved" in page.lower()
