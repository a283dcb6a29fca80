"""Clusters: how each is reached, what tools get there, and how it was last seen."""

import re
from datetime import datetime
from typing import Any, ClassVar, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Count, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from portal.accounts.models import User
from portal.cluster.upgrades import Finding, Use, findings, version_of
from portal.clusters.states import FINAL, RELOCATION_MOVES, UNDER_WAY, RelocationStatus
from portal.moving import AbstractMove, Movable, Watched, WatchedQuerySet
from portal.tools.models import Tool

_HOST = re.compile(r"\A[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d+)?(/[a-z0-9._/-]+)?\Z")


class ClusterQuerySet(models.QuerySet["Cluster"]):
    def due(self, now: datetime) -> Self:
        """Those that are to be looked at."""
        return self.filter(next_check_at__lte=now)

    def with_places(self) -> Self:
        """Each with how many tools have a place in its registry, and with how it is there."""
        places = Count("registry_places")
        troubled = Count("registry_places", filter=Q(registry_places__trouble__gt=""))
        changing = Count("registry_places", filter=Q(registry_places__is_rotating=True))
        counted = self.annotate(places=places, troubled=troubled, changing=changing)
        return counted.select_related("registry_state")


class Cluster(models.Model):
    """A Kubernetes cluster that tools are built and run in."""

    class Kind(models.TextChoices):
        DISTRIBUTION = "distribution", _("any that speaks the registry protocol")
        HARBOR = "harbor", _("a Harbor, in which each tool gets a project of its own")

    class Way(models.TextChoices):
        KUBECONFIG = "kubeconfig", _("a kubeconfig file")
        INSIDE = "inside", _("the portal runs in it")
        TOKEN = "token", _("an address and a token file")
        MEMORY = "memory", _("none: it is made up in memory, for development")

    name = models.SlugField(
        _("name"), max_length=40, unique=True, help_text=_("Such as tools or toolsbeta.")
    )
    way = models.CharField(_("reached by"), max_length=16, choices=Way, default=Way.KUBECONFIG)
    kubeconfig = models.CharField(_("kubeconfig file"), max_length=500, blank=True)
    context = models.CharField(_("context"), max_length=200, blank=True)
    server = models.CharField(
        _("address of its API server"),
        max_length=500,
        blank=True,
        validators=[RegexValidator(r"\Ahttps?://[a-zA-Z0-9.\[\]:-]+/?\Z")],
    )
    token_file = models.CharField(_("token file"), max_length=500, blank=True)
    ca_file = models.CharField(_("file of its certificate authority"), max_length=500, blank=True)

    tools_url = models.CharField(
        _("address of a tool"),
        max_length=200,
        default="https://{tool}.example.org/",
        validators=[RegexValidator(r"\Ahttps?://\{tool\}\.[a-z0-9.-]+(:\d+)?/\Z")],
        help_text=_("With {tool} where its name goes, such as https://{tool}.toolforge.org/."),
    )
    ingress_class = models.CharField(_("ingress class"), max_length=100, blank=True)
    ingress_namespace = models.CharField(
        _("namespace of the ingress controller"), max_length=63, default="ingress"
    )
    tls_secret = models.CharField(
        _("name of the Secret with the certificate"),
        max_length=200,
        blank=True,
        help_text=_("With {tool} where its name goes; empty where the ingress has its own."),
    )
    registry = models.CharField(
        _("image registry"), max_length=200, validators=[RegexValidator(_HOST)]
    )
    registry_kind = models.CharField(
        _("kind of the registry"), max_length=16, choices=Kind, default=Kind.DISTRIBUTION
    )
    harbor_account_file = models.CharField(
        _("file with the portal's account in Harbor"),
        max_length=500,
        blank=True,
        help_text=_("One line, name:password. The portal makes its own credentials from it."),
    )
    registry_is_insecure = models.BooleanField(_("it speaks plain HTTP"), default=False)
    push_credentials_file = models.CharField(
        _("file with the registry's credentials for builds"), max_length=500, blank=True
    )
    pull_credentials_file = models.CharField(
        _("file with the registry's credentials for webservices"), max_length=500, blank=True
    )
    builder = models.CharField(_("builder image"), max_length=500)
    run_image = models.CharField(_("run image"), max_length=500)
    git_image = models.CharField(_("image with git"), max_length=500)
    open_blocks = models.JSONField(
        _("private networks that tools may reach"), default=list, blank=True
    )
    is_default = models.BooleanField(_("new tools are put here"), default=False)
    target_version = models.CharField(
        _("version that it will be upgraded to"), max_length=20, blank=True
    )

    # As last seen. None before the first look.
    is_reachable = models.BooleanField(null=True, blank=True)
    # Since when that is so.
    since = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    trouble = models.TextField(blank=True)
    version = models.CharField(max_length=60, blank=True)
    # [{"name", "version", "is_installed"}], [{"verb", "group", "resource"}], [[version, kind, by]]
    components = models.JSONField(default=list, blank=True)
    missing_rights = models.JSONField(default=list, blank=True)
    uses = models.JSONField(default=list, blank=True)
    inspected_at = models.DateTimeField(null=True, blank=True)
    next_check_at = models.DateTimeField(null=True, blank=True)
    # Until then a watcher tells of every change there; renewed every few seconds while one does.
    watched_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    objects = ClusterQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"], condition=Q(is_default=True), name="cluster_default_once"
            )
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("cluster", args=[self.name])

    def is_watched_at(self, now: datetime) -> bool:
        """Whether a watcher tells of every change there."""
        return self.watched_until is not None and self.watched_until > now

    def clean(self) -> None:
        if self.way == self.Way.MEMORY and not settings.DEVELOPMENT_IDENTITY:
            raise ValidationError({"way": _("Only a portal for development has such clusters.")})
        if self.registry_kind == self.Kind.HARBOR:
            self._check_harbor()

    def _check_harbor(self) -> None:
        if not self.harbor_account_file:
            raise ValidationError(
                {"harbor_account_file": _("Name the file with the portal's account in Harbor.")}
            )
        if "/" in self.registry:
            raise ValidationError({"registry": _("For a Harbor, give its host alone.")})

    @property
    def has_harbor(self) -> bool:
        return self.registry_kind == self.Kind.HARBOR

    def repositories_of(self, tool: str) -> str:
        """What the references of the tool's images in this cluster's registry begin with."""
        return f"{self.registry}/tool-{tool}/"

    def url_of(self, tool: str) -> str:
        return self.tools_url.format(tool=tool)

    def host_of(self, tool: str) -> str:
        """The host name at which a tool answers, without a port."""
        return self.url_of(tool).partition("//")[2].rstrip("/").partition(":")[0]

    def note(self, *, is_reachable: bool, trouble: str, at: datetime, **seen: Any) -> None:  # noqa: ANN401
        """Remember how a look went; `since` changes only with the answer."""
        changes: dict[str, Any] = {"is_reachable": is_reachable, "trouble": trouble, **seen}
        if is_reachable:
            changes["last_seen_at"] = at
        if is_reachable != self.is_reachable:
            changes["since"] = at
        Cluster.objects.filter(pk=self.pk).update(**changes)
        for name, value in changes.items():
            setattr(self, name, value)

    def findings(self) -> list[Finding]:
        """What stands against the target version, or against its own where none is named."""
        target = version_of(self.target_version) or version_of(self.version)
        return findings((Use(*use) for use in self.uses), target) if target else []


class RelocationQuerySet(WatchedQuerySet["Relocation"]):
    def under_way(self) -> Self:
        """Those of tools that their old place still serves."""
        return self.filter(status__in=UNDER_WAY)

    def unfinished(self) -> Self:
        return self.exclude(status__in=FINAL)


class Relocation(Movable, Watched):
    """An order to move a tool from one place to another, and what became of it.

    A place is a cluster, or None for the portal's own machine.
    """

    MOVES = RELOCATION_MOVES
    LABELS: ClassVar = {
        RelocationStatus.REQUESTED: _("Waiting"),
        RelocationStatus.BUILDING: _("Building"),
        RelocationStatus.DEPLOYING: _("Deploying"),
        RelocationStatus.SWITCHED: _("Switched"),
        RelocationStatus.CLEANING: _("Cleaning up"),
        RelocationStatus.DONE: _("Done"),
        RelocationStatus.FAILED: _("Failed"),
        RelocationStatus.CANCELLED: _("Cancelled"),
    }

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="relocations")
    source = models.ForeignKey(
        Cluster, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    target = models.ForeignKey(
        Cluster, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # As they were called, for when they are forgotten; "" is the portal's own machine.
    source_name = models.CharField(max_length=40, blank=True)
    target_name = models.CharField(max_length=40, blank=True)
    # What is made in the new place; None as long as nothing is.
    build = models.ForeignKey(
        "builds.Build", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    release = models.ForeignKey(
        "webservices.Release", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    cancel_asked_at = models.DateTimeField(null=True, blank=True)
    cancel_asked_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # What the present step waits for, in words, as last seen.
    waits_for = models.TextField(blank=True)
    created_at = models.DateTimeField()
    switched_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = RelocationQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["tool"],
                condition=Q(status__in=[str(status) for status in sorted(UNDER_WAY)]),
                name="relocation_under_way_once",
            )
        ]
        indexes = [
            models.Index(
                fields=["next_look_at"],
                condition=Q(next_look_at__isnull=False),
                name="relocation_next_look",
            )
        ]

    def __str__(self) -> str:
        return f"{self.tool}: {self.source_label} → {self.target_label}"

    @property
    def label(self) -> str:
        return str(self.LABELS[RelocationStatus(self.status)])

    @property
    def is_under_way(self) -> bool:
        return self.status in UNDER_WAY

    @property
    def source_label(self) -> str:
        return self.source_name or str(_("the portal's own machine"))

    @property
    def target_label(self) -> str:
        return self.target_name or str(_("the portal's own machine"))


class RelocationMove(AbstractMove):
    relocation = models.ForeignKey(Relocation, on_delete=models.CASCADE, related_name="moves")
