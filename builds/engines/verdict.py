"""From what a cluster shows to what a maintainer reads: one table, as pure functions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from builds.states import Reason
from portal.cluster.base import below, condition

Facts = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """A build's objects at one moment; {} for one that is not there."""

    run: Facts
    task: Facts
    pod: Facts
    now: datetime
    pending_limit: int = 300


@dataclass(frozen=True)
class Verdict:
    code: Reason
    sentence: str


# What the steps' exit codes mean: of the script that clones, and of the upstream lifecycle.
EXITS: dict[tuple[str, int], Verdict] = {
    ("clone", 101): Verdict(
        Reason.SOURCE_NOT_FOUND,
        "The repository cannot be read. Check its address, and that it is public.",
    ),
    ("clone", 102): Verdict(
        Reason.REF_NOT_FOUND, "The repository has no branch, tag or commit of that name."
    ),
    ("clone", 103): Verdict(
        Reason.SOURCE_TOO_LARGE, "The repository is larger than a build may be. Make it smaller."
    ),
    ("clone", 104): Verdict(
        Reason.SOURCE_REFUSED, "The repository has no such directory. Check the sub-directory."
    ),
    ("detect", 20): Verdict(
        Reason.NOTHING_DETECTED,
        "No buildpack recognised the code. See in the log what each of them looked for.",
    ),
    ("detect", 21): Verdict(
        Reason.DETECT_ERROR, "A buildpack failed while it looked at the code. See the log."
    ),
    ("build", 51): Verdict(Reason.BUILD_FAILED, "A buildpack failed. The end of the log says why."),
    ("build", 52): Verdict(
        Reason.INVALID_BUILDPACK_OUTPUT,
        "A buildpack left something that the platform does not understand. See the log.",
    ),
}
_REGISTRY = Verdict(
    Reason.REGISTRY_FAILED,
    "The image registry could not be read or written. Nothing is wrong with your code; "
    "start the build again in a while.",
)
_FAILED_STEPS = {
    "clone": Verdict(Reason.SOURCE_NOT_FOUND, "The repository could not be fetched. See the log."),
    "analyze": _REGISTRY,
    "detect": EXITS["detect", 21],
    "restore": _REGISTRY,
    "build": EXITS["build", 51],
    "export": Verdict(
        Reason.EXPORT_FAILED,
        "The image could not be written to the registry. The end of the log says why; "
        "start the build again if it was the registry.",
    ),
}
_LOST = Verdict(
    Reason.ENGINE_LOST,
    "The build's pod is gone without a result: its machine failed, or somebody removed it. "
    "Nothing is wrong with your code; start the build again.",
)
_PULL_REASONS = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
_CREATE_REASONS = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
# Until a wait is worth a verdict: pulling is tried again a few times first.
_PULL_PATIENCE = 60


def outcome(run: Facts) -> Facts:
    """What a run or a task says of its end, or of what it waits for."""
    return condition(run, "Succeeded")


def is_done(run: Facts) -> bool:
    return outcome(run).get("status") in ("True", "False")


def time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def hopeless(seen: Seen) -> Verdict | None:
    """Why a build that is under way will never get anywhere; None while there is hope."""
    return _first(seen, (_waits_for_image, _waits_for_room, _waits_for_quota))


def failure(seen: Seen) -> Verdict:
    """Why a run that is over did not succeed."""
    causes = (
        _out_of_memory, _evicted, _cancelled, _pull_failed, _timed_out, _no_quota, _refused,
        _step_failed, _pod_lost,
    )  # fmt: skip
    return _first(seen, causes) or Verdict(
        Reason.ENGINE_ERROR, _sentence("The cluster could not run the build", _message(seen))
    )


def _first(seen: Seen, causes: Sequence[Callable[[Seen], Verdict | None]]) -> Verdict | None:
    return next((verdict for cause in causes if (verdict := cause(seen))), None)


def _message(seen: Seen) -> str:
    return str(outcome(seen.task).get("message") or outcome(seen.run).get("message") or "")


def _reasons(seen: Seen) -> set[str]:
    return {str(outcome(each).get("reason")) for each in (seen.run, seen.task)}


def _sentence(start: str, detail: str) -> str:
    detail = " ".join(detail.split())[:300].rstrip(".")
    return f"{start}: {detail}." if detail else f"{start}."


def _containers(seen: Seen) -> Iterator[tuple[str, Facts]]:
    """Every container that the task or the pod tells of, with its state; steps by their name.

    The task's come first: they are in the order of the steps, and say which were left out.
    """
    for each in below(seen.task, "status").get("steps", []):
        yield each["name"], each
    status = seen.pod.get("status") or {}
    for each in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        yield each["name"].removeprefix("step-"), each.get("state") or {}


def _ended(seen: Seen) -> Iterator[tuple[str, Facts]]:
    """What ended; a step after one that failed ends as well, without having begun."""
    skipped: set[str] = set()
    for name, state in _containers(seen):
        if state.get("terminationReason") == "Skipped":
            skipped.add(name)
        if state.get("terminated") and name not in skipped:
            yield name, state["terminated"]


def _waiting(seen: Seen, reasons: set[str]) -> tuple[str, Facts] | None:
    waiting = ((name, state.get("waiting") or {}) for name, state in _containers(seen))
    return next((each for each in waiting if each[1].get("reason") in reasons), None)


def _age(seen: Seen) -> float:
    """Seconds since the pod was made, or the run while there is no pod."""
    made = (seen.pod or seen.run)["metadata"].get("creationTimestamp")
    return (seen.now - time(made)).total_seconds() if made else 0.0


def _waits_for_image(seen: Seen) -> Verdict | None:
    return _not_pulled(seen) if _age(seen) > _PULL_PATIENCE else None


def _not_pulled(seen: Seen) -> Verdict | None:
    if found := _waiting(seen, _PULL_REASONS):
        start = f"The image of the step {found[0]} cannot be pulled; tell the platform's operators"
        return Verdict(Reason.IMAGE_NOT_PULLED, _sentence(start, str(found[1].get("message", ""))))
    if found := _waiting(seen, _CREATE_REASONS):
        start = f"The step {found[0]} cannot be started; tell the platform's operators"
        return Verdict(Reason.ENGINE_ERROR, _sentence(start, str(found[1].get("message", ""))))
    return None


def _pull_failed(seen: Seen) -> Verdict | None:
    if found := _not_pulled(seen):
        return found
    if _reasons(seen) & {"TaskRunImagePullFailed", "ImagePullBackOff"}:
        start = "An image that builds need cannot be pulled; tell the platform's operators"
        return Verdict(Reason.IMAGE_NOT_PULLED, _sentence(start, _message(seen)))
    return None


def _waits_for_room(seen: Seen) -> Verdict | None:
    placed = condition(seen.pod, "PodScheduled")
    if placed.get("status") != "False" or _age(seen) <= seen.pending_limit:
        return None
    start = (
        f"The cluster had no room for the build within {seen.pending_limit} s. Start it again "
        "later. The scheduler said"
    )
    return Verdict(Reason.NO_ROOM, _sentence(start, str(placed.get("message", ""))))


def _waits_for_quota(seen: Seen) -> Verdict | None:
    return _no_quota(seen) if _age(seen) > seen.pending_limit else None


def _no_quota(seen: Seen) -> Verdict | None:
    is_over = "exceeded quota" in _message(seen) or "ExceededResourceQuota" in _reasons(seen)
    if not is_over:
        return None
    start = (
        "The tool's builds use all that they may have in the cluster. Wait for the others to end, "
        "or ask for more. The cluster said"
    )
    return Verdict(Reason.QUOTA_EXCEEDED, _sentence(start, _message(seen)))


def _out_of_memory(seen: Seen) -> Verdict | None:
    killed = (name for name, ended in _ended(seen) if ended.get("reason") == "OOMKilled")
    name = next(killed, "")
    if not name and not _reasons(seen) & {"StepOOM", "InitContainerOOM"}:
        return None
    return Verdict(
        Reason.OUT_OF_MEMORY,
        f"The step {name} needed more memory than a build may use, and was ended. ".replace(
            "  ", " "
        )
        + "Make the build need less, for example by fewer parallel jobs, or ask for more.",
    )


def _evicted(seen: Seen) -> Verdict | None:
    status = seen.pod.get("status") or {}
    if status.get("reason") != "Evicted" and "PodEvicted" not in _reasons(seen):
        return None
    message = str(status.get("message") or _message(seen))
    if "ephemeral" in message or "emptyDir" in message:
        start = "The build wrote more to the disk than it may. Make it need less. The cluster said"
        return Verdict(Reason.DISK_FULL, _sentence(start, message))
    start = (
        "The machine that ran the build needed its memory or disk for others. Nothing is wrong "
        "with your code; start the build again. The cluster said"
    )
    return Verdict(Reason.EVICTED, _sentence(start, message))


def _cancelled(seen: Seen) -> Verdict | None:
    if _reasons(seen) & {"Cancelled", "CancelledRunFinally", "StoppedRunFinally"}:
        return Verdict(
            Reason.CANCELLED, "It was cancelled in the cluster, not by the portal. Start it again."
        )
    return None


def _timed_out(seen: Seen) -> Verdict | None:
    if not _reasons(seen) & {"PipelineRunTimeout", "TaskRunTimeout"}:
        return None
    if any(state.get("running") or state.get("terminated") for _name, state in _containers(seen)):
        text = "It ran longer than a build may. See in the log what took so long."
    else:
        text = "It waited in the cluster until its time was over. Start it again later."
    return Verdict(Reason.TIMED_OUT, text)


def _refused(seen: Seen) -> Verdict | None:
    message = _message(seen)
    words = ("admission webhook", "violates PodSecurity", "is forbidden", "denied the request")
    if not any(word in message for word in words):
        return None
    start = "The cluster's rules refused the build; tell the platform's operators. It said"
    return Verdict(Reason.ADMISSION_REFUSED, _sentence(start, message))


def _step_failed(seen: Seen) -> Verdict | None:
    for name, ended in _ended(seen):
        code = ended.get("exitCode", 0)
        if not code or ended.get("reason") == "ContainerStatusUnknown":
            continue
        verdict = EXITS.get((name, code)) or _FAILED_STEPS.get(name)
        if verdict and code in (137, 143) and (name, code) not in EXITS:
            return Verdict(verdict.code, f"The step {name} was killed. {verdict.sentence}")
        return verdict
    return None


def _pod_lost(seen: Seen) -> Verdict | None:
    unknown = any(ended.get("reason") == "ContainerStatusUnknown" for _n, ended in _ended(seen))
    message = _message(seen)
    is_gone = ("not found" in message or "deleted" in message) and "pod" in message.lower()
    was_removed = condition(seen.pod, "DisruptionTarget").get("status") == "True"
    return _LOST if unknown or is_gone or was_removed else None
