"""How far the watchers of clusters have come."""

from django.db import models

from portal.cluster.lease import Stamp
from portal.cluster.watcher import Mark
from portal.clusters.models.clusters import Cluster


class WatchMark(models.Model):
    """Where the next watcher of a cluster goes on."""

    cluster = models.OneToOneField(Cluster, models.CASCADE, related_name="watch_mark")
    lease_uid = models.CharField(max_length=36)
    lease_version = models.PositiveBigIntegerField()
    positions = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"mark of {self.cluster}"

    @property
    def mark(self) -> Mark:
        return Mark(Stamp(self.lease_uid, self.lease_version), self.positions)

    @staticmethod
    def leave(cluster_id: int, mark: Mark) -> None:
        """Put it in place of the one before."""
        row = WatchMark(
            cluster_id=cluster_id,
            lease_uid=mark.lease.uid,
            lease_version=mark.lease.version,
            positions=mark.positions,
        )
        WatchMark.objects.bulk_create(
            [row],
            update_conflicts=True,
            unique_fields=["cluster"],
            update_fields=["lease_uid", "lease_version", "positions"],
        )
