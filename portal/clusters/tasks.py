"""Alarm clocks for clusters."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from portal.clusters.checking import check
from portal.clusters.connections import connect
from portal.clusters.models import Cluster

CHECK_EVERY = timedelta(seconds=30)


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
