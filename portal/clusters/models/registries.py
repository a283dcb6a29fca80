"""How the registries of clusters are, and each tool's place in them."""

from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from portal.clusters.models.clusters import Cluster, Relocation
from portal.moving import free
from portal.tools.models import Tool


class RegistryState(models.Model):
    """How a cluster's registry was last seen."""

    cluster = models.OneToOneField(Cluster, models.CASCADE, related_name="registry_state")
    # None before the first look.
    is_reachable = models.BooleanField(null=True)
    # Since when that is so.
    since = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField(null=True)
    trouble = models.TextField(blank=True)
    version = models.CharField(max_length=100, blank=True)
    # Looks in a row that went wrong.
    failures = models.PositiveIntegerField(default=0)
    next_look_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"registry of {self.cluster}"

    def note(self, *, is_reachable: bool, trouble: str, at: datetime, version: str = "") -> None:
        """Remember how a look went; `since` changes only with the answer."""
        if is_reachable != self.is_reachable:
            self.since = at
        if is_reachable:
            self.last_seen_at, self.version = at, version
        self.is_reachable, self.trouble = is_reachable, trouble
        self.failures = 0 if is_reachable else self.failures + 1
        self.save(
            update_fields=[
                "is_reachable", "since", "last_seen_at", "version", "trouble", "failures",
            ]
        )  # fmt: skip


class RegistryPlaceQuerySet(models.QuerySet["RegistryPlace"]):
    def ready(self) -> Self:
        """Those whose tool has credentials for the registry that its cluster has now."""
        return self.filter(registry=F("cluster__registry"), ends_at__isnull=False)

    def inhabited(self) -> Self:
        """Those of tools that live there, or are on their way."""
        coming = Relocation.objects.under_way().filter(
            tool=OuterRef("tool"), target=OuterRef("cluster")
        )
        lives = Q(Exists(coming)) | Q(tool__cluster=F("cluster"))
        return self.filter(lives).exclude(tool__status=Tool.Status.ARCHIVED)

    def claim(self, pk: int, *, now: datetime, lease: timedelta) -> "RegistryPlace | None":
        """The place, if a look is due and nobody else is at it; theirs until `lease` is over."""
        if not self.filter(free(now), pk=pk, next_look_at__lte=now).update(busy_until=now + lease):
            return None
        return self.select_related("cluster", "tool").get(pk=pk)

    def wake(self, *, now: datetime) -> int:
        """Have them looked at now, but for those that wait after a failure; how many."""
        return self.filter(failures=0).update(next_look_at=now)


class RegistryPlace(models.Model):
    """A tool's place in a cluster's registry: in a Harbor its project, and its robots' secrets."""

    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="registry_places")
    tool = models.ForeignKey(Tool, models.CASCADE, related_name="registry_places")
    # Docker's config.json, of the robots in `robots`, for the registry of that name.
    encrypted_push = models.BinaryField(default=b"")
    encrypted_pull = models.BinaryField(default=b"")
    robots = models.JSONField(default=list)
    registry = models.CharField(max_length=200, blank=True)
    # When the robots end; None before there are any.
    ends_at = models.DateTimeField(null=True)
    # New robots are wanted now, whenever the ones before end.
    is_rotating = models.BooleanField(default=False)
    # When the credentials were in the cluster; None while they are still to be put there.
    placed_at = models.DateTimeField(null=True)
    # The robots before are still there, for what began with them.
    has_old_robots = models.BooleanField(default=False)
    # Bytes, as the registry counts them; None where it does not.
    used_bytes = models.BigIntegerField(null=True)
    limit_bytes = models.BigIntegerField(null=True)
    measured_at = models.DateTimeField(null=True)
    # When everything in it goes, because the tool lives there no longer.
    remove_after = models.DateTimeField(null=True)

    trouble = models.TextField(blank=True)
    # Since when there is trouble.
    since = models.DateTimeField(null=True)
    # Looks in a row that went wrong.
    failures = models.PositiveIntegerField(default=0)
    # None when there is nothing to do.
    next_look_at = models.DateTimeField(null=True)
    # Until then somebody is at it.
    busy_until = models.DateTimeField(null=True)

    objects = RegistryPlaceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cluster", "tool"], name="registry_place_once")
        ]

    def __str__(self) -> str:
        return f"{self.tool} in the registry of {self.cluster}"

    def is_over(self, now: datetime) -> bool:
        """Nobody lives here, and the grace in which that might change has passed."""
        if self.remove_after is None or self.remove_after > now:
            return False
        return not RegistryPlace.objects.inhabited().filter(pk=self.pk).exists()

    @property
    def is_shared(self) -> bool:
        """Another cluster that the tool lives in has its images in the same registry."""
        others = RegistryPlace.objects.exclude(pk=self.pk).filter(tool=self.tool)
        return others.filter(cluster__registry=self.cluster.registry, remove_after=None).exists()

    def change(self, **changes: Any) -> None:  # noqa: ANN401
        RegistryPlace.objects.filter(pk=self.pk).update(**changes)
        for name, value in changes.items():
            setattr(self, name, value)

    def note(self, trouble: str, *, at: datetime, again: datetime | None) -> None:
        """Remember how a look went, and look again then unless somebody wants it earlier."""
        RegistryPlace.objects.filter(pk=self.pk, next_look_at=self.next_look_at).update(
            next_look_at=again
        )
        self.change(
            trouble=trouble,
            since=(self.since or at) if trouble else None,
            failures=self.failures + 1 if trouble else 0,
            busy_until=None,
        )
