"""From what a cluster shows to what a maintainer reads."""

from datetime import UTC, datetime, timedelta

import pytest

from builds.engines.verdict import Seen, failure, hopeless
from builds.states import Reason

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
LONG_AGO = (NOW - timedelta(minutes=20)).isoformat()
JUST_NOW = (NOW - timedelta(seconds=5)).isoformat()


def ended(code, reason="Error"):
    return {"terminated": {"exitCode": code, "reason": reason}}


def said(status, reason="Failed", message=""):
    condition = {"type": "Succeeded", "status": status, "reason": reason, "message": message}
    return {"metadata": {"creationTimestamp": LONG_AGO}, "status": {"conditions": [condition]}}


def task(*steps, reason="Failed", message=""):
    manifest = said("False", reason, message)
    manifest["status"]["steps"] = [{"name": name, **state} for name, state in steps]
    return manifest


def pod(*, made=LONG_AGO, **status):
    return {"metadata": {"creationTimestamp": made}, "status": status}


def seen(run=None, task=None, pod=None):
    return Seen(run=run or said("False"), task=task or {}, pod=pod or {}, now=NOW)


def waiting(name, reason, message=""):
    return {"name": name, "state": {"waiting": {"reason": reason, "message": message}}}


UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes are available: 3 Insufficient memory.",
}
PULL = [waiting("step-build", "ImagePullBackOff", "manifest unknown")]
FAILURES = {
    "no such repository": (seen(task=task(("clone", ended(101)))), Reason.SOURCE_NOT_FOUND),
    "no such ref": (seen(task=task(("clone", ended(102)))), Reason.REF_NOT_FOUND),
    "too large": (seen(task=task(("clone", ended(103)))), Reason.SOURCE_TOO_LARGE),
    "no such directory": (seen(task=task(("clone", ended(104)))), Reason.SOURCE_REFUSED),
    "git fails otherwise": (seen(task=task(("clone", ended(128)))), Reason.SOURCE_NOT_FOUND),
    "the registry is away": (seen(task=task(("analyze", ended(32)))), Reason.REGISTRY_FAILED),
    "nothing detected": (seen(task=task(("detect", ended(20)))), Reason.NOTHING_DETECTED),
    "detect errs": (seen(task=task(("detect", ended(21)))), Reason.DETECT_ERROR),
    "restore fails": (seen(task=task(("restore", ended(42)))), Reason.REGISTRY_FAILED),
    "a buildpack fails": (seen(task=task(("build", ended(51)))), Reason.BUILD_FAILED),
    "bad output": (seen(task=task(("build", ended(52)))), Reason.INVALID_BUILDPACK_OUTPUT),
    "export fails": (seen(task=task(("export", ended(62)))), Reason.EXPORT_FAILED),
    "killed": (seen(task=task(("build", ended(137)))), Reason.BUILD_FAILED),
    "out of memory": (
        seen(task=task(("build", ended(137, "OOMKilled")))),
        Reason.OUT_OF_MEMORY,
    ),
    "out of memory, as the pod tells": (
        seen(pod=pod(containerStatuses=[{"name": "step-build", "state": ended(137, "OOMKilled")}])),
        Reason.OUT_OF_MEMORY,
    ),
    "out of memory, as the task tells": (seen(task=task(reason="StepOOM")), Reason.OUT_OF_MEMORY),
    "evicted": (
        seen(pod=pod(reason="Evicted", message="The node was low on resource: memory.")),
        Reason.EVICTED,
    ),
    "too much disk": (
        seen(pod=pod(reason="Evicted", message="Pod ephemeral local storage usage exceeds")),
        Reason.DISK_FULL,
    ),
    "evicted, pod gone": (seen(task=task(reason="PodEvicted")), Reason.EVICTED),
    "cancelled by hand": (seen(run=said("False", "Cancelled")), Reason.CANCELLED),
    "ran too long": (
        seen(run=said("False", "PipelineRunTimeout"), task=task(("build", ended(137)))),
        Reason.TIMED_OUT,
    ),
    "never began": (seen(run=said("False", "PipelineRunTimeout")), Reason.TIMED_OUT),
    "image": (
        seen(task=task(reason="TaskRunImagePullFailed", message="manifest unknown")),
        Reason.IMAGE_NOT_PULLED,
    ),
    "quota": (
        seen(task=task(reason="PodCreationFailed", message='pods "x" exceeded quota: room')),
        Reason.QUOTA_EXCEEDED,
    ),
    "pod security": (
        seen(
            task=task(
                reason="PodCreationFailed", message='violates PodSecurity "restricted:latest"'
            )
        ),
        Reason.ADMISSION_REFUSED,
    ),
    "webhook": (
        seen(run=said("False", "CreateRunFailed", 'admission webhook "x" denied the request: no')),
        Reason.ADMISSION_REFUSED,
    ),
    "pod removed": (
        seen(task=task(message='pods "hat-17-build-pod" not found')),
        Reason.ENGINE_LOST,
    ),
    "node lost": (
        seen(task=task(("build", ended(137, "ContainerStatusUnknown")))),
        Reason.ENGINE_LOST,
    ),
    "no pipeline": (
        seen(run=said("False", "CouldntGetPipeline", "pipeline not there")),
        Reason.ENGINE_ERROR,
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_has_its_reason(name):
    shown, code = FAILURES[name]
    verdict = failure(shown)
    assert verdict.code == code
    assert verdict.sentence.endswith(".")
    assert "  " not in verdict.sentence


def test_what_was_left_out_is_not_what_failed():
    shown = task(
        ("clone", ended(102)),
        ("analyze", {**ended(1), "terminationReason": "Skipped"}),
        ("build", {**ended(1), "terminationReason": "Skipped"}),
    )
    pods = pod(containerStatuses=[{"name": "step-analyze", "state": ended(1)}])
    assert failure(seen(task=shown, pod=pods)).code == Reason.REF_NOT_FOUND


def test_a_message_of_the_clusters_is_quoted_and_short():
    verdict = failure(seen(run=said("False", "InvalidGraph", "x\n" * 1000)))
    assert len(verdict.sentence) < 400
    assert "\n" not in verdict.sentence


def running(**how):
    return seen(run=said("Unknown", "Running"), **how)


def test_a_build_under_way_has_hope():
    assert hopeless(running(pod=pod(containerStatuses=[]))) is None
    assert hopeless(running()) is None


def test_waiting_for_room_is_hopeless_after_a_while():
    assert hopeless(running(pod=pod(made=JUST_NOW, conditions=[UNSCHEDULABLE]))) is None
    verdict = hopeless(running(pod=pod(conditions=[UNSCHEDULABLE])))
    assert verdict.code == Reason.NO_ROOM
    assert "Insufficient memory" in verdict.sentence


def test_an_image_that_is_not_there_is_hopeless_after_a_few_tries():
    assert hopeless(running(pod=pod(made=JUST_NOW, containerStatuses=PULL))) is None
    verdict = hopeless(running(pod=pod(containerStatuses=PULL)))
    assert verdict.code == Reason.IMAGE_NOT_PULLED
    assert "manifest unknown" in verdict.sentence


def test_a_quota_that_stays_full_is_hopeless():
    full = said("Unknown", "ExceededResourceQuota", "exceeded quota: room")
    assert hopeless(running(task=full)).code == Reason.QUOTA_EXCEEDED
