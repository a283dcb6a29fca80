"""Who keeps a tool: invitations bound to their account, roles, leaving."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal.accounts.models import User
from portal.tools.models import Invitation, Membership
from portal.tools.operations import (
    ToolRefused,
    accept_invitation,
    change_role,
    decline_invitation,
    invite,
    register_tool,
    remove_member,
    withdraw_invitation,
)
from tests.conftest import NOW

LATER = NOW + timedelta(days=31)


@pytest.fixture
def invitation(hat, alice, bob):
    """Alice asks bob to keep the hat; open at this moment."""
    return invite(hat, username="bob", role="maintainer", by=alice, at=timezone.now())


def roles(tool):
    return {member.user.username: member.role for member in tool.memberships.all()}


def test_nobody_is_a_member_before_saying_yes(hat, invitation, bob):
    assert roles(hat) == {"alice": "maintainer"}
    accept_invitation(invitation, by=bob, at=timezone.now())
    assert roles(hat) == {"alice": "maintainer", "bob": "maintainer"}
    event = hat.events.first()
    assert (event.action, event.actor) == ("member.joined", bob)
    assert [str(move) for move in invitation.moves.all()] == ["open -> accepted"]


@pytest.mark.parametrize("end", [accept_invitation, decline_invitation, withdraw_invitation])
def test_an_answer_is_given_once(end, hat, invitation, alice, bob):
    stale = Invitation.objects.get(pk=invitation.pk)
    end(invitation, by=bob, at=timezone.now())
    for again in (accept_invitation, decline_invitation, withdraw_invitation):
        for each in (invitation, stale):
            with pytest.raises(ToolRefused, match="not open"):
                again(each, by=bob, at=timezone.now())


def test_an_invitation_runs_out_and_can_be_made_again(hat, alice, bob):
    first = invite(hat, username="bob", role="viewer", by=alice, at=NOW)
    with pytest.raises(ToolRefused, match="not open"):
        accept_invitation(first, by=bob, at=LATER)
    second = invite(hat, username="bob", role="viewer", by=alice, at=LATER)
    first.refresh_from_db()
    assert (first.status, second.status) == ("expired", "open")


def test_nobody_is_invited_twice_at_once_or_as_a_member(hat, invitation, alice):
    with pytest.raises(ToolRefused, match="invited already"):
        invite(hat, username="bob", role="viewer", by=alice, at=timezone.now())
    with pytest.raises(ToolRefused, match="with this tool already"):
        invite(hat, username="alice", role="viewer", by=alice, at=timezone.now())


def test_somebody_who_never_signed_in_finds_the_invitation_later(hat, alice, mallory):
    made = invite(hat, username="  Lovelace_of   London ", role="viewer", by=alice, at=NOW)
    assert (made.username, made.user) == ("Lovelace of London", None)
    lovelace = User.objects.create_user("Lovelace of London")
    assert Invitation.objects.addressed_to(lovelace).get() == made
    assert not Invitation.objects.addressed_to(mallory).exists()


def test_an_invitation_follows_the_account_not_the_name(hat, invitation, bob):
    bob.username = "Robert"
    bob.save()
    stranger = User.objects.create_user("bob")
    assert not Invitation.objects.addressed_to(stranger).exists()
    assert Invitation.objects.addressed_to(bob).get() == invitation


def test_names_begin_with_a_capital_as_in_the_wiki(hat, alice, settings):
    User.objects.create_user("Grace")
    assert invite(hat, username="grace", role="viewer", by=alice, at=NOW).username == "Grace"
    settings.DEVELOPMENT_IDENTITY = False
    assert invite(hat, username="élodie", role="viewer", by=alice, at=NOW).username == "Élodie"


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "bo\u200bb",
        "\u202ebob",
        "bo\nb",
        "bob\0",
        "a#b",
        "<b>",
        "a/b",
        "a|b",
        "x@y",
        "x" * 256,
    ],
)
def test_what_can_be_nobodys_name_is_refused(name, hat, alice, bob, api_of):
    with pytest.raises(ToolRefused) as caught:
        invite(hat, username=name, role="viewer", by=alice, at=NOW)
    assert caught.value.field == "username"
    answer = api_of(alice).post("/api/v1/tools/hat/invitations/", {"username": name})
    assert answer.status_code in {400, 422}
    assert not Invitation.objects.exists()


def test_composed_and_decomposed_letters_are_one_name(hat, alice):
    jose = User.objects.create_user("José")
    made = invite(hat, username="Jose\u0301", role="viewer", by=alice, at=NOW)
    assert made.user == jose


def test_a_blocked_account_is_not_invited(hat, alice, mallory):
    User.objects.filter(pk=mallory.pk).update(is_active=False)
    with pytest.raises(ToolRefused, match="blocked"):
        invite(hat, username="mallory", role="viewer", by=alice, at=NOW)


def test_a_tool_cannot_invite_half_the_world(hat, alice, monkeypatch):
    monkeypatch.setattr("portal.tools.operations.people.OPEN_AT_ONCE", 2)
    for name in ("a", "b"):
        invite(hat, username=name, role="viewer", by=alice, at=NOW)
    with pytest.raises(ToolRefused, match="Too many"):
        invite(hat, username="c", role="viewer", by=alice, at=NOW)


def test_an_invitation_of_somebody_else_is_not_there(invitation, mallory, alice, client_of, api_of):
    for who in (mallory, alice):
        page, rest = client_of(who), api_of(who)
        answer = f"/invitations/{invitation.pk}/answer/"
        assert page.post(answer, {"answer": "accept"}).status_code == 404
        for verb in ("accept", "decline"):
            path = f"/api/v1/invitations/{invitation.pk}/{verb}/"
            assert rest.post(path).status_code == 404
        assert rest.get("/api/v1/invitations/").json() == []
        assert "asks you to join the tool" not in page.get("/invitations/").content.decode()
    invitation.refresh_from_db()
    assert invitation.status == "open"


def test_an_invitation_is_withdrawn_only_through_its_own_tool(
    invitation, bob, mallory, client_of, api_of
):
    register_tool("scarf", by=mallory, at=NOW, title="Scarf")
    page, rest = client_of(mallory), api_of(mallory)
    for tool in ("hat", "scarf"):
        path = f"/tools/{tool}/invitations/{invitation.pk}/"
        assert page.post(f"{path}withdraw/").status_code == 404
        assert rest.delete(f"/api/v1{path}").status_code == 404
        assert rest.get(f"/api/v1{path}").status_code == 404
    invitation.refresh_from_db()
    assert invitation.status == "open"


def test_an_answer_from_another_site_is_refused(invitation, bob):
    client = Client(enforce_csrf_checks=True)
    client.force_login(bob)
    path = f"/invitations/{invitation.pk}/answer/"
    assert client.post(path, {"answer": "accept"}).status_code == 403
    assert client.get(path).status_code == 405


def test_an_invitation_is_answered_in_the_browser(invitation, hat, bob, client_of):
    client = client_of(bob)
    for page in ("/", "/invitations/"):
        assert "alice asks you to join" in client.get(page).content.decode()
    answer = client.post(f"/invitations/{invitation.pk}/answer/", {"answer": "accept"})
    assert answer.url == "/tools/hat/"
    assert roles(hat)["bob"] == "maintainer"
    answer = client.post(f"/invitations/{invitation.pk}/answer/", {"answer": "x"}, follow=True)
    assert "not open any more" in answer.content.decode()


def test_people_are_invited_changed_and_removed_in_the_browser(hat, alice, bob, client_of):
    client = client_of(alice)
    client.post("/tools/hat/maintainers/", {"username": "bob", "role": "viewer"})
    made = Invitation.objects.get()
    assert "bob" in client.get("/tools/hat/maintainers/").content.decode()
    client.post(f"/tools/hat/invitations/{made.pk}/withdraw/")
    made.refresh_from_db()
    assert made.status == "withdrawn"
    member = Membership.objects.create(tool=hat, user=bob, role="viewer")
    client.post(f"/tools/hat/maintainers/{member.pk}/change/", {"role": "maintainer"})
    assert roles(hat)["bob"] == "maintainer"
    client.post(f"/tools/hat/maintainers/{member.pk}/remove/")
    assert roles(hat) == {"alice": "maintainer"}


def test_a_viewer_sees_the_people_and_leaves_but_changes_nobody(hat, alice, bob, client_of, api_of):
    own = Membership.objects.create(tool=hat, user=bob, role="viewer")
    client, first = client_of(bob), hat.memberships.get(user=alice)
    text = client.get("/tools/hat/maintainers/").content.decode()
    assert "Leave" in text
    assert "Invite somebody" not in text
    assert client.post("/tools/hat/maintainers/", {"username": "x"}).status_code == 404
    assert client.post(f"/tools/hat/maintainers/{first.pk}/remove/").status_code == 404
    assert client.post(f"/tools/hat/maintainers/{own.pk}/change/").status_code == 404
    assert api_of(bob).delete("/api/v1/tools/hat/members/?username=alice").status_code == 404
    assert client.post(f"/tools/hat/maintainers/{own.pk}/remove/").url == "/tools/hat/"
    assert roles(hat) == {"alice": "maintainer"}
    assert hat.events.first().action == "member.left"


def test_the_last_maintainer_neither_leaves_nor_steps_down(hat, alice, bob):
    for act in (
        lambda: remove_member(hat, user=alice, by=alice, at=NOW),
        lambda: change_role(hat, user=alice, role="viewer", by=alice, at=NOW),
    ):
        with pytest.raises(ToolRefused, match="needs a maintainer"):
            act()
    Membership.objects.create(tool=hat, user=bob)
    remove_member(hat, user=alice, by=alice, at=NOW)
    assert roles(hat) == {"bob": "maintainer"}


def test_a_change_of_role_says_what_was_before(hat, alice, bob):
    Membership.objects.create(tool=hat, user=bob, role="viewer")
    change_role(hat, user=bob, role="maintainer", by=alice, at=NOW)
    event = hat.events.first()
    assert (event.before, event.after) == ({"role": "viewer"}, {"role": "maintainer"})
    with pytest.raises(ToolRefused):
        change_role(hat, user=bob, role="owner", by=alice, at=NOW)


def test_people_are_kept_over_rest(hat, alice, bob, api_of):
    keeper, asked = api_of(alice), api_of(bob)
    made = keeper.post("/api/v1/tools/hat/members/", {"username": "bob", "role": "viewer"})
    assert (made.status_code, made.json()["status"]) == (202, "open")
    assert keeper.get(made.headers["Location"]).json() == made.json()
    assert keeper.get("/api/v1/tools/hat/invitations/").json() == [made.json()]
    number = asked.get("/api/v1/invitations/").json()[0]["id"]
    joined = asked.post(f"/api/v1/invitations/{number}/accept/")
    assert joined.json() == {"username": "bob", "role": "viewer"}
    assert asked.post(f"/api/v1/invitations/{number}/decline/").status_code == 409
    change = {"username": "bob", "role": "maintainer"}
    assert keeper.patch("/api/v1/tools/hat/members/", change).json() == change
    assert asked.delete("/api/v1/tools/hat/members/?username=bob").status_code == 204
    assert keeper.delete("/api/v1/tools/hat/members/?username=alice").status_code == 409
    assert keeper.delete("/api/v1/tools/hat/members/?username=bob").status_code == 404


def test_an_archived_tool_is_not_joined(invitation, hat, bob):
    hat.status = "archived"
    hat.save()
    invitation.tool.refresh_from_db()
    with pytest.raises(ToolRefused, match="archived"):
        accept_invitation(invitation, by=bob, at=timezone.now())
