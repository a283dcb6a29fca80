"""Builds that are deployed by themselves, and the pause that a rollback makes."""

from datetime import timedelta

import pytest

from builds.models import Build, Image
from builds.states import Status
from portal.webservices.models import Release, Webservice
from portal.webservices.operations import (
    DeployRefused,
    deploy,
    follow_branch,
    resume_deploys,
    rollback,
)
from portal.webservices.releases import builds_to_deploy
from portal.webservices.tasks import deploy_when_built
from tests.conftest import NOW


def text(answer):
    return answer.content.decode()


@pytest.fixture
def built(hat, alice, image):
    """Makes a build that just succeeded."""

    def build(ref="main", *, trigger="webhook", deploy_it=True, minutes=1, number=None):
        made = Build.objects.create(
            tool=hat,
            number=number or Build.objects.count() + 10,
            status=Status.SUCCEEDED,
            source_url="https://git.example.org/hat",
            ref=ref,
            trigger=trigger,
            deploy_when_built=deploy_it,
            created_at=NOW,
            finished_at=NOW + timedelta(minutes=minutes),
        )
        Image.objects.create(
            tool=hat,
            build=made,
            digest=image.digest,
            reference="oci:x",
            size=1,
            processes={"web": ["serve"]},
            default_process="web",
            created_at=NOW,
        )
        deploy_when_built(Build, build=made)
        return made

    return build


@pytest.fixture
def rolled_back(image, hat, alice, look):
    """Release 3 is a rollback to release 1."""
    follow_branch(hat, "main", by=alice, at=NOW)
    for _number in range(2):
        deploy(image, by=alice, at=NOW)
        webservice = look(4)
    rollback(webservice, to=Release.objects.get(number=1), by=alice, at=NOW)
    return look(4)


def deployed():
    return [each.image.build.number for each in Release.objects.order_by("pk")]


@pytest.mark.parametrize("trigger", ["webhook", "person", "token"])
@pytest.mark.parametrize(("ref", "is_deployed"), [("main", True), ("dev", False), ("", False)])
def test_a_build_of_the_branch_is_deployed(hat, alice, built, trigger, ref, is_deployed):
    follow_branch(hat, "main", by=alice, at=NOW)
    build = built(ref, trigger=trigger, deploy_it=trigger == "webhook")
    assert deployed() == ([build.number] if is_deployed else [])


@pytest.mark.parametrize(
    ("trigger", "asked", "is_deployed"),
    [("webhook", True, True), ("webhook", False, False), ("person", False, False)],
)
def test_without_a_branch_a_build_is_deployed_if_that_was_asked_for(
    built, trigger, asked, is_deployed
):
    built(trigger=trigger, deploy_it=asked)
    assert bool(deployed()) == is_deployed


def test_a_hook_that_does_not_deploy_is_obeyed(hat, alice, built):
    follow_branch(hat, "main", by=alice, at=NOW)
    built(deploy_it=False)
    assert deployed() == []


def test_a_rollback_pauses_what_happens_by_itself_and_says_so(rolled_back, hat, built):
    built()
    assert Release.objects.count() == 3
    summary = hat.events.first().summary
    assert "paused by the rollback to release 1 by alice on May 4, 2026." in summary


def test_who_asks_for_a_deploy_gets_it_during_the_pause(rolled_back, built):
    build = built(trigger="person")
    assert deployed()[-1] == build.number
    assert Webservice.objects.get().paused_by.number == 3


def test_after_the_pause_the_next_build_is_deployed_and_no_earlier_one(rolled_back, alice, built):
    missed = built(minutes=1)
    resume_deploys(rolled_back, by=alice, at=NOW + timedelta(minutes=5))
    due = {
        "finished_after": NOW - timedelta(hours=1),
        "finished_before": NOW + timedelta(hours=1),
    }
    assert builds_to_deploy(**due) == []
    build = built(minutes=6)
    assert deployed()[-1] == build.number
    assert missed.number not in deployed()


def test_only_what_is_paused_can_be_resumed(hat, alice, image):
    webservice = follow_branch(hat, "main", by=alice, at=NOW)
    with pytest.raises(DeployRefused, match="not paused"):
        resume_deploys(webservice, by=alice, at=NOW)


def test_an_older_build_that_ends_late_does_not_replace_a_newer_one(hat, alice, built):
    follow_branch(hat, "main", by=alice, at=NOW)
    newer = built(number=51)
    built(number=50)
    assert deployed() == [newer.number]


def test_the_sweep_finds_a_build_of_the_branch_whose_signal_was_lost(hat, alice, built, image):
    build = built()
    Release.objects.all().delete()
    Build.objects.filter(pk=build.pk).update(deploy_when_built=False, trigger="person")
    due = {"finished_after": NOW, "finished_before": NOW + timedelta(hours=1)}
    assert builds_to_deploy(**due) == []
    follow_branch(hat, "main", by=alice, at=NOW)
    assert builds_to_deploy(**due) == [build]
    follow_branch(hat, "other", by=alice, at=NOW)
    assert builds_to_deploy(**due) == []


@pytest.mark.parametrize("branch", ["-x", "a b", "..", "x" * 300])
def test_what_cannot_be_a_branch_is_refused(hat, alice, branch):
    with pytest.raises(DeployRefused, match="branch"):
        follow_branch(hat, branch, by=alice, at=NOW)


def test_the_pause_is_shown_and_ended_in_the_browser(rolled_back, alice, client_of):
    client = client_of(alice)
    assert "paused by the rollback to release 1 by alice" in text(
        client.get("/tools/hat/webservice/")
    )
    page = text(client.post("/tools/hat/webservice/resume/", follow=True))
    assert "paused by" not in page
    assert "are not paused" in text(client.post("/tools/hat/webservice/resume/", follow=True))
    data = {"deploy_branch": "release/1"}
    page = text(client.post("/tools/hat/webservice/follow/", data, follow=True))
    assert 'value="release/1"' in page
    data = {"deploy_branch": "--x"}
    assert "hyphen" in text(client.post("/tools/hat/webservice/follow/", data, follow=True))


def test_the_pause_is_shown_and_ended_over_rest(rolled_back, alice, bob, api_of):
    rest = api_of(alice)
    shown = rest.get("/api/v1/tools/hat/webservice/").json()
    assert shown["deploy_branch"] == "main"
    assert "by alice" in shown["paused"]
    assert rest.post("/api/v1/tools/hat/webservice/resume/").json()["paused"] is None
    assert rest.post("/api/v1/tools/hat/webservice/resume/").status_code == 409
    path = "/api/v1/tools/hat/webservice/"
    assert rest.patch(path, {"deploy_branch": ""}).json()["deploy_branch"] == ""
    assert rest.patch(path, {"deploy_branch": "-x"}).status_code == 409
    assert api_of(bob).post("/api/v1/tools/hat/webservice/resume/").status_code == 404
