"""Alarm clocks for clusters."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from portal.clusters.checking import check
from portal.clusters.connections import connect
from portal.clusters.models import Cluster, RegistryState
from portal.clusters.registries import LOOK_AT_LEAST, LOOK_EVERY, look, pause_after

# One that is away is asked more often: nothing goes on there until it is seen to be back.
CHECK_EVERY, CHECK_EVERY_AWAY = timedelta(seconds=30), timedelta(seconds=5)


@shared_task
def check_clusters() -> None:
    """Have every cluster whose time has come looked at, each by a task of its own."""
    now = timezone.now()
    for cluster in Cluster.objects.due(now):
        check_cluster.delay(cluster_id=cluster.pk)


@shared_task
def check_cluster(*, cluster_id: int) -> None:
    """Look at one cluster; whoever comes second meanwhile does nothing."""
    now = timezone.now()
    due = Cluster.objects.due(now).filter(pk=cluster_id)
    if due.update(next_check_at=now + CHECK_EVERY):
        row = Cluster.objects.get(pk=cluster_id)
        check(row, connect(row), now=now)
        if not row.is_reachable:
            due = Cluster.objects.filter(pk=cluster_id, next_check_at=now + CHECK_EVERY)
            due.update(next_check_at=now + CHECK_EVERY_AWAY)


@shared_task
def look_at_registries() -> None:
    """Have every cluster's registry whose time has come looked at, each by a task of its own."""
    now = timezone.now()
    new = Cluster.objects.filter(registry_state=None)
    RegistryState.objects.bulk_create(
        [RegistryState(cluster=cluster, next_look_at=now) for cluster in new],
        ignore_conflicts=True,
    )
    for state in RegistryState.objects.filter(next_look_at__lte=now):
        look_at_registry.delay(state_id=state.pk)


@shared_task
def look_at_registry(*, state_id: int) -> None:
    """Look at one registry, later each time that it is away; the second one does nothing."""
    now = timezone.now()
    due = RegistryState.objects.filter(pk=state_id, next_look_at__lte=now)
    state = RegistryState.objects.select_related("cluster").filter(pk=state_id).first()
    if state is None:
        return
    pause = pause_after(state.failures, first=LOOK_EVERY, most=LOOK_AT_LEAST)
    if due.update(next_look_at=now + pause):
        look(state, now=now)
