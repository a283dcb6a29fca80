"""Webservices, their numbered releases, and the replicas that run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self

from django.conf import settings
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from builds.models import Image
from portal.accounts.models import User
from portal.clusters.models import Cluster
from portal.moving import AbstractMove, Movable, Troubled, Watched, WatchedQuerySet
from portal.tools.models import Tool
from portal.tools.operations import Variable
from portal.webservices.engines.base import Phase, ReplicaOrder
from portal.webservices.states import MOVES, RELEASE_MOVES, Cause, ReleaseStatus, Status

# Less than this and hardly anything starts.
LEAST_MEMORY, LEAST_CPU = 32 * 1024**2, 50


def usual_memory() -> int:
    return settings.WEBSERVICE_MEMORY_BYTES


def usual_cpu() -> int:
    return settings.WEBSERVICE_CPU_MILLIS


class Configured(models.Model):
    """How an image is run: what a webservice has now, and what each release was made with."""

    CONFIGURATION = (
        "replicas", "max_replicas", "health_check_path", "memory_bytes", "cpu_millis",
    )  # fmt: skip

    replicas = models.PositiveSmallIntegerField(
        _("replicas"), default=1, validators=[MinValueValidator(1)]
    )
    # While they are busy the cluster starts more, up to so many; 0 for never.
    max_replicas = models.PositiveSmallIntegerField(_("most replicas"), default=0)
    health_check_path = models.CharField(
        _("health check"),
        max_length=200,
        default="/",
        validators=[RegexValidator(r"\A/[!-~]*\Z", _("Begin with /; no spaces."))],
    )
    # Of each replica; 1000 is one processor.
    memory_bytes = models.PositiveBigIntegerField(
        _("memory"), default=usual_memory, validators=[MinValueValidator(LEAST_MEMORY)]
    )
    cpu_millis = models.PositiveIntegerField(
        _("processors"), default=usual_cpu, validators=[MinValueValidator(LEAST_CPU)]
    )

    class Meta:
        abstract = True

    @property
    def is_autoscaled(self) -> bool:
        return self.max_replicas > 0

    @property
    def configuration(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.CONFIGURATION}


class WebserviceQuerySet(WatchedQuerySet["Webservice"]):
    def routes(self) -> dict[str, list[int]]:
        """Which ports of this machine get the requests of which tool."""
        # Those that are on their way from this machine or to it may answer here, too.
        here = self.filter(Q(tool__cluster=None) | ~Q(routed_ports=[])).order_by("pk")
        return dict(here.values_list("tool__name", "routed_ports"))

    def unwatched(self, now: datetime) -> Self:
        """Those in clusters of whose changes no watcher tells."""
        is_watched = Q(tool__cluster__watched_until__gt=now)
        return self.filter(tool__cluster__isnull=False).exclude(is_watched)


class Webservice(Configured, Movable, Watched, Troubled):
    """What a tool wants to have running, and how that stands."""

    MOVES = MOVES
    LABELS: ClassVar = {
        Status.STOPPED: _("Stopped"),
        Status.STARTING: _("Starting"),
        Status.RUNNING: _("Running"),
        Status.DEGRADED: _("Unhealthy"),
        Status.STOPPING: _("Stopping"),
        Status.FAILED: _("Failed"),
    }

    tool = models.OneToOneField(Tool, on_delete=models.CASCADE, related_name="webservice")
    is_wanted = models.BooleanField(default=False)
    # When a build of this branch or tag succeeds, it is deployed; empty for none.
    deploy_branch = models.CharField(max_length=255, blank=True)
    # Builds that ended earlier are not deployed by themselves.
    deploys_since = models.DateTimeField(null=True, blank=True)
    # The rollback that stopped deploys that nobody asks for; None when they go on.
    paused_by = models.ForeignKey(
        "Release", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    last_release_number = models.PositiveIntegerField(default=0)
    # What the cluster says of the number of replicas that it chooses; "" if all is well.
    scaling = models.TextField(blank=True)
    # The ports that requests are led to, as decided by the last look.
    routed_ports = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField()

    objects = WebserviceQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(
                fields=["next_look_at"],
                condition=Q(next_look_at__isnull=False),
                name="webservice_next_look",
            )
        ]

    def __str__(self) -> str:
        return self.tool.name

    def get_absolute_url(self) -> str:
        return reverse("webservice", args=[self.tool.name])

    @property
    def url(self) -> str:
        cluster = self.tool.cluster
        return (cluster.tools_url if cluster else settings.TOOLS_URL).format(tool=self.tool.name)

    @property
    def label(self) -> str:
        return str(self.LABELS[Status(self.status)])

    @property
    def live(self) -> "Release | None":
        return self.current().live

    @property
    def starting(self) -> "Release | None":
        return self.current().starting

    def current(self) -> "Current":
        is_current = self._placed().filter(status__in=[ReleaseStatus.STARTING, ReleaseStatus.LIVE])
        found = {release.status: release for release in is_current}
        return Current(found.get(ReleaseStatus.STARTING), found.get(ReleaseStatus.LIVE))

    def releases_in(self, place: Cluster | None) -> "models.QuerySet[Release]":
        """Those whose images are there."""
        return self._placed().filter(image__build__cluster=place)

    def _placed(self) -> "models.QuerySet[Release]":
        return self.releases.select_related("image__build__cluster")

    @property
    def failed(self) -> "Release | None":
        """The newest release, if it failed."""
        last = self.releases.select_related("image").first()
        return last if last and last.status == ReleaseStatus.FAILED else None


class WebserviceMove(AbstractMove):
    webservice = models.ForeignKey(Webservice, on_delete=models.CASCADE, related_name="moves")


class ReleaseQuerySet(models.QuerySet["Release"]):
    def update(self, **changes: Any) -> int:  # noqa: ANN401
        _refuse_changes(changes)
        return super().update(**changes)


def _refuse_changes(names: Iterable[str]) -> None:
    if frozen := Release.FROZEN.intersection(names):
        raise ValueError(f"a release is not changed once it is made: {sorted(frozen)}")


class Release(Configured, Movable):
    """An image and how it was to run, by whom and why; numbered within its webservice.

    What it was made of never changes. Only how it goes on does: its status, and whether it pins
    its image. (And its actor, should that person's account be deleted.)
    """

    MOVES = RELEASE_MOVES
    FROZEN = frozenset({
        *Configured.CONFIGURATION, "webservice", "number", "image", "process_type", "variables",
        "cause", "rolled_back_to", "note", "created_at",
    })  # fmt: skip
    LABELS: ClassVar = {
        ReleaseStatus.STARTING: _("Starting"),
        ReleaseStatus.LIVE: _("Live"),
        ReleaseStatus.RETIRED: _("Retired"),
        ReleaseStatus.FAILED: _("Failed"),
    }

    webservice = models.ForeignKey(Webservice, on_delete=models.CASCADE, related_name="releases")
    number = models.PositiveIntegerField()
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="releases")
    process_type = models.CharField(max_length=100)
    # {name: fingerprint} of the variables that it runs with; the values are not here.
    variables = models.JSONField(default=dict, blank=True)
    cause = models.CharField(max_length=16, default=Cause.DEPLOYED)
    # The number of the release whose image and configuration this one took up again.
    rolled_back_to = models.PositiveIntegerField(null=True, blank=True)
    # Its image is kept until somebody lets go of it.
    is_pinned = models.BooleanField(default=False)
    # Why it was made, in words.
    note = models.CharField(max_length=200, blank=True)
    actor = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField()
    live_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # The end of the output of a release that failed.
    log_tail = models.TextField(blank=True)

    objects = ReleaseQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["webservice", "number"], name="release_number_once"),
            models.UniqueConstraint(
                fields=["webservice"], condition=Q(status="live"), name="release_live_once"
            ),
            models.UniqueConstraint(
                fields=["webservice"], condition=Q(status="starting"), name="release_starting_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.webservice}-r{self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        if not self._state.adding:
            _refuse_changes(kwargs.get("update_fields") or self.FROZEN)
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("release", args=[self.webservice.tool.name, self.number])

    @property
    def label(self) -> str:
        return str(self.LABELS[ReleaseStatus(self.status)])

    @property
    def place_id(self) -> int | None:
        return self.image.build.cluster_id

    @property
    def place(self) -> Cluster | None:
        """Where its image is, and so where it runs; None is this machine."""
        return self.image.build.cluster


@dataclass(frozen=True)
class Current:
    """What a webservice has of each, as it was when it was read."""

    starting: Release | None
    live: Release | None

    def within(self, place: Cluster | None) -> "Current":
        """Without what runs elsewhere; None is this machine."""
        return Current(_if_in(place, self.starting), _if_in(place, self.live))

    @property
    def newest(self) -> Release | None:
        return self.starting or self.live

    @property
    def releases(self) -> list[Release]:
        """Both, the older first."""
        return [each for each in (self.live, self.starting) if each]


def _if_in(place: Cluster | None, release: Release | None) -> Release | None:
    return release if release and release.place_id == (place.pk if place else None) else None


class ReleaseMove(AbstractMove):
    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="moves")


class Replica(models.Model):
    """One process of a release, as last seen. The row goes when the process is gone."""

    LABELS: ClassVar = {
        Phase.MISSING: _("Missing"),
        Phase.STARTING: _("Starting"),
        Phase.HEALTHY: _("Healthy"),
        Phase.UNHEALTHY: _("Unhealthy"),
        Phase.STOPPING: _("Stopping"),
    }

    # The release that it serves now; scaling hands running replicas on to the next one.
    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="processes")
    # What the engine knows it by: after the release that it was started for.
    name = models.CharField(max_length=63, unique=True)
    index = models.PositiveSmallIntegerField()
    # On loopback; in a cluster each has an address of its own.
    port = models.PositiveIntegerField(unique=True, null=True, blank=True)
    phase = models.CharField(max_length=16, default=Phase.MISSING)
    started_at = models.DateTimeField(null=True, blank=True)
    restarts = models.PositiveIntegerField(default=0)
    exit_code = models.IntegerField(null=True, blank=True)
    probe_at = models.DateTimeField(null=True, blank=True)
    probe_ok = models.BooleanField(null=True)
    probe_answer = models.TextField(blank=True)
    # In a cluster: how many bytes of output were counted, and the time of the last line of them in
    # nanoseconds.
    output_size = models.PositiveBigIntegerField(default=0)
    output_at = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["release", "index"]
        constraints = [
            models.UniqueConstraint(fields=["release", "index"], name="replica_index_once")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def label(self) -> str:
        return str(self.LABELS[Phase(self.phase)])

    def order(self, variables: Iterable[Variable]) -> ReplicaOrder:
        release = self.release
        environment: Mapping[str, str] = {each.name: each.value for each in variables}
        return ReplicaOrder(
            name=self.name,
            tool=release.webservice.tool.name,
            tool_id=release.webservice.tool_id,
            image_reference=release.image.reference,
            image_digest=release.image.digest,
            process_type=release.process_type,
            port=self.port or 0,
            environment=environment,
            secrets=tuple(each.value for each in variables if each.is_secret),
            health_check_path=release.health_check_path,
            memory_bytes=release.memory_bytes,
            cpu_millis=release.cpu_millis,
        )
