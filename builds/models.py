"""Builds, the moves that they made, their images and their log chunks."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from builds.engines.base import Order
from builds.states import FINAL, MOVES, Status
from portal.accounts.models import User
from portal.clusters.models import Cluster, RegistryPlace
from portal.encryption import decrypt, encrypt
from portal.moving import AbstractMove, Movable, Troubled, Watched, WatchedQuerySet
from portal.tools.models import Tool

SHA256_LENGTH = 71


class BuildQuerySet(WatchedQuerySet["Build"]):
    def under_way(self) -> Self:
        return self.exclude(status__in=FINAL)

    def running(self) -> Self:
        return self.filter(status=Status.RUNNING)

    def queued(self) -> Self:
        return self.filter(status=Status.QUEUED).order_by("pk")

    def abandoned(self, now: datetime) -> Self:
        """Those whose watcher is gone, and nobody knows since when."""
        return self.running().filter(
            Q(cluster=None) | Q(cluster__watched_until__lt=now), is_followed=True
        )

    def with_place(self) -> Self:
        """Without those of tools that have no credentials yet for the Harbor of their cluster."""
        ready = RegistryPlace.objects.ready().filter(
            cluster=OuterRef("cluster"), tool=OuterRef("tool")
        )
        return self.exclude(~Exists(ready), cluster__registry_kind=Cluster.Kind.HARBOR)


class Build(Movable, Watched, Troubled):
    """An order to make an image of a repository, and what became of it."""

    MOVES = MOVES

    class Trigger(models.TextChoices):
        PERSON = "person", _("by hand")
        TOKEN = "token", _("by the API")
        WEBHOOK = "webhook", _("by a push")

    LABELS: ClassVar = {
        Status.QUEUED: _("Queued"),
        Status.RUNNING: _("Running"),
        Status.SUCCEEDED: _("Succeeded"),
        Status.FAILED: _("Failed"),
        Status.CANCELLED: _("Cancelled"),
        Status.TIMED_OUT: _("Timed out"),
    }

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="builds")
    number = models.PositiveIntegerField()
    # Where it is built and its image is kept; None is this machine.
    cluster = models.ForeignKey(
        "clusters.Cluster", null=True, blank=True, on_delete=models.SET_NULL, related_name="builds"
    )
    source_url = models.CharField(max_length=500)
    ref = models.CharField(max_length=255, blank=True)
    subdirectory = models.CharField(max_length=255, blank=True)
    # The commit that was ordered, when the order named one besides the ref.
    wanted_commit = models.CharField(max_length=40, blank=True)
    # 40 hexadecimal digits once the ref is resolved; never changes after that.
    commit = models.CharField(max_length=40, blank=True)
    builder = models.CharField(max_length=100, blank=True)
    actor = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    trigger = models.CharField(max_length=16, choices=Trigger, default=Trigger.PERSON)
    deploy_when_built = models.BooleanField(default=False)
    idempotency_key = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001
    # Variables of this build alone, as encrypted JSON; empty for none.
    encrypted_variables = models.BinaryField(default=b"")
    # Toolforge's API leaves it out, because somebody deleted it there.
    is_hidden = models.BooleanField(default=False)

    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    # As the engine told: [{"name", "started_at", "finished_at", "succeeded"}], times in ISO 8601.
    steps = models.JSONField(default=list, blank=True)

    # How a build that is to be stopped will end, once its processes are gone.
    stop_as = models.CharField(max_length=16, blank=True)
    stop_reason_code = models.CharField(max_length=32, blank=True)
    stop_reason = models.TextField(blank=True)
    stop_asked_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    # The variables that it was started with, encrypted, until it is cleaned away: redaction has to
    # know them also when they were changed meanwhile.
    sealed_variables = models.BinaryField(null=True, blank=True)

    # How far the engine's raw output was taken over: in bytes, or where lines are known by their
    # times, the time of the last one in nanoseconds. Then the bytes of cleaned log that are stored.
    log_source_offset = models.PositiveBigIntegerField(default=0)
    log_size = models.PositiveBigIntegerField(default=0)
    # The watcher of its cluster takes over its output, for as long as there is one.
    is_followed = models.BooleanField(default=False)
    # The output taken over ends inside a line that was too long; its rest is to be dropped.
    log_cut = models.BooleanField(default=False)
    last_output_at = models.DateTimeField(null=True, blank=True)
    # [[offset in the log, offset in the archive]]; empty until the log is archived.
    log_index = models.JSONField(default=list, blank=True)

    objects = BuildQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["tool", "number"], name="build_number_once"),
            models.UniqueConstraint(
                fields=["tool", "idempotency_key"], name="build_idempotency_key_once"
            ),
            models.UniqueConstraint(
                fields=["tool", "source_url", "ref", "subdirectory", "wanted_commit"],
                condition=Q(status__in=[Status.QUEUED, Status.RUNNING], stop_as=""),
                name="build_under_way_once",
            ),
            models.CheckConstraint(
                condition=Q(status__in=[str(status) for status in Status]),
                name="build_status_known",
            ),
        ]
        indexes = [
            models.Index(fields=["tool", "-id"], name="build_latest"),
            models.Index(
                fields=["next_look_at"],
                condition=Q(next_look_at__isnull=False),
                name="build_next_look",
            ),
            models.Index(
                fields=["status", "id"],
                condition=Q(status__in=[Status.QUEUED, Status.RUNNING]),
                name="build_under_way",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """A new build is placed where its tool lives, unless it says where."""
        if self._state.adding and self.cluster_id is None:
            self.cluster_id = self.tool.cluster_id
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("build", args=[self.tool.name, self.number])

    @property
    def name(self) -> str:
        return f"{self.tool.name}-{self.number}"

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    def is_watched_at(self, now: datetime) -> bool:
        """Whether a watcher tells of every change of its run."""
        return bool(self.cluster and self.cluster.is_watched_at(now))

    def is_followed_at(self, now: datetime) -> bool:
        """Whether a watcher takes over its output, too."""
        return self.is_followed and self.is_watched_at(now)

    @property
    def is_stopping(self) -> bool:
        return bool(self.stop_as) and not self.is_final

    @property
    def label(self) -> str:
        return str(_("Stopping") if self.is_stopping else self.LABELS[Status(self.status)])

    @property
    def duration(self) -> timedelta | None:
        """From the start of the work to its end; None before either."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at

    @property
    def image_or_none(self) -> "Image | None":
        return getattr(self, "image", None)

    @property
    def own_variables(self) -> dict[str, str]:
        """Variables that were given for this build alone; all of them are secrets."""
        stored = bytes(self.encrypted_variables)
        return json.loads(decrypt(stored)) if stored else {}

    @own_variables.setter
    def own_variables(self, variables: Mapping[str, str]) -> None:
        self.encrypted_variables = encrypt(json.dumps(variables)) if variables else b""

    def order(self, environment: Mapping[str, str]) -> Order:
        return Order(
            name=self.name,
            tool=self.tool.name,
            tool_id=self.tool_id,
            source_url=self.source_url,
            ref=self.ref,
            subdirectory=self.subdirectory,
            commit=self.commit or self.wanted_commit,
            builder=self.builder,
            environment={**environment, **self.own_variables},
        )

    def ask_to_stop(
        self, status: Status, *, reason_code: str, reason: str, at: datetime, by: User | None = None
    ) -> bool:
        """Have the build end as `status` once its processes are gone; False if it ends already."""
        asked = Build.objects.under_way().filter(pk=self.pk, stop_as="")
        changes = {
            "stop_as": str(status),
            "stop_reason_code": str(reason_code),
            "stop_reason": reason,
            "stop_asked_by": by,
            "next_look_at": at,
        }
        if not asked.update(**changes):
            return False
        for name, value in changes.items():
            setattr(self, name, value)
        return True


class Move(AbstractMove):
    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="moves")


class LogChunk(models.Model):
    """Some complete lines of a build's log while it is not archived; see builds.logs."""

    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="chunks")
    start = models.PositiveBigIntegerField()
    end = models.PositiveBigIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["build", "start"], name="log_chunk_once"),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="log_chunk_not_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.build_id}: {self.start}-{self.end}"


class Image(models.Model):
    """An image in the tool's store: what a webservice runs."""

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="images")
    build = models.OneToOneField(Build, on_delete=models.CASCADE, related_name="image")
    digest = models.CharField(max_length=SHA256_LENGTH)
    reference = models.CharField(max_length=500)
    # Bytes, compressed.
    size = models.PositiveBigIntegerField()
    # {process type: [argument, ...]}
    processes = models.JSONField(default=dict)
    default_process = models.CharField(max_length=100, blank=True)
    buildpacks = models.JSONField(default=list)
    run_image = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    # Somebody wants it deleted; it goes as soon as no release needs it.
    is_unwanted = models.BooleanField(default=False)
    # Set when the image was deleted from the store to make room; its row stays as history.
    removed_at = models.DateTimeField(null=True, blank=True)
    # It is removed, and a cluster's registry still has it.
    is_left_over = models.BooleanField(default=False)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["tool", "-id"], name="image_latest"),
            models.Index(fields=["tool"], condition=Q(is_left_over=True), name="image_left_over"),
        ]

    def __str__(self) -> str:
        return f"{self.build} {self.digest[:19]}"

    @property
    def short_digest(self) -> str:
        return self.digest.removeprefix("sha256:")[:12]


class BuildCache(models.Model):
    """The layers that a tool's builds find again: how large they were after the last one."""

    tool = models.OneToOneField(Tool, on_delete=models.CASCADE, related_name="build_cache")
    size = models.PositiveBigIntegerField(default=0)
    measured_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"cache of {self.tool}"
