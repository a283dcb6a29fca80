"""Alarm clocks, and what is cleaned away."""

from datetime import timedelta
from functools import partial

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from builds import tasks as build_tasks
from builds.models import Build
from builds.operations import Source, start_build
from builds.states import Status
from portal.celery import app
from portal.webservices import tasks
from portal.webservices.models import Webservice
from portal.webservices.operations import deploy
from portal.webservices.retention import remove_old_images, remove_old_unpacked
from tests.conftest import NOW
from tests.engines import ScriptedBuilds


class Store:
    """Remembers what it was told to keep."""

    def __init__(self):
        self.kept = {}

    def keep_images(self, tool, digests):
        self.kept[tool] = digests
        return 1


@pytest.fixture
def images(make_image, settings):
    settings.IMAGES_KEPT = 2
    made = [make_image() for _number in range(7)]
    for number, image in enumerate(made):
        image.digest = f"sha256:{number:064}"
        image.save(update_fields=["digest"])
    return made


def test_the_newest_images_and_those_of_releases_are_kept(images, alice):
    deploy(images[0], by=alice, at=NOW)
    store = Store()
    assert remove_old_images(store=store, now=NOW) == 1
    kept = {images[number].digest for number in (0, 5, 6)}
    assert store.kept == {"hat": kept}
    images[1].refresh_from_db()
    assert images[1].removed_at == NOW


def test_nothing_is_deleted_while_the_tool_is_built(images, hat, alice):
    start_build(hat, by=alice, source=Source("https://git.example.org/new"), at=NOW)
    assert remove_old_images(store=Store(), now=NOW) == 0


def test_images_that_are_needed_are_not_touched(images, alice):
    for image in images:
        deploy(image, by=alice, at=NOW)
    store = Store()
    remove_old_images(store=store, now=NOW)
    again = Store()
    assert remove_old_images(store=again, now=NOW) == 0
    assert len(store.kept["hat"]) == 3


def test_every_scheduled_task_exists():
    app.loader.import_default_modules()
    names = {entry["task"] for entry in django_settings.CELERY_BEAT_SCHEDULE.values()}
    assert names <= set(app.tasks)


@pytest.fixture
def sent(monkeypatch):
    """What is put on the queue, instead of a broker."""
    calls = []
    for task in (build_tasks.reconcile_build, tasks.reconcile_webservice):
        monkeypatch.setattr(task, "delay", lambda **ids: calls.append(ids))
        monkeypatch.setattr(task, "apply_async", partial(note, calls))
    return calls


def note(calls, kwargs, *, countdown=None, expires=None):
    how = {"in": countdown, "expires": expires}
    calls.append(kwargs | {name: value for name, value in how.items() if value is not None})


def test_the_sweep_finds_a_build_that_never_started(hat, alice, sent):
    source = Source("https://git.example.org/new")
    build = start_build(hat, by=alice, source=source, at=timezone.now())[0]
    sent.clear()
    build_tasks.sweep()
    assert sent == []
    Build.objects.update(next_look_at=timezone.now() - timedelta(seconds=5))
    build_tasks.sweep()
    assert sent == [{"build_id": build.pk, "expires": 10.0}]


def test_a_backlog_does_not_fill_the_queue(hat, sent):
    """The rows that wait longest are told of, and what nobody takes in time is dropped."""
    past = timezone.now() - timedelta(hours=1)
    Build.objects.bulk_create(
        Build(
            tool=hat,
            number=number,
            source_url=f"https://git.example.org/{number}",
            status=Status.RUNNING,
            created_at=past,
            next_look_at=past + timedelta(seconds=number),
        )
        for number in range(1, 301)
    )
    build_tasks.sweep()
    told = [Build.objects.get(pk=each["build_id"]).number for each in sent]
    assert told == list(range(1, build_tasks.SWEPT_AT_ONCE + 1))
    assert {each["expires"] for each in sent} == {10.0}


def test_rounds_that_nobody_took_do_not_pile_up():
    for entry in django_settings.CELERY_BEAT_SCHEDULE.values():
        if isinstance(entry["schedule"], float):
            assert entry["options"]["expires"] <= 5 * entry["schedule"]


@pytest.fixture
def scripted(monkeypatch):
    engine = ScriptedBuilds()
    monkeypatch.setattr(build_tasks, "engine", lambda: engine)
    return engine


def test_a_task_takes_one_step_and_sets_the_next_alarm(hat, alice, sent, scripted):
    source = Source("https://git.example.org/new")
    build = start_build(hat, by=alice, source=source, at=timezone.now())[0]
    build_tasks.reconcile_build(build_id=build.pk)
    build.refresh_from_db()
    assert build.status == Status.RUNNING
    assert sent[-1] == {"build_id": build.pk, "in": 0.05}
    build_tasks.reconcile_build(build_id=build.pk)
    assert len(scripted.submitted) == 1


def test_a_build_that_succeeds_is_deployed_if_that_was_asked_for(hat, alice, sent, scripted):
    source = Source("https://git.example.org/new")
    build = start_build(hat, by=alice, source=source, at=timezone.now(), deploy=True)[0]
    for step in range(2):
        Build.objects.update(next_look_at=timezone.now())
        build_tasks.reconcile_build(build_id=build.pk)
        scripted.succeed("hat-1") if not step else None
    assert Webservice.objects.get().starting.image.build == build


def test_a_webservice_is_swept_when_its_time_has_come(image, alice, sent, engine, monkeypatch):
    monkeypatch.setattr(tasks, "engine", lambda: engine)
    deploy(image, by=alice, at=timezone.now())
    sent.clear()
    tasks.sweep()
    webservice = Webservice.objects.get()
    assert {"webservice_id": webservice.pk, "expires": 10.0} in sent
    assert engine.routes == {"hat": []}
    Webservice.objects.update(next_look_at=timezone.now())
    tasks.reconcile_webservice(webservice_id=webservice.pk)
    assert list(engine.replicas) == ["hat-r1-0"]


class Unpacked:
    """Remembers which unpacked images it was told to keep."""

    def keep_unpacked(self, digests):
        self.kept = digests
        return 1


def test_unpacked_images_of_releases_under_way_are_kept(images, alice):
    deploy(images[0], by=alice, at=NOW)
    engine = Unpacked()
    assert remove_old_unpacked(engine=engine) == 1
    assert engine.kept == {images[0].digest}


def test_an_engine_that_unpacks_nothing_has_nothing_to_clean(images):
    assert remove_old_unpacked(engine=object()) == 0
