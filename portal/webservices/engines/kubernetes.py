"""Webservices in a cluster: a Deployment per tool that rolls from one release to the next."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from builds.lifecycle.cleaning import Cleaner
from portal.cluster.base import MANAGER, OWNER_LABEL, Cluster, Manifest, is_ours
from portal.cluster.home import Home, running_place
from portal.cluster.kinds import AUTOSCALER, DEPLOYMENT, EVENT, POD, SECRET
from portal.cluster.stamps import stamped_lines
from portal.webservices.engines.base import Phase
from portal.webservices.engines.manifests import (
    APP_LABEL,
    AUTOSCALED,
    CONTAINER,
    RELEASE_LABEL,
    ServiceOrder,
    autoscaler,
    deployment,
    environment,
    ingress,
    service,
)

# Bytes of a replica's output, with the times of its lines, that are read at most; the kubelet
# keeps less.
OUTPUT = 32 * 1024**2
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


class KubernetesWebservices:
    """Every verb may be repeated. Errors are those of portal.cluster.base."""

    def __init__(self, cluster: Cluster, home: Home) -> None:
        self._cluster = cluster
        self._home = home

    def roll(self, order: ServiceOrder) -> Rollout:
        """Have the release run in place of whatever runs, and say how far that is."""
        there = self._deployment(order)
        if there is None:
            # Its home may be missing as well, or be somebody else's.
            for manifest in running_place(replace(self._home, tool=order.tool)):
                self._cluster.apply(manifest)
        self._cluster.apply(environment(order))
        if _is_autoscaled(there) and not order.max_replicas:
            self._fix_number(order)
        running = (there or {}).get("spec", {}).get("replicas", 0)
        there = self._cluster.apply(deployment(order, running=running), there=there)
        for manifest in (service(order), ingress(order)):
            self._cluster.apply(manifest)
        seen = self._rollout(order, there)
        if not order.max_replicas:
            return seen
        return replace(seen, scaling=_scaling(self._cluster.apply(autoscaler(order))))

    def _fix_number(self, order: ServiceOrder) -> None:
        scaler = self._cluster.get(AUTOSCALER, order.tool, namespace=order.namespace)
        if scaler and is_ours(scaler):
            self._cluster.delete(AUTOSCALER, order.tool, namespace=order.namespace)

    def _deployment(self, order: ServiceOrder) -> Manifest | None:
        """Somebody else's of the same name is none."""
        there = self._cluster.get(DEPLOYMENT, order.tool, namespace=order.namespace)
        return there if there and is_ours(there) else None

    def stop(self, order: ServiceOrder) -> None:
        """No replicas; the address answers 503."""
        there = self._deployment(order)
        if there and there["spec"].get("replicas"):
            self._cluster.merge(
                DEPLOYMENT, order.tool, {"spec": {"replicas": 0}}, namespace=order.namespace
            )

    def observe(self, order: ServiceOrder) -> Rollout:
        return self._rollout(order, self._deployment(order))

    def _rollout(self, order: ServiceOrder, there: Manifest | None) -> Rollout:
        pods = self._cluster.list(POD, namespace=order.namespace, labels=_own(order)).items
        events: Sequence[Manifest] = ()
        if any(not _is_ready(pod) for pod in pods):
            events = self._cluster.list(EVENT, namespace=order.namespace).items
        seen = tuple(_pod(pod, events) for pod in pods if not _has_ended(pod))
        if there is None:
            return Rollout(pods=seen)
        return replace(_rollout(there), pods=seen)

    def forget_others(self, order: ServiceOrder, *, kept: set[int]) -> None:
        """Delete the variables of releases that run no longer."""
        secrets = self._cluster.list(SECRET, namespace=order.namespace, labels=_own(order))
        for each in secrets.items:
            if int(each["metadata"]["labels"].get(RELEASE_LABEL, 0)) not in kept:
                self._cluster.delete(SECRET, each["metadata"]["name"], namespace=order.namespace)

    def logs(self, order: ServiceOrder, pod: str, *, is_previous: bool = False) -> bytes:
        """What a replica printed, without control codes and secrets."""
        raw = self._cluster.logs(
            pod, CONTAINER, namespace=order.namespace, limit=OUTPUT, is_previous=is_previous
        )
        cleaner = Cleaner(order.secrets)
        return cleaner.feed(raw) + cleaner.close()

    def lines(
        self, order: ServiceOrder, pod: str, *, since: datetime | None = None
    ) -> list[tuple[int, bytes]]:
        """The complete lines that a replica printed from a second on, each with its time."""
        raw = self._cluster.logs(
            pod,
            CONTAINER,
            namespace=order.namespace,
            limit=OUTPUT,
            since=since,
            is_stamped=True,
        )
        cleaner = Cleaner(order.secrets)
        return [(time, cleaner.feed(line)) for time, line in stamped_lines(raw)]


def _own(order: ServiceOrder) -> dict[str, str]:
    """The labels of what the portal made for a webservice; others use the first one, too."""
    return {APP_LABEL: order.tool, OWNER_LABEL: MANAGER}


def _is_autoscaled(there: Manifest | None) -> bool:
    return AUTOSCALED in (((there or {}).get("metadata") or {}).get("annotations") or {})


def _scaling(scaler: Manifest) -> str:
    able, active = _condition(scaler, "AbleToScale"), _condition(scaler, "ScalingActive")
    # Without replicas there is nothing to do, which is no trouble.
    ill = [
        each
        for each in (able, active)
        if each.get("status") == "False" and each.get("reason") != "ScalingDisabled"
    ]
    return str(ill[0].get("message", "")) if ill else ""


def _condition(manifest: Manifest, kind: str) -> dict[str, Any]:
    conditions = (manifest.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each.get("type") == kind), {})


def _is_ready(pod: Manifest) -> bool:
    return _condition(pod, "Ready").get("status") == "True"


def _has_ended(pod: Manifest) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _rollout(there: Manifest) -> Rollout:
    metadata, status, wanted = there["metadata"], there.get("status") or {}, there["spec"]
    labels = wanted["template"]["metadata"]["labels"]
    replicas = wanted.get("replicas", 1)
    is_current = status.get("observedGeneration", 0) >= metadata.get("generation", 0)
    counts = [status.get(f"{name}eplicas", 0) for name in ("r", "updatedR", "availableR")]
    progress, failure = _condition(there, "Progressing"), _condition(there, "ReplicaFailure")
    return Rollout(
        release=int(labels.get(RELEASE_LABEL, 0)),
        is_done=is_current and counts == [replicas] * 3,
        is_overdue=is_current and progress.get("reason") == "ProgressDeadlineExceeded",
        trouble=str(failure.get("message", "")) if failure.get("status") == "True" else "",
    )


def _pod(pod: Manifest, events: Sequence[Manifest]) -> Pod:
    metadata, status = pod["metadata"], pod.get("status") or {}
    container: Manifest = next(iter(status.get("containerStatuses") or []), {})
    ended = (container.get("lastState") or {}).get("terminated") or {}
    running = (container.get("state") or {}).get("running") or {}
    restarts = container.get("restartCount", 0)
    started = running.get("startedAt")
    return Pod(
        name=metadata["name"],
        release=int((metadata.get("labels") or {}).get(RELEASE_LABEL, 0)),
        phase=_phase(pod, restarts),
        started_at=datetime.fromisoformat(started) if started else None,
        restarts=restarts,
        exit_code=ended.get("exitCode"),
        why="" if _is_ready(pod) else _why(pod, container, events),
    )


def _phase(pod: Manifest, restarts: int) -> Phase:
    if pod["metadata"].get("deletionTimestamp"):
        return Phase.STOPPING
    if _is_ready(pod):
        return Phase.HEALTHY
    return Phase.UNHEALTHY if restarts else Phase.STARTING


def _why(pod: Manifest, container: Manifest, events: Sequence[Manifest]) -> str:
    """What keeps a pod from being ready: no place, no image, an end, or a probe's answer."""
    placed = _condition(pod, "PodScheduled")
    if placed.get("status") == "False":
        return f"There is no room for it in the cluster: {placed.get('message', '')}"
    waiting = (container.get("state") or {}).get("waiting") or {}
    if waiting.get("reason") in _STUCK:
        return f"{waiting['reason']}: {waiting.get('message', '')}"
    ended = (container.get("lastState") or {}).get("terminated") or {}
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
        if each.get("reason") == "Unhealthy"
        and (each.get("involvedObject") or {}).get("name") == pod
    ]
    return answers[-1] if answers else ""
