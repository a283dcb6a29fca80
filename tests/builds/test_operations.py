"""Starting and cancelling builds."""

import pytest

from builds.admission import admit, startable, waiting
from builds.models import Build
from builds.operations import BuildRefused, IdempotencyConflict, Source, cancel_build, start_build
from builds.states import Status
from portal.tools.operations import register_tool, set_status
from tests.conftest import NOW

SOURCE = Source("https://git.example.org/hat.git")


def start(tool, user, *, url="https://git.example.org/hat.git", **options):
    return start_build(tool, by=user, source=Source(url), at=NOW, **options)[0]


def test_builds_are_numbered_within_their_tool(hat, alice):
    scarf = register_tool("scarf", by=alice, at=NOW, title="Scarf")
    names = [
        str(start(hat, alice)),
        str(start(scarf, alice)),
        str(start(hat, alice, url="https://git.example.org/b")),
    ]
    assert names == ["hat-1", "scarf-1", "hat-2"]


def test_a_second_click_attaches_to_the_build_under_way(hat, alice):
    first, is_new = start_build(hat, by=alice, source=SOURCE, at=NOW)
    second, is_second_new = start_build(
        hat, by=alice, source=SOURCE, at=NOW.replace(hour=13), deploy=True
    )
    assert (first, is_new, is_second_new) == (second, True, False)
    assert second.deploy_when_built
    assert hat.events.filter(action="build.started").count() == 1


def test_a_finished_build_is_not_attached_to(hat, alice):
    first = start(hat, alice)
    first.move_to(Status.CANCELLED, at=NOW)
    assert start(hat, alice).number == 2


def test_an_idempotency_key_gives_the_same_build_back(hat, alice):
    first = start(hat, alice, key="k")
    first.move_to(Status.CANCELLED, at=NOW)
    assert start(hat, alice, key="k") == first


def test_an_idempotency_key_is_for_one_order(hat, alice):
    start(hat, alice, key="k")
    with pytest.raises(IdempotencyConflict):
        start(hat, alice, key="k", url="https://git.example.org/other")


@pytest.mark.parametrize(
    ("source", "field"),
    [
        (Source("file:///etc"), "source_url"),
        (Source(SOURCE.url, ref="--upload-pack=x"), "ref"),
        (Source(SOURCE.url, subdirectory="../x"), "subdirectory"),
    ],
)
def test_a_bad_source_is_refused_by_field(hat, alice, source, field):
    with pytest.raises(BuildRefused) as caught:
        start_build(hat, by=alice, source=source, at=NOW)
    assert caught.value.field == field
    assert not Build.objects.exists()


def test_a_disabled_tool_is_not_built(hat, alice):
    set_status(hat, "disabled", by=alice, at=NOW)
    hat.refresh_from_db()
    with pytest.raises(BuildRefused, match="not active"):
        start(hat, alice)


def test_cancelling_twice_changes_nothing(hat, alice):
    build = start(hat, alice)
    cancel_build(build, by=alice, at=NOW)
    cancel_build(build, by=alice, at=NOW)
    assert hat.events.filter(action="build.cancel-asked").count() == 1


def test_an_ended_build_cannot_be_cancelled(hat, alice):
    build = start(hat, alice)
    build.move_to(Status.CANCELLED, at=NOW)
    with pytest.raises(BuildRefused, match="ended already"):
        cancel_build(build, by=alice, at=NOW)


@pytest.fixture
def limits(settings):
    settings.BUILDS_AT_ONCE, settings.BUILDS_AT_ONCE_PER_TOOL = 2, 1


def test_a_tool_does_not_take_all_places(hat, alice, limits):
    scarf = register_tool("scarf", by=alice, at=NOW, title="Scarf")
    first, second = start(hat, alice), start(hat, alice, url="https://git.example.org/b")
    other = start(scarf, alice)
    assert startable() == [first.pk, other.pk]
    assert admit(first, now=NOW)
    assert not admit(second, now=NOW)
    assert "another build of this tool" in waiting(second).because


def test_the_platform_runs_only_so_many(hat, alice, limits, settings):
    settings.BUILDS_AT_ONCE = 1
    scarf = register_tool("scarf", by=alice, at=NOW, title="Scarf")
    admit(start(hat, alice), now=NOW)
    build = start(scarf, alice)
    assert startable() == []
    assert waiting(build).position == 1
    assert "1 builds are running" in waiting(build).because


def test_who_came_first_starts_first(hat, alice, limits):
    first = start(hat, alice)
    second = start(hat, alice, url="https://git.example.org/b")
    assert waiting(first).because == "it is about to start"
    assert waiting(second).because == "builds that were asked for earlier start first"
    first.move_to(Status.RUNNING, at=NOW)
    assert waiting(first) is None
