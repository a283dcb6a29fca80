"""Hooks that forges post to, and what came in."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from builds.models import Build
from portal.accounts.models import User
from portal.encryption import decrypt
from portal.tools.models import Tool
from portal.webhooks.decisions import Push, Rules
from portal.webhooks.senders import ID_LENGTH


def new_ident() -> str:
    return secrets.token_hex(12)


def default_branches() -> list[str]:
    return ["main", "master"]


class Hook(models.Model):
    """An address that a forge posts to when somebody pushes."""

    class Sender(models.TextChoices):
        GITHUB = "github", _("GitHub, Gitea or Forgejo")
        GITLAB = "gitlab", _("GitLab")
        GERRIT = "gerrit", _("Gerrit")

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="hooks")
    # In the address; cannot be guessed, but is no secret.
    ident = models.CharField(max_length=32, unique=True, default=new_ident)
    sender = models.CharField(max_length=16, choices=Sender)
    is_active = models.BooleanField(default=True)
    branches = models.JSONField(default=default_branches, blank=True)
    include = models.JSONField(default=list, blank=True)
    exclude = models.JSONField(default=list, blank=True)
    builds_tags = models.BooleanField(default=False)
    subdirectory = models.CharField(max_length=255, blank=True)
    deploy = models.BooleanField(default=True)
    # Signatures are made with the secret itself, so a digest of it would not do.
    encrypted_secret = models.BinaryField()
    # The secret before this one, which fits until then.
    encrypted_previous = models.BinaryField(null=True)
    previous_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.get_sender_display()} {self.ident[:6]}"

    def get_absolute_url(self) -> str:
        return reverse("hook", args=[self.tool.name, self.pk])

    @property
    def address(self) -> str:
        """Where the forge has to post to."""
        path = reverse("hook_receive", args=[self.tool.name, self.ident])
        return settings.PORTAL_URL.rstrip("/") + path

    def secrets(self, now: datetime) -> Sequence[str]:
        """Those that fit now, the newest first."""
        found = [decrypt(bytes(self.encrypted_secret))]
        if self.encrypted_previous and self.previous_until and now < self.previous_until:
            found.append(decrypt(bytes(self.encrypted_previous)))
        return found

    @property
    def rules(self) -> Rules:
        return Rules(
            repository=self.tool.repository,
            branches=self.branches,
            builds_tags=self.builds_tags,
            include=self.include,
            exclude=self.exclude,
        )


class Arrival(models.Model):
    """Something that was posted to a hook, and what was decided about it."""

    class Decision(models.TextChoices):
        STARTED = "started", _("Started a build")
        IGNORED = "ignored", _("Ignored")
        PING = "ping", _("Ping")
        REFUSED = "refused", _("Refused")

    KINDS: ClassVar = {
        Decision.STARTED: "success",
        Decision.IGNORED: "notice",
        Decision.PING: "notice",
        Decision.REFUSED: "error",
    }

    hook = models.ForeignKey(Hook, on_delete=models.CASCADE, related_name="arrivals")
    at = models.DateTimeField()
    # None for what somebody had decided again.
    delivery_id = models.CharField(max_length=ID_LENGTH, null=True, blank=True)  # noqa: DJ001
    event = models.CharField(max_length=60, blank=True)
    decision = models.CharField(max_length=16, choices=Decision)
    reason = models.TextField(blank=True)
    build = models.ForeignKey(
        Build, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # What decisions need of the payload; None when it was not a push.
    push = models.JSONField(null=True, blank=True)
    # For people to read: cut, and without secrets.
    payload = models.TextField(blank=True)
    # Who had it decided again.
    asked_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["-pk"]
        constraints = [
            # What was refused claims no id: anybody could claim them all.
            models.UniqueConstraint(
                fields=["hook", "delivery_id"],
                condition=~Q(decision="refused"),
                name="arrival_once",
            )
        ]
        indexes = [
            models.Index(fields=["hook", "-id"], name="arrival_latest"),
            models.Index(fields=["at"], name="arrival_at"),
        ]

    def __str__(self) -> str:
        return f"{self.decision}: {self.reason}"

    @property
    def kind(self) -> str:
        """Of the chip that shows the decision."""
        return self.KINDS[self.Decision(self.decision)]

    @property
    def as_push(self) -> Push | None:
        return push_of(self.push) if self.push else None


def push_of(data: dict[str, Any]) -> Push:
    lists = {name: tuple(data[name]) for name in ("repositories", "files")}
    return Push(**{**data, **lists})
