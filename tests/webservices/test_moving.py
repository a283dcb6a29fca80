"""Asking for a tool's move, following and cancelling it: in the browser and over REST."""

import pytest

from portal.clusters.models import Cluster, Relocation
from portal.clusters.states import RelocationStatus
from portal.tools.models import AuditEvent, Membership, Tool
from tests.clusters.made_up import FIELDS
from tests.conftest import NOW

MOVES = "/api/v1/tools/hat/moves/"
PAGE = "/tools/hat/moves/"


@pytest.fixture
def beta(db):
    return Cluster.objects.create(name="beta", is_reachable=True, created_at=NOW, **FIELDS)


def ask(client, cluster="beta"):
    return client.post(MOVES, {"cluster": cluster}, format="json")


def test_administrators_start_read_and_cancel_over_rest(api_of, ada, hat, beta):
    answer = ask(api_of(ada))
    assert answer.status_code == 202, answer.content
    place = answer.headers["Location"]
    move = api_of(ada).get(place).json()
    assert (move["from_cluster"], move["to_cluster"], move["status"]) == ("", "beta", "requested")
    assert [step["actor"] for step in move["steps"]] == ["ada"]
    cancelled = api_of(ada).post(f"{place}cancel/")
    assert cancelled.status_code == 202
    assert cancelled.json()["cancel_asked_at"]
    assert [each["id"] for each in api_of(ada).get(MOVES).json()["results"]] == [move["id"]]


def test_a_refusal_is_a_conflict_with_a_sentence(api_of, ada, hat, beta):
    assert ask(api_of(ada)).status_code == 202
    answer = ask(api_of(ada))
    assert answer.status_code == 409
    assert "being moved already" in answer.json()["detail"]


@pytest.mark.parametrize("cluster", ["nowhere", 7, [], {"name": "beta"}])
def test_a_cluster_that_is_none_is_refused(api_of, ada, hat, beta, cluster):
    assert ask(api_of(ada), cluster).status_code == 400
    assert not Relocation.objects.exists()


def test_null_is_the_portals_own_machine(api_of, ada, hat, beta):
    Tool.objects.update(cluster=beta)
    move = ask(api_of(ada), None).json()
    assert (move["from_cluster"], move["to_cluster"]) == ("beta", "")


def test_who_keeps_the_tool_follows_its_move_and_does_not_start_it(api_of, ada, alice, hat, beta):
    place = ask(api_of(ada)).headers["Location"]
    assert api_of(alice).get(place).json()["status"] == "requested"
    assert ask(api_of(alice)).status_code == 403
    assert api_of(alice).post(f"{place}cancel/").status_code == 403


def test_others_do_not_see_it(api_of, ada, mallory, hat, beta):
    place = ask(api_of(ada)).headers["Location"]
    assert api_of(mallory).get(place).status_code == 404
    assert api_of(mallory).get(MOVES).status_code == 404


def test_a_move_is_found_through_its_own_tool_only(api_of, ada, hat, beta, alice):
    place = ask(api_of(ada)).headers["Location"]
    assert api_of(ada).get(place.replace("hat", "cap")).status_code == 404


def test_administrators_start_and_cancel_in_the_browser(client_of, ada, hat, beta):
    client = client_of(ada)
    assert "beta" in client.get(PAGE).content.decode()
    client.post(f"{PAGE}start/", {"cluster": "beta"})
    move = Relocation.objects.get()
    assert (move.target, move.actor) == (beta, ada)
    assert "Cancel this move?" in client.get(PAGE).content.decode()
    client.post(f"{PAGE}{move.pk}/cancel/")
    move.refresh_from_db()
    assert move.cancel_asked_by == ada
    assert AuditEvent.objects.filter(action="tool.move-cancel-asked", actor=ada).exists()


def test_refusals_are_shown_in_the_browser(client_of, ada, hat, beta):
    client = client_of(ada)
    answer = client.post(f"{PAGE}start/", {"cluster": "nowhere"}, follow=True)
    assert "Choose a place that is in the list." in answer.content.decode()
    Cluster.objects.update(is_reachable=False)
    answer = client.post(f"{PAGE}start/", {"cluster": "beta"}, follow=True)
    assert "cannot see that cluster" in answer.content.decode()


def test_a_tool_goes_back_to_the_machine_in_the_browser(client_of, ada, hat, beta):
    Tool.objects.update(cluster=beta)
    client_of(ada).post(f"{PAGE}start/", {"cluster": "."})
    assert Relocation.objects.get().target is None


def test_maintainers_and_viewers_see_the_progress_on_the_tools_pages(
    client_of, api_of, ada, alice, bob, hat, beta
):
    Membership.objects.create(tool=hat, user=bob, role=Membership.Role.VIEWER)
    ask(api_of(ada))
    Relocation.objects.update(waits_for="Build 7: Running.")
    for user in (alice, bob):
        for page in ("/tools/hat/", "/tools/hat/webservice/", PAGE, f"{PAGE}status/"):
            text = client_of(user).get(page).content.decode()
            assert "Build 7: Running." in text, page
            assert "Cancel this move?" not in text
    assert client_of(alice).post(f"{PAGE}start/", {"cluster": "beta"}).status_code == 403


def test_visitors_are_told_nothing_of_it(client, api_of, ada, hat, beta):
    ask(api_of(ada))
    assert "being moved" not in client.get("/tools/hat/").content.decode()


@pytest.mark.parametrize("status", list(RelocationStatus))
def test_every_status_is_shown(client_of, api_of, ada, hat, beta, status):
    ask(api_of(ada))
    why = "The <cluster> said no."
    Relocation.objects.update(status=status, reason=why, reason_code="refused")
    for page in (PAGE, "/tools/hat/", "/tools/hat/webservice/"):
        assert client_of(ada).get(page).status_code == 200
    text = client_of(ada).get(PAGE).content.decode()
    assert str(Relocation.LABELS[status]) in text
    assert "The &lt;cluster&gt; said no." in text
