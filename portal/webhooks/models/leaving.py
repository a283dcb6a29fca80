"""What happened, who wants to know, and how telling them went."""

import json
import secrets
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from portal.accounts.models import User
from portal.encryption import decrypt
from portal.moving import Watched, WatchedQuerySet
from portal.tools.models import Tool
from portal.webhooks.events import EVENTS, PROBLEMS, title_of


def delivery_ident() -> str:
    return secrets.token_hex(16)


class Subscription(models.Model):
    """An address that is called when something happens to a tool."""

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="subscriptions")
    url = models.CharField(max_length=1000)
    events = models.JSONField(default=list)
    is_active = models.BooleanField(default=True)
    # Why the platform stopped calling it; empty while it does, or its maintainer stopped it.
    paused_reason = models.TextField(blank=True)
    # Since when every call failed; None after one that did not.
    failing_since = models.DateTimeField(null=True, blank=True)
    encrypted_secret = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        # The rest of an address may be a secret of its receiver.
        return urlsplit(self.url).hostname or "?"

    def get_absolute_url(self) -> str:
        return reverse("subscription", args=[self.tool.name, self.pk])

    @property
    def secret(self) -> str:
        return decrypt(bytes(self.encrypted_secret))


class MailChoice(models.Model):
    """That somebody wants mail about one of their tools; no row means none."""

    class Level(models.TextChoices):
        PROBLEMS = "problems", _("what went wrong")
        ALL = "all", _("everything")

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="mail_choices")
    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="mail_choices")
    level = models.CharField(max_length=16, choices=Level)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "tool"], name="mail_choice_once")]

    def __str__(self) -> str:
        return f"{self.user} {self.tool}: {self.level}"

    def wants(self, event: str) -> bool:
        return event in (PROBLEMS if self.level == self.Level.PROBLEMS else EVENTS)


class Notice(models.Model):
    """Something that happened; the body is told byte for byte as it stands here."""

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="notices")
    event = models.CharField(max_length=40)
    at = models.DateTimeField()
    body = models.TextField()

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["at"], name="notice_at")]

    def __str__(self) -> str:
        return f"{self.tool} {self.event}"

    @property
    def title(self) -> str:
        return title_of(self.event)

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Delivery(Watched):
    """A notice on its way to one address: an order until it is delivered or given up."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("On its way")
        DELIVERED = "delivered", _("Delivered")
        GIVEN_UP = "given-up", _("Given up")

    KINDS: ClassVar = {
        Status.WAITING: "notice",
        Status.DELIVERED: "success",
        Status.GIVEN_UP: "error",
    }

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="deliveries")
    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="deliveries")
    # One of these two: a program, or a person who gets mail.
    subscription = models.ForeignKey(
        Subscription, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    recipient = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    ident = models.CharField(max_length=32, unique=True, default=delivery_ident)
    status = models.CharField(max_length=16, choices=Status, default=Status.WAITING)
    # [{"at", "status", "seconds", "reason"}], one of each call; the newest last.
    attempts = models.JSONField(default=list, blank=True)
    # How the last answer began; empty where it came from an address that is not public.
    response = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    # A call is under way until then at most.
    calling_until = models.DateTimeField(null=True, blank=True)
    # Who had it delivered again, or tested.
    asked_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = WatchedQuerySet["Delivery"].as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(subscription=None) ^ Q(recipient=None), name="delivery_to_one"
            )
        ]
        indexes = [
            models.Index(fields=["subscription", "-id"], name="delivery_latest"),
            models.Index(
                fields=["next_look_at"],
                condition=Q(next_look_at__isnull=False),
                name="delivery_next_look",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.notice} {self.ident[:8]}"

    @property
    def kind(self) -> str:
        """Of the chip that shows the status."""
        return self.KINDS[self.Status(self.status)]

    @property
    def last(self) -> dict[str, Any]:
        """The last call; empty when there was none yet."""
        return self.attempts[-1] if self.attempts else {}
