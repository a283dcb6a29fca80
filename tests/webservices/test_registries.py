"""Images in the registries of clusters: kept as the verdict says, deleted otherwise."""

from datetime import timedelta

import pytest

from builds.admission import startable, waiting
from builds.models import Build, Image
from builds.operations import Source, start_build
from builds.states import Status
from portal.cluster.base import ClusterError
from portal.clusters.models import RegistryPlace
from portal.clusters.places import mark_places
from portal.clusters.registries import look
from portal.tools.models import AuditEvent, Tool
from portal.webservices import tasks
from portal.webservices.models import Release
from portal.webservices.operations import deploy
from portal.webservices.registries import BUSY, LOOK_EVERY, keep_place, wake_left_over
from portal.webservices.retention import remove_old_images
from portal.webservices.states import ReleaseStatus
from tests.conftest import NOW
from tests.registries import account, harbor, memory, place, with_harbor

__all__ = ["account", "harbor", "memory", "place", "with_harbor"]


class NoStore:
    """Nothing of a tool in a cluster is on this machine."""

    def keep_images(self, tool, digests):
        raise AssertionError(tool)


def days(number):
    return NOW + timedelta(days=number)


def keep(place, now=NOW):
    RegistryPlace.objects.filter(pk=place.pk).update(next_look_at=now)
    found = RegistryPlace.objects.select_related("cluster", "tool").get(pk=place.pk)
    keep_place(found, now=now)
    return RegistryPlace.objects.filter(pk=place.pk).first()


@pytest.fixture
def images(place, harbor, make_image, settings):
    """Five images in the Harbor, of which two are to be kept."""
    settings.IMAGES_KEPT = 2
    keep(place)
    made = [make_image() for _number in range(5)]
    for number, image in enumerate(made):
        put(harbor, place, image, f"sha256:{number:064}")
    return made


def put(harbor, place, image, digest):
    repository = f"tool-{image.tool}/{image.tool}"
    image.digest, image.reference = digest, f"{place.cluster.registry}/{repository}@{digest}"
    image.save(update_fields=["digest", "reference"])
    pushed = {"digest": digest, "push_time": f"2026-01-01T00:00:{image.pk % 60:02}Z"}
    harbor.artifacts.setdefault(repository, []).append(pushed)


def digests(harbor, repository="tool-hat/hat"):
    return [int(each["digest"][7:]) for each in harbor.artifacts[repository]]


def clean_up(place, now=NOW):
    remove_old_images(store=NoStore(), now=now)
    return keep(place, now)


def test_images_that_the_verdict_drops_are_deleted(images, place, harbor, alice):
    deploy(images[0], by=alice, at=NOW)
    clean_up(place)
    assert digests(harbor) == [0, 3, 4]
    gone = Image.objects.filter(removed_at=NOW).order_by("pk")
    assert list(gone) == images[1:3]
    assert not gone.filter(is_left_over=True).exists()


def test_what_could_not_be_deleted_is_deleted_later(images, place, harbor):
    harbor.broken = 503
    seen = clean_up(place)
    assert (seen.since, seen.failures, "503" in seen.trouble) == (NOW, 1, True)
    assert seen.next_look_at == NOW + timedelta(minutes=1)
    seen = keep(place, NOW + timedelta(minutes=1))
    assert (seen.since, seen.failures) == (NOW, 2)
    assert seen.next_look_at == NOW + timedelta(minutes=3)
    assert len(digests(harbor)) == 5
    harbor.broken = 0
    seen = keep(place, days(1))
    assert (seen.since, seen.failures, seen.trouble) == (None, 0, "")
    assert digests(harbor) == [3, 4]


def test_what_was_deleted_by_hand_is_fine(images, place, harbor):
    harbor.artifacts["tool-hat/hat"] = harbor.artifacts["tool-hat/hat"][1:]
    assert clean_up(place).trouble == ""
    assert digests(harbor) == [3, 4]


def test_images_that_the_portal_does_not_know_stay(images, place, harbor):
    unknown = {"digest": "sha256:99", "push_time": "2020-01-01T00:00:00Z"}
    harbor.artifacts["tool-hat/hat"].append(unknown)
    clean_up(place)
    assert digests(harbor) == [3, 4, 99]


def test_an_image_that_was_built_again_stays(images, place, harbor, make_image):
    remove_old_images(store=NoStore(), now=NOW)
    again = make_image()
    again.digest, again.reference = images[0].digest, images[0].reference
    again.save(update_fields=["digest", "reference"])
    keep(place)
    assert digests(harbor) == [0, 3, 4]
    assert not Image.objects.filter(is_left_over=True).exists()


def test_nothing_is_deleted_while_the_tool_is_built(images, place, harbor, hat, alice):
    remove_old_images(store=NoStore(), now=NOW)
    start_build(hat, by=alice, source=Source("https://git.example.org/new"), at=NOW)
    assert keep(place).next_look_at == NOW + BUSY
    assert len(digests(harbor)) == 5


def test_of_the_caches_the_newest_stays(images, place, harbor):
    harbor.artifacts["tool-hat/hat-cache"] = [
        {"digest": f"sha256:{number}", "push_time": f"2026-01-0{number}T00:00:00.000Z"}
        for number in (1, 3, 2)
    ]
    keep(place)
    assert digests(harbor, "tool-hat/hat-cache") == [3]


def test_images_of_another_registry_are_left_to_it(images, place, harbor):
    Image.objects.update(reference="elsewhere.example.org/tool-hat/hat@sha256:1")
    clean_up(place)
    assert len(digests(harbor)) == 5
    assert not Image.objects.filter(is_left_over=True).exists()


def test_whatever_gave_images_up_they_are_deleted_soon(images, place):
    RegistryPlace.objects.update(next_look_at=None)
    wake_left_over(now=NOW)
    assert RegistryPlace.objects.get().next_look_at is None
    Image.objects.filter(pk=images[0].pk).update(removed_at=NOW, is_left_over=True)
    wake_left_over(now=NOW)
    assert RegistryPlace.objects.get().next_look_at == NOW


def test_many_images_take_several_looks(images, place, harbor, monkeypatch):
    monkeypatch.setattr("portal.webservices.registries.REMOVED_AT_ONCE", 2)
    seen = clean_up(place)
    assert digests(harbor) == [0, 3, 4]
    assert seen.next_look_at == NOW
    assert keep(place).next_look_at == NOW + LOOK_EVERY
    assert digests(harbor) == [3, 4]


def test_a_wish_that_comes_during_a_look_is_not_forgotten(place):
    RegistryPlace.objects.update(next_look_at=NOW)
    found = RegistryPlace.objects.select_related("cluster", "tool").get()
    RegistryPlace.objects.update(next_look_at=NOW + timedelta(seconds=1))
    keep_place(found, now=NOW)
    assert RegistryPlace.objects.get().next_look_at == NOW + timedelta(seconds=1)


def test_only_one_looks_at_a_time(place):
    lease = timedelta(minutes=5)
    claim = RegistryPlace.objects.claim
    assert claim(place.pk, now=NOW, lease=lease)
    RegistryPlace.objects.update(next_look_at=NOW)
    assert claim(place.pk, now=NOW + lease - timedelta(seconds=1), lease=lease) is None
    assert claim(place.pk, now=NOW + lease, lease=lease)
    assert claim(place.pk, now=NOW - timedelta(seconds=1), lease=lease) is None


def test_an_archived_tools_project_goes_after_its_grace(images, place, harbor, settings):
    Tool.objects.update(status="archived")
    mark_places(now=NOW)
    keep(place, days(settings.HOME_GRACE_DAYS - 1))
    assert harbor.project("tool-hat")
    assert keep(place, days(settings.HOME_GRACE_DAYS)) is None
    assert harbor.project("tool-hat") is None
    assert not Image.objects.filter(removed_at=None).exists()
    assert AuditEvent.objects.filter(action="registry.left", tool=place.tool).exists()
    mark_places(now=days(30))
    assert not RegistryPlace.objects.exists()


def test_a_disabled_tools_images_stay(images, place, harbor):
    Tool.objects.update(status="disabled")
    mark_places(now=NOW)
    keep(place, days(30))
    assert len(digests(harbor)) == 5


def test_a_place_whose_image_still_runs_stays(images, place, harbor, alice):
    release = deploy(images[4], by=alice, at=NOW)
    assert release.place == place.cluster
    Tool.objects.update(cluster=None)
    mark_places(now=NOW)
    assert keep(place, days(30))
    assert harbor.project("tool-hat")
    Release.objects.get(pk=release.pk).move_to(ReleaseStatus.RETIRED, at=NOW)
    assert keep(place, days(31)) is None
    assert harbor.project("tool-hat") is None


def test_a_harbor_that_is_away_at_the_end_is_asked_again(images, place, harbor):
    Tool.objects.update(status="archived")
    mark_places(now=NOW)
    harbor.broken = 500
    assert keep(place, days(30)).trouble
    harbor.broken = 0
    assert keep(place, days(31)) is None
    assert harbor.projects == {}


def test_a_project_of_somebody_else_is_left_alone_and_said(place, harbor):
    keep(place)
    harbor.project("tool-hat")["owner_name"] = "mallory"
    assert "belongs to mallory" in keep(place, days(1)).trouble


def test_a_cluster_that_is_away_is_said_and_made_up_for(place, memory, monkeypatch):
    def away(*_args, **_more):
        raise ClusterError("The cluster is away.")

    with monkeypatch.context() as patched:
        patched.setattr(type(memory), "apply", away)
        assert keep(place).trouble == "The cluster is away."
    seen = keep(place, days(1))
    assert (seen.trouble, seen.placed_at) == ("", days(1))


def test_places_are_looked_at_where_the_registry_answers(place, harbor, monkeypatch):
    asked = []
    monkeypatch.setattr(
        tasks.keep_registry_place, "delay", lambda *, place_id: asked.append(place_id)
    )
    harbor.broken = 503
    look(place.cluster.registry_state, now=NOW)
    tasks.keep_places()
    assert asked == []
    harbor.broken = 0
    look(place.cluster.registry_state, now=NOW)
    tasks.keep_places()
    assert asked == [place.pk]


def test_the_task_looks_once(place, harbor):
    for _time in range(2):
        tasks.keep_registry_place(place_id=place.pk)
    assert len(harbor.robots) == 2
    assert RegistryPlace.objects.get().next_look_at > NOW


def test_a_build_waits_for_its_tools_place_and_says_so(place, hat, alice):
    build, _is_new = start_build(
        hat, by=alice, source=Source("https://git.example.org/new"), at=NOW
    )
    assert startable() == []
    assert "place in the image registry" in waiting(build).because
    keep(place)
    assert startable() == [build.pk]


def test_a_build_that_ends_has_its_use_measured(place, hat, alice):
    keep(place)
    build, _is_new = start_build(
        hat, by=alice, source=Source("https://git.example.org/new"), at=NOW
    )
    Build.objects.filter(pk=build.pk).update(status=Status.FAILED)
    build.refresh_from_db()
    tasks.build_finished.send(sender=Build, build=build)
    assert RegistryPlace.objects.get().next_look_at != NOW + LOOK_EVERY


def test_what_a_registry_counts_is_used(images, place, harbor, client_of, api_of, alice):
    [quota] = harbor.quotas.values()
    quota["used"]["storage"] = 3 * 1024**3
    keep(place)
    shown = api_of(alice).get("/api/v1/tools/hat/quotas/").json()
    [storage] = [each for each in shown["uses"] if each["resource"] == "storage_bytes"]
    assert storage["used"] == 3 * 1024**3
    assert shown["registry"] == {
        "used_bytes": 3 * 1024**3,
        "limit_bytes": storage["limit"],
        "measured_at": "2026-05-04T12:00:00Z",
        "silent_since": None,
    }
    assert "The image registry counted" in page_of(client_of(alice))
    harbor.broken = 503
    keep(place, days(1))
    assert "could not be asked again since" in page_of(client_of(alice))


def page_of(client):
    return client.get("/tools/hat/quotas/").content.decode()


def test_where_no_registry_counts_the_images_do(hat, api_of, alice, make_image):
    make_image()
    shown = api_of(alice).get("/api/v1/tools/hat/quotas/").json()
    [storage] = [each for each in shown["uses"] if each["resource"] == "storage_bytes"]
    assert (shown["registry"], storage["used"]) == (None, 1)
