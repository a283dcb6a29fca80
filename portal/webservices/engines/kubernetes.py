"""Webservices in a cluster: a Deployment per tool that rolls from one release to the next."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from builds.lifecycle.cleaning import Cleaner
from portal.cluster.base import MANAGER, OWNER_LABEL, Cluster, Manifest, below, has_ended, is_ours
from portal.cluster.home import Home, running_place
from portal.cluster.kinds import AUTOSCALER, DEPLOYMENT, EVENT, POD, SECRET
from portal.cluster.stamps import stamped_lines
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
from portal.webservices.engines.standing import Rollout, is_ready, pod_of, rollout_of, scaling_of

# Bytes of a replica's output, with the times of its lines, that are read at most; the kubelet
# keeps less.
OUTPUT = 32 * 1024**2


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
        return replace(seen, scaling=scaling_of(self._cluster.apply(autoscaler(order))))

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
        if any(not is_ready(pod) for pod in pods):
            events = self._cluster.list(EVENT, namespace=order.namespace).items
        seen = tuple(pod_of(pod, events) for pod in pods if not has_ended(pod))
        if there is None:
            return Rollout(pods=seen)
        return replace(rollout_of(there), pods=seen)

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
    return AUTOSCALED in below(there or {}, "metadata", "annotations")
