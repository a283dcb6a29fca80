"""A build moves one step at a time, and ends in exactly one final state."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builds import logs
from builds.engines.base import Observation, OrderRefused, Phase
from builds.models import Build, Image
from builds.operations import Source, cancel_build, start_build
from builds.reconcile import reconcile
from builds.states import FINAL, Reason, Status
from portal.tools.operations import set_variable
from tests.conftest import NOW
from tests.engines import ScriptedBuilds

SOURCE = Source("https://git.example.org/hat.git")


@pytest.fixture
def engine():
    return ScriptedBuilds()


@pytest.fixture
def build(hat, alice):
    return start_build(hat, by=alice, source=SOURCE, at=NOW)[0]


def look(build, engine, *, after=0):
    build = Build.objects.select_related("tool").get(pk=build.pk)
    reconcile(build, engine=engine, now=NOW + timedelta(seconds=after))
    return build


def moves(build):
    return [(move.from_status, move.to_status) for move in build.moves.all()]


def test_a_queued_build_starts(build, engine):
    build = look(build, engine)
    assert build.status == Status.RUNNING
    assert [order.name for order in engine.submitted] == ["hat-1"]


def test_a_build_that_was_moved_but_not_submitted_is_submitted(build, engine):
    look(build, engine)
    engine.builds.clear()
    look(build, engine)
    assert len(engine.submitted) == 2


def test_output_begins_again_with_a_build_that_is_submitted_again(build, engine):
    look(build, engine)
    engine.output["hat-1"] = b"first\n"
    look(build, engine)
    engine.builds.clear()
    engine.output["hat-1"] = b"again\n"
    look(build, engine)
    build = look(build, engine)
    assert logs.read(build, offset=0, limit=100) == b"first\nagain\n"


def test_an_order_that_the_engine_will_never_run_fails(build, engine):
    engine.refusal = OrderRefused("There is no room.", code=Reason.QUOTA_EXCEEDED)
    build = look(build, engine)
    assert (build.status, build.reason_code) == (Status.FAILED, Reason.QUOTA_EXCEEDED)
    assert build.reason == "There is no room."


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("DENIED: adding 2 MiB of storage resource, which when updated to current usage of 9 MiB "
         "will exceed the configured upper limit of 10 MiB.", Reason.REGISTRY_FULL),
        ("500 Internal Server Error", Reason.EXPORT_FAILED),
    ],
)  # fmt: skip
def test_an_image_that_cannot_be_written_may_be_too_much(build, engine, said, code):
    look(build, engine)
    engine.output["hat-1"] = b"x" * 9000 + f"\nERROR: failed to export: {said}\n".encode()
    engine.builds["hat-1"] = Observation(Phase.FAILED, reason_code=Reason.EXPORT_FAILED, reason="x")
    build = look(build, engine)
    assert build.reason_code == code
    assert ("Quotas" in build.reason) == (code == Reason.REGISTRY_FULL)


def test_success_makes_an_image(build, engine):
    look(build, engine)
    engine.succeed("hat-1")
    build = look(build, engine)
    assert (build.status, build.commit) == (Status.SUCCEEDED, "c" * 40)
    assert Image.objects.get().default_process == "web"
    assert moves(build) == [("queued", "running"), ("running", "succeeded")]


def test_a_failure_keeps_its_reason(build, engine):
    look(build, engine)
    engine.builds["hat-1"] = Observation(
        Phase.FAILED, reason_code=Reason.BUILD_FAILED, reason="Exit status 1."
    )
    build = look(build, engine)
    assert (build.status, build.reason_code) == (Status.FAILED, "build-failed")
    assert build.tool.events.first().action == "build.failed"


def test_a_lost_build_says_that_it_is_not_the_maintainers_fault(build, engine):
    look(build, engine)
    engine.builds["hat-1"] = Observation(Phase.LOST)
    build = look(build, engine)
    assert (build.status, build.reason_code) == (Status.FAILED, "engine-lost")
    assert "start the build again" in build.reason


def test_a_cancelled_build_is_cancelled_only_when_it_is_gone(build, engine, alice):
    look(build, engine)
    engine.removes_slowly = True
    cancel_build(build, by=alice, at=NOW)
    assert look(build, engine).status == Status.RUNNING
    engine.removes_slowly = False
    look(build, engine)
    build = look(build, engine)
    assert (build.status, build.moves.last().actor) == (Status.CANCELLED, alice)


def test_a_build_cancelled_in_the_queue_never_starts(build, engine, alice):
    cancel_build(build, by=alice, at=NOW)
    assert look(build, engine).status == Status.CANCELLED
    assert engine.submitted == []


@pytest.mark.parametrize(
    ("after", "code"), [(1900, Reason.TIMED_OUT), (700, Reason.SILENT)], ids=["long", "silent"]
)
def test_a_deadline_ends_a_running_build(build, engine, after, code):
    look(build, engine)
    look(build, engine, after=after)
    look(build, engine, after=after)
    build = look(build, engine, after=after)
    assert (build.status, build.reason_code) == (Status.TIMED_OUT, code)


def test_a_deadline_ends_a_build_that_never_started(build, engine, settings):
    settings.BUILDS_AT_ONCE = 0
    look(build, engine, after=4000)
    build = look(build, engine, after=4000)
    assert (build.status, build.reason_code) == (Status.TIMED_OUT, Reason.QUEUE_TIMED_OUT)


def test_a_result_that_came_while_nobody_looked_counts(build, engine):
    look(build, engine)
    engine.succeed("hat-1")
    assert look(build, engine, after=100_000).status == Status.SUCCEEDED


def test_output_is_taken_over_redacted(build, engine, hat, alice):
    set_variable(hat, name="TOKEN", value="hunter2-hunter2", for_build=True, by=alice, at=NOW)
    look(build, engine)
    engine.output["hat-1"] = b"my token is hunter2-hunter2\nno end yet"
    build = look(build, engine)
    assert logs.read(build, offset=0, limit=100) == b"my token is [redacted]\n"
    engine.succeed("hat-1")
    build = look(build, engine)
    assert logs.read(build, offset=0, limit=100) == b"my token is [redacted]\nno end yet\n"
    assert engine.submitted[0].environment == {"TOKEN": "hunter2-hunter2"}


def test_a_build_that_prints_too_much_is_stopped_and_says_so(build, engine):
    engine.output_limit = 1024**2
    look(build, engine)
    engine.output["hat-1"] = b"x" * 99 + b"\n"
    assert look(build, engine).stop_as == ""
    engine.output["hat-1"] = b"a line\n" * 200_000
    look(build, engine)
    look(build, engine)
    build = look(build, engine)
    assert (build.status, build.reason_code) == (Status.FAILED, Reason.LOG_TOO_LARGE)
    assert "more than 1 MiB" in build.reason


def test_a_final_build_is_cleaned_up_and_its_log_archived(build, engine):
    engine.output["hat-1"] = b"line\n"
    look(build, engine)
    engine.succeed("hat-1")
    look(build, engine)
    look(build, engine)
    build = look(build, engine)
    assert engine.builds == {}
    assert not build.chunks.exists()
    assert logs.read(build, offset=0, limit=100) == b"line\n"


ACTIONS = ["look", "look", "look", "succeed", "fail", "lose", "cancel", "forget", "late"]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(actions=st.lists(st.sampled_from(ACTIONS), max_size=25))
def test_whatever_crashes_a_build_ends_once_and_for_all(actions, hat, alice):
    Build.objects.all().delete()
    engine, after = ScriptedBuilds(), 0
    build = start_build(hat, by=alice, source=SOURCE, at=NOW)[0]
    happens = {
        "succeed": lambda: engine.builds and engine.succeed(build.name),
        "fail": lambda: (
            engine.builds.update(
                {build.name: Observation(Phase.FAILED, reason_code="build-failed", reason="x")}
            )
            if engine.builds
            else None
        ),
        "lose": lambda: (
            engine.builds.update({build.name: Observation(Phase.LOST)}) if engine.builds else None
        ),
        "cancel": lambda: build.ask_to_stop(
            Status.CANCELLED, reason_code="cancelled", reason="x", at=NOW
        ),
        "forget": lambda: engine.builds.clear(),
        "look": lambda: look(build, engine, after=after),
    }
    for action in actions:
        after += 5000 if action == "late" else 1
        happens.get(action, lambda: None)()
    for _number in range(8):
        look(build, engine, after=after + 10_000)
    build.refresh_from_db()
    ends = [move for move in build.moves.all() if move.to_status in FINAL]
    assert build.status in FINAL
    assert len(ends) == 1
    assert engine.builds == {}
