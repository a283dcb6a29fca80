"""Clusters: how each is reached, what tools get there, and how it was last seen."""

import re
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from portal.cluster.upgrades import Finding, Use, findings, version_of

_HOST = re.compile(r"\A[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d+)?(/[a-z0-9._/-]+)?\Z")


class ClusterQuerySet(models.QuerySet["Cluster"]):
    def due(self, now: datetime) -> Self:
        """Those that are to be looked at."""
        return self.filter(next_check_at__lte=now)


class Cluster(models.Model):
    """A Kubernetes cluster that tools are built and run in."""

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

    def clean(self) -> None:
        if self.way == self.Way.MEMORY and not settings.DEVELOPMENT_IDENTITY:
            raise ValidationError({"way": _("Only a portal for development has such clusters.")})

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
