"""How a webservice in a cluster stands, as its Deployment, pods and events tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from portal.cluster.base import Manifest, below, condition
from portal.webservices.engines.base import Phase
from portal.webservices.engines.manifests import RELEASE_LABEL

_STUCK = {
    "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError",
    "CreateContainerError", "RunContainerError",
}  # fmt: skip


@dataclass(frozen=True)
class Pod:
    """One replica, as the cluster shows it."""

    name: str
    release: int
    phase: Phase
    started_at: datetime | None = None
    restarts: int = 0
    exit_code: int | None = None
    # Why it is not ready, in words; "" if it is, or nobody says.
    why: str = ""


@dataclass(frozen=True)
class Rollout:
    """How a Deployment stands."""

    # The release whose pods it makes; 0 where there is no Deployment.
    release: int = 0
    # Every replica is of that release and ready, and no other is left.
    is_done: bool = False
    # The cluster gave up waiting for it.
    is_overdue: bool = False
    # What keeps pods from being made, such as a quota.
    trouble: str = ""
    # What the cluster says of choosing the number of replicas; "" if it does, or need not.
    scaling: str = ""
    pods: tuple[Pod, ...] = ()


def scaling_of(scaler: Manifest) -> str:
    """Why the number of replicas is not chosen; "" if it is, or need not be."""
    able, active = condition(scaler, "AbleToScale"), condition(scaler, "ScalingActive")
    # Without replicas there is nothing to do, which is no trouble.
    ill = [
        each
        for each in (able, active)
        if each.get("status") == "False" and each.get("reason") != "ScalingDisabled"
    ]
    return str(ill[0].get("message", "")) if ill else ""


def is_ready(pod: Manifest) -> bool:
    return condition(pod, "Ready").get("status") == "True"


def rollout_of(there: Manifest) -> Rollout:
    metadata, status, wanted = there["metadata"], below(there, "status"), there["spec"]
    labels = wanted["template"]["metadata"]["labels"]
    replicas = wanted.get("replicas", 1)
    is_current = status.get("observedGeneration", 0) >= metadata.get("generation", 0)
    counts = [status.get(f"{name}eplicas", 0) for name in ("r", "updatedR", "availableR")]
    progress, failure = condition(there, "Progressing"), condition(there, "ReplicaFailure")
    return Rollout(
        release=int(labels.get(RELEASE_LABEL, 0)),
        is_done=is_current and counts == [replicas] * 3,
        is_overdue=is_current and progress.get("reason") == "ProgressDeadlineExceeded",
        trouble=str(failure.get("message", "")) if failure.get("status") == "True" else "",
    )


def pod_of(pod: Manifest, events: Sequence[Manifest]) -> Pod:
    metadata, status = pod["metadata"], below(pod, "status")
    container: Manifest = next(iter(status.get("containerStatuses") or []), {})
    ended = below(container, "lastState", "terminated")
    running = below(container, "state", "running")
    restarts = container.get("restartCount", 0)
    started = running.get("startedAt")
    return Pod(
        name=metadata["name"],
        release=int(below(metadata, "labels").get(RELEASE_LABEL, 0)),
        phase=_phase(pod, restarts),
        started_at=datetime.fromisoformat(started) if started else None,
        restarts=restarts,
        exit_code=ended.get("exitCode"),
        why="" if is_ready(pod) else _why(pod, container, events),
    )


def _phase(pod: Manifest, restarts: int) -> Phase:
    if pod["metadata"].get("deletionTimestamp"):
        return Phase.STOPPING
    if is_ready(pod):
        return Phase.HEALTHY
    return Phase.UNHEALTHY if restarts else Phase.STARTING


def _why(pod: Manifest, container: Manifest, events: Sequence[Manifest]) -> str:
    """What keeps a pod from being ready: no place, no image, an end, or a probe's answer."""
    placed = condition(pod, "PodScheduled")
    if placed.get("status") == "False":
        return f"There is no room for it in the cluster: {placed.get('message', '')}"
    waiting = below(container, "state", "waiting")
    if waiting.get("reason") in _STUCK:
        return f"{waiting['reason']}: {waiting.get('message', '')}"
    ended = below(container, "lastState", "terminated")
    if ended.get("reason") == "OOMKilled":
        return "It needed more memory than it may use, and was ended."
    if waiting.get("reason") == "CrashLoopBackOff":
        return f"Its process ended with exit code {ended.get('exitCode')}."
    return _answer(pod["metadata"]["name"], events)


def _answer(pod: str, events: Sequence[Manifest]) -> str:
    """What its last probe that failed got; "" if none did."""
    answers = [
        str(each.get("message", ""))
        for each in events
        if each.get("reason") == "Unhealthy" and below(each, "involvedObject").get("name") == pod
    ]
    return answers[-1] if answers else ""
