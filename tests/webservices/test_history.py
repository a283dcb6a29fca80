"""Releases as history: they never change, are compared, gone back to and kept."""

import threading

import pytest
from django.db import connection
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from portal.tools.operations import delete_variable, set_variable
from portal.webservices.comparison import differences
from portal.webservices.models import Release, Replica, Webservice
from portal.webservices.operations import (
    DeployRefused,
    configure,
    deploy,
    pin,
    restart,
    rollback,
    stop,
)
from portal.webservices.retention import remove_old_images, verdicts
from portal.webservices.states import Cause, ReleaseStatus
from tests.conftest import NOW


def text(answer):
    return answer.content.decode()


@pytest.fixture
def served(make_image, alice, look):
    """Two releases of two images; the second is live."""
    images = [make_image(), make_image()]
    for number, image in enumerate(images):
        image.digest = f"sha256:{number:064}"
        image.save(update_fields=["digest"])
        deploy(image, by=alice, at=NOW)
        webservice = look(4)
    return webservice


def release(number):
    return Release.objects.select_related("image__build", "image__tool").get(number=number)


@pytest.mark.parametrize("field", ["image_id", "replicas", "variables", "note", "number"])
def test_a_release_is_not_changed_once_it_is_made(served, field):
    made = release(1)
    with pytest.raises(ValueError, match="not changed"):
        Release.objects.filter(pk=made.pk).update(**{field.removesuffix("_id"): 2})
    setattr(made, field, 2)
    with pytest.raises(ValueError, match="not changed"):
        made.save()
    with pytest.raises(ValueError, match="not changed"):
        made.save(update_fields=[field.removesuffix("_id")])


def test_a_release_outlives_the_account_of_its_maker(served, alice):
    alice.delete()
    assert release(1).actor is None


def test_a_release_holds_how_it_is_run_and_no_value(served, hat, image, alice):
    configure(hat, by=alice, at=NOW, health_check_path="/up", replicas=2)
    set_variable(hat, name="TOKEN", value="hunter2-hunter2", by=alice, at=NOW)
    made = deploy(image, by=alice, at=NOW)
    assert (made.health_check_path, made.replicas, list(made.variables)) == ("/up", 2, ["TOKEN"])
    assert "hunter2" not in str(made.variables)
    assert hat.events.first().after["variables"] == ["TOKEN"]


def test_two_releases_are_compared_by_what_they_run(served, hat, alice):
    set_variable(hat, name="KEPT", value="1", by=alice, at=NOW)
    set_variable(hat, name="GONE", value="1", by=alice, at=NOW)
    set_variable(hat, name="OTHER", value="1", by=alice, at=NOW)
    before = deploy(release(1).image, by=alice, at=NOW)
    set_variable(hat, name="NEW", value="1", by=alice, at=NOW)
    set_variable(hat, name="OTHER", value="2", by=alice, at=NOW)
    delete_variable(hat.variables.get(name="GONE"), by=alice, at=NOW)
    configure(hat, by=alice, at=NOW, replicas=3)
    after = deploy(release(2).image, by=alice, at=NOW)
    changed = {
        each.field.removeprefix("variables."): (each.before, each.after)
        for each in differences(before, after)
    }
    assert changed.keys() == {"image", "build", "replicas", "NEW", "GONE", "OTHER"}
    assert changed["replicas"] == ("1", "3")
    assert changed["OTHER"] == ("set", "set to another value")
    assert (changed["NEW"][0], changed["GONE"][1]) == ("", "")


def test_the_same_again_does_not_differ(served, alice):
    again = deploy(release(2).image, by=alice, at=NOW)
    assert differences(release(2), again) == []


def test_a_restart_and_a_change_of_the_health_check_start_new_processes(served, hat, alice, look):
    configure(hat, by=alice, at=NOW, health_check_path="/up")
    look(3)
    restart(served, by=alice, at=NOW)
    look(3)
    causes = list(Release.objects.order_by("pk").values_list("cause", flat=True))
    assert causes == [Cause.DEPLOYED, Cause.DEPLOYED, Cause.CONFIGURED, Cause.RESTARTED]
    assert Replica.objects.filter(release__status="live").get().name == "hat-r4-0"


def test_scaling_is_a_release_that_keeps_the_processes(served, hat, alice, look, engine):
    submitted = engine.orders["hat-r2-0"]
    configure(hat, by=alice, at=NOW, replicas=2)
    look(1)
    assert (release(2).status, release(3).status) == ("retired", "live")
    look(2)
    live = Replica.objects.filter(release__number=3)
    assert [each.name for each in live] == ["hat-r2-0", "hat-r3-1"]
    assert engine.orders["hat-r2-0"] is submitted
    configure(hat, by=alice, at=NOW, replicas=1)
    look(3, after=60)
    assert sorted(engine.replicas) == ["hat-r2-0"]


def test_a_change_of_the_configuration_is_noted_in_words(served, hat, alice):
    configure(hat, by=alice, at=NOW, replicas=2, memory_bytes=256 * 1024**2, cpu_millis=500)
    note = Release.objects.first().note.replace("\xa0", " ")
    assert note == (
        "configured: Replicas 1 → 2, Memory of a replica 512.0 MB → 256.0 MB, "
        "Processors of a replica 1 → 0.5"
    )


def test_scaling_with_changed_variables_starts_new_processes(served, hat, alice, look, engine):
    set_variable(hat, name="TOKEN", value="hunter2", by=alice, at=NOW)
    configure(hat, by=alice, at=NOW, replicas=2)
    look(4)
    assert [each.name for each in Replica.objects.filter(release__number=3)] == [
        "hat-r3-0",
        "hat-r3-1",
    ]


def test_nothing_is_released_by_configuring_what_is_stopped_or_the_same(served, hat, alice, look):
    configure(hat, by=alice, at=NOW, replicas=1)
    stop(served, by=alice, at=NOW)
    look(3)
    configure(hat, by=alice, at=NOW, replicas=2)
    assert Release.objects.count() == 2
    assert restart(served, by=alice, at=NOW).replicas == 2


def test_a_newer_release_in_the_moment_of_the_switch_does_not_stop_the_old_one(
    served, image, alice, look, engine, monkeypatch
):
    deploy(image, by=alice, at=NOW)
    look(2)
    route = engine.route

    def deploy_meanwhile(routes):
        monkeypatch.setattr(engine, "route", route)
        deploy(image, by=alice, at=NOW)
        route(routes)

    monkeypatch.setattr(engine, "route", deploy_meanwhile)
    look(1)
    assert release(2).status == ReleaseStatus.LIVE
    assert [release(3).status, release(4).status] == ["retired", "starting"]


def test_a_rollback_runs_the_old_image_as_it_was_run(served, hat, alice, look):
    configure(hat, by=alice, at=NOW, replicas=3, health_check_path="/up")
    look(4)
    made = rollback(served, to=release(1), by=alice, at=NOW, why="it was better")
    assert (made.number, made.image_id, made.replicas) == (4, release(1).image_id, 1)
    assert (made.rolled_back_to, made.is_pinned, made.cause) == (1, True, "rolled-back")
    assert made.note == "rolled back to release 1: it was better"
    webservice = look(4)
    assert (webservice.live.number, webservice.replicas) == (4, 1)


@pytest.mark.parametrize(
    ("number", "words"), [(2, "is what runs now"), (3, "never served"), (1, "deleted to make room")]
)
def test_a_rollback_that_cannot_be_is_refused_in_words(served, image, alice, number, words):
    if number == 3:
        deploy(image, by=alice, at=NOW)
        deploy(image, by=alice, at=NOW)
    type(image).objects.filter(releases__number=1).update(removed_at=NOW)
    with pytest.raises(DeployRefused, match=words):
        rollback(served, to=release(number), by=alice, at=NOW)


class Store:
    def __init__(self):
        self.kept = set()

    def keep_images(self, tool, digests):
        self.kept = digests
        return 1


def test_what_a_rollback_pins_is_kept_until_it_is_let_go(served, make_image, alice, settings, look):
    settings.IMAGES_KEPT = 1
    made = rollback(served, to=release(1), by=alice, at=NOW)
    look(4)
    for number in range(5):
        image = make_image()
        image.digest = f"sha256:{number + 5:064}"
        image.save(update_fields=["digest"])
        deploy(image, by=alice, at=NOW)
    store = Store()
    remove_old_images(store=store, now=NOW)
    old = f"sha256:{0:064}"
    assert old in store.kept
    pin(release(made.number), is_pinned=False, by=alice, at=NOW)
    look(4)
    remove_old_images(store=store, now=NOW)
    assert old not in store.kept
    with pytest.raises(DeployRefused, match="deleted"):
        pin(release(made.number), is_pinned=True, by=alice, at=NOW)


def test_a_dry_run_says_what_is_kept_and_why_and_does_just_that(served, make_image, hat, settings):
    settings.IMAGES_KEPT = 1
    unused = make_image()
    newest = make_image()
    for number, image in enumerate((unused, newest)):
        image.digest = f"sha256:{number + 5:064}"
        image.save(update_fields=["digest"])
    said = {each.image.pk: each for each in verdicts(hat)}
    assert said[newest.pk].reasons == ("the newest one",)
    assert "release 2 runs it" in said[release(2).image_id].reasons
    assert "one of the last 3" in said[release(1).image_id].reasons[0]
    assert not said[unused.pk].is_kept
    store = Store()
    remove_old_images(store=store, now=NOW)
    assert store.kept == {each.image.digest for each in said.values() if each.is_kept}


def test_many_restarts_do_not_push_out_the_image_to_go_back_to(served, hat, alice, settings, look):
    settings.IMAGES_KEPT = 1
    for _number in range(5):
        restart(served, by=alice, at=NOW)
    look(4)
    assert all(each.is_kept for each in verdicts(hat))


def test_a_release_and_its_differences_have_a_page(served, alice, bob, client_of):
    client = client_of(alice)
    page = text(client.get("/tools/hat/webservice/releases/2/"))
    assert "Changes since release 1" in page
    assert f"sha256:{0:064}" in page
    assert "Roll back to release 2" not in page
    assert "Roll back to release 1" in text(client.get("/tools/hat/webservice/releases/1/"))
    assert "The first release" in text(client.get("/tools/hat/webservice/releases/1/"))
    same = text(client.get("/tools/hat/webservice/releases/2/?against=2"))
    assert "Nothing differs" in same
    assert client.get("/tools/hat/webservice/releases/2/?against=77").status_code == 404
    assert client_of(bob).get("/tools/hat/webservice/releases/2/").status_code == 404


def test_going_back_in_the_browser(served, alice, client_of):
    client = client_of(alice)
    answer = client.post("/tools/hat/webservice/releases/1/rollback/", {"why": "<b>"}, follow=True)
    assert "Release 3 starts with the image and configuration of release 1." in text(answer)
    assert "<b>" not in text(answer)
    answer = client.post("/tools/hat/webservice/releases/3/rollback/", follow=True)
    assert "is what runs now" in text(answer)
    client.post("/tools/hat/webservice/releases/3/pin/", {"pinned": "0"})
    assert not release(3).is_pinned
    page = text(client.get("/tools/hat/images/"))
    assert "one of the last 3 that were released, in release 2" in page


def test_changed_variables_are_said_to_wait_for_a_restart(served, hat, alice, client_of):
    set_variable(hat, name="TOKEN", value="hunter2", by=alice, at=NOW)
    page = text(client_of(alice).get("/tools/hat/webservice/status/"))
    assert "Variables changed since release 2: TOKEN. Restart to apply them." in page


def test_going_back_over_rest(served, alice, mallory, api_of):
    rest = api_of(alice)
    answer = rest.post("/api/v1/tools/hat/webservice/rollback/", {"release": 1, "why": "slow"})
    assert (answer.status_code, answer.json()["rolled_back_to"]) == (202, 1)
    assert answer.headers["Location"] == "/api/v1/tools/hat/webservice/releases/3/"
    diff = rest.get("/api/v1/tools/hat/webservice/releases/3/diff/?against=1").json()
    assert (diff["against"], diff["differences"]) == (1, [])
    again = rest.post("/api/v1/tools/hat/webservice/rollback/", {"release": 3})
    assert (again.status_code, "runs now" in again.json()["detail"]) == (409, True)
    assert rest.post("/api/v1/tools/hat/webservice/rollback/", {"release": 9}).status_code == 404
    path = "/api/v1/tools/hat/webservice/releases/3/"
    assert rest.patch(path, {"is_pinned": False}).json()["is_pinned"] is False
    assert rest.get("/api/v1/tools/hat/images/").json()[0]["is_kept"] is True
    foreign = api_of(mallory).post("/api/v1/tools/hat/webservice/rollback/", {"release": 1})
    assert foreign.status_code == 404


ACTIONS = ("deploy", "rollback", "configure", "restart")


@pytest.mark.django_db(transaction=True)
@hypothesis_settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(plans=st.lists(st.lists(st.sampled_from(ACTIONS), max_size=3), min_size=3, max_size=3))
def test_releases_made_at_once_are_numbered_without_gap_or_double(plans, image, hat, alice):
    Webservice.objects.all().delete()
    first = deploy(image, by=alice, at=NOW)
    first.move_to(ReleaseStatus.LIVE, at=NOW, live_at=NOW)
    refused = []

    def work(number, plan):
        webservice = Webservice.objects.get()
        happens = {
            "deploy": lambda: deploy(image, by=alice, at=NOW),
            "rollback": lambda: rollback(webservice, to=first, by=alice, at=NOW),
            "configure": lambda: configure(
                hat, by=alice, at=NOW, health_check_path=f"/{number}/{len(refused)}"
            ),
            "restart": lambda: restart(webservice, by=alice, at=NOW),
        }
        for action in plan:
            try:
                happens[action]()
            except DeployRefused as refusal:
                refused.append(refusal)
        connection.close()

    threads = [threading.Thread(target=work, args=each) for each in enumerate(plans)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    releases = Release.objects.order_by("number")
    numbers = [each.number for each in releases]
    assert numbers == list(range(1, len(numbers) + 1))
    assert Webservice.objects.get().last_release_number == len(numbers)
    starting = [each.number for each in releases if each.status == ReleaseStatus.STARTING]
    assert starting in ([], [len(numbers)])
    assert all(each.image_id == image.pk for each in releases)
