"""Handing over a tool that nobody keeps any more."""

from datetime import timedelta

import pytest
from django.utils import timezone

from portal.accounts.models import User
from portal.tools.models import Adoption, Membership
from portal.tools.operations import (
    ToolRefused,
    agree,
    ask_to_adopt,
    grant_adoption,
    object_to,
    refuse_adoption,
    register_tool,
    set_status,
    withdraw_adoption,
)
from tests.conftest import NOW

LATER = NOW + timedelta(days=15)


@pytest.fixture
def adoption(hat, bob):
    """Bob asks for alice's hat."""
    return ask_to_adopt(hat, why="It is down since May.", by=bob, at=NOW)


def keepers(tool):
    return sorted(each.user.username for each in tool.memberships.filter(role="maintainer"))


def test_a_tool_is_handed_over_when_nobody_answers_in_time(adoption, hat, ada):
    with pytest.raises(ToolRefused, match="until 2026-05-18"):
        grant_adoption(adoption, by=ada, at=NOW + timedelta(days=13))
    grant_adoption(adoption, by=ada, at=LATER, reason="Nobody is there.")
    assert keepers(hat) == ["alice", "bob"]
    assert [event.action for event in hat.events.all()[:3]] == [
        "member.joined",
        "adoption.granted",
        "adoption.asked",
    ]


def test_a_tool_is_handed_over_at_once_when_a_maintainer_agrees(adoption, hat, alice, ada):
    agree(adoption, by=alice, at=NOW)
    grant_adoption(adoption, by=ada, at=NOW)
    assert keepers(hat) == ["alice", "bob"]


def test_a_maintainer_who_objects_is_there_so_it_is_not_abandoned(adoption, hat, alice, ada):
    object_to(adoption, by=alice, at=NOW, reason="I am on holiday.")
    with pytest.raises(ToolRefused, match="objected"):
        grant_adoption(adoption, by=ada, at=LATER)
    refuse_adoption(adoption, by=ada, at=LATER, reason="Alice keeps it.")
    assert keepers(hat) == ["alice"]
    assert adoption.reason == "Alice keeps it."


def test_a_refusal_has_to_be_explained(adoption, ada):
    with pytest.raises(ToolRefused, match="Say why"):
        refuse_adoption(adoption, by=ada, at=NOW, reason=" ")


def test_nobody_decides_what_they_asked_for_themselves(hat, ada):
    own = ask_to_adopt(hat, why="x", by=ada, at=NOW)
    for decide in (grant_adoption, refuse_adoption):
        with pytest.raises(ToolRefused, match="Somebody else"):
            decide(own, by=ada, at=LATER, reason="x")


def test_a_decision_is_made_once_also_by_two_at_once(adoption, hat, ada):
    other = Adoption.objects.get()
    grant_adoption(adoption, by=ada, at=LATER)
    with pytest.raises(ToolRefused, match="Somebody else answered first"):
        refuse_adoption(other, by=ada, at=LATER, reason="x")
    with pytest.raises(ToolRefused, match="any more"):
        grant_adoption(adoption, by=ada, at=LATER)
    assert adoption.moves.count() == 1


def test_a_viewer_becomes_a_maintainer(adoption, hat, bob, ada):
    Membership.objects.create(tool=hat, user=bob, role="viewer")
    grant_adoption(adoption, by=ada, at=LATER)
    assert keepers(hat) == ["alice", "bob"]
    assert hat.events.first().before == {"role": "viewer"}


def test_a_blocked_account_gets_no_tool(adoption, hat, bob, ada):
    User.objects.filter(pk=bob.pk).update(is_active=False)
    with pytest.raises(ToolRefused, match="blocked"):
        grant_adoption(Adoption.objects.get(), by=ada, at=LATER)
    assert keepers(hat) == ["alice"]


@pytest.mark.parametrize("why", ["", "  ", "x" * 2001, "a\0b"])
def test_a_reason_is_needed_that_can_be_read(why, hat, bob):
    with pytest.raises(ToolRefused) as caught:
        ask_to_adopt(hat, why=why, by=bob, at=NOW)
    assert caught.value.field == "why"


def test_one_asks_once_for_a_few_tools_and_not_for_ones_own(adoption, hat, alice, bob, ada):
    with pytest.raises(ToolRefused, match="this tool already"):
        ask_to_adopt(hat, why="x", by=bob, at=NOW)
    with pytest.raises(ToolRefused, match="keep this tool"):
        ask_to_adopt(hat, why="x", by=alice, at=NOW)
    for number in range(4):
        ask_to_adopt(
            register_tool(f"t{number}", by=alice, at=NOW, title="x"), why="x", by=bob, at=NOW
        )
    last = register_tool("last", by=alice, at=NOW, title="x")
    with pytest.raises(ToolRefused, match="several"):
        ask_to_adopt(last, why="x", by=bob, at=NOW)
    withdraw_adoption(adoption, by=bob, at=NOW)
    ask_to_adopt(hat, why="again", by=bob, at=NOW)
    set_status(last, "archived", by=ada, at=NOW)
    with pytest.raises(ToolRefused, match="archived"):
        ask_to_adopt(last, why="x", by=ada, at=NOW)


def test_it_is_asked_answered_and_decided_in_the_browser(hat, alice, bob, ada, client_of):
    client_of(bob).post("/tools/hat/adopt/", {"why": "It is <b>down</b>."})
    adoption = Adoption.objects.get()
    assert adoption.due_at - adoption.created_at == timedelta(days=14)
    assert "Adopt this tool" in client_of(bob).get("/tools/hat/").content.decode()
    keeper = client_of(alice)
    assert "take over a tool of yours" in keeper.get("/").content.decode()
    page = keeper.get("/adoptions/").content.decode()
    assert "It is &lt;b&gt;down&lt;/b&gt;." in page
    keeper.post(f"/adoptions/{adoption.pk}/answer/", {"answer": "agree", "reason": "Please do."})
    decider = client_of(ada)
    page = decider.get("/adoptions/").content.decode()
    assert "Please do." in page
    assert 'value="grant"' in page
    decider.post(f"/adoptions/{adoption.pk}/decide/", {"answer": "grant"})
    assert keepers(hat) == ["alice", "bob"]
    assert "Granted" in client_of(bob).get("/adoptions/").content.decode()


def test_what_is_somebody_elses_is_not_there(adoption, hat, alice, bob, mallory, client_of, api_of):
    register_tool("scarf", by=mallory, at=NOW, title="Scarf")
    path, rest = f"/adoptions/{adoption.pk}", f"/api/v1/adoptions/{adoption.pk}"
    page, api = client_of(mallory), api_of(mallory)
    for answer in ("agree", "object", "withdraw", "steal"):
        assert page.post(f"{path}/answer/", {"answer": answer}).status_code == 404
    for verb in ("agree", "object", "withdraw"):
        assert api.post(f"{rest}/{verb}/").status_code == 404
    for who in (mallory, alice, bob):
        assert client_of(who).post(f"{path}/decide/", {"answer": "grant"}).status_code == 403
        assert api_of(who).post(f"{rest}/grant/").status_code == 403
    assert client_of(bob).post(f"{path}/answer/", {"answer": "agree"}).status_code == 404
    assert client_of(alice).post(f"{path}/answer/", {"answer": "withdraw"}).status_code == 404
    assert api.get("/api/v1/adoptions/").json()["results"] == []
    assert "It is down" not in page.get("/adoptions/").content.decode()
    adoption.refresh_from_db()
    assert adoption.status == "waiting"


def test_it_is_asked_answered_and_decided_over_rest(hat, alice, bob, ada, api_of):
    asker, keeper, decider = api_of(bob), api_of(alice), api_of(ada)
    made = asker.post("/api/v1/tools/hat/adoptions/", {"why": "It is down."})
    assert (made.status_code, made.json()["status"]) == (201, "waiting")
    path = f"/api/v1/adoptions/{made.json()['id']}"
    assert decider.post(f"{path}/grant/").status_code == 409
    assert keeper.get("/api/v1/adoptions/?open=1").json()["results"] == [made.json()]
    assert keeper.post(f"{path}/agree/", {"reason": "Yes."}).json()["status"] == "agreed"
    assert decider.post(f"{path}/grant/").json()["status"] == "granted"
    assert decider.post(f"{path}/refuse/", {"reason": "x"}).status_code == 409
    assert decider.get("/api/v1/adoptions/?open=1").json()["results"] == []
    assert keepers(hat) == ["alice", "bob"]


def test_the_queue_begins_with_what_waits_longest(hat, alice, bob, mallory, ada, client_of):
    scarf = register_tool("scarf", by=alice, at=NOW, title="Scarf")
    ask_to_adopt(scarf, why="later", by=bob, at=timezone.now())
    ask_to_adopt(hat, why="earlier", by=mallory, at=NOW)
    queue = client_of(ada).get("/adoptions/").context["queue"]
    assert [row["adoption"].why for row in queue] == ["earlier", "later"]
    assert [row["is_ripe"] for row in queue] == [True, False]
