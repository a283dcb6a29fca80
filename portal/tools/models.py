"""Tools, the people who keep them, their variables, and what happened to them."""

import json
from datetime import datetime
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from portal.accounts.models import User
from portal.encryption import decrypt
from portal.moving import AbstractMove, Movable
from portal.tools.names import (
    LINKS,
    TOOL_NAME_LENGTH,
    TOOL_NAME_RULE,
    USERNAME_LENGTH,
    check_keywords,
    check_license,
    check_links,
    check_repository,
    check_tool_name,
    check_variable_name,
)
from portal.tools.states import (
    ADOPTION_ENDS,
    ADOPTION_MOVES,
    INVITATION_MOVES,
    AdoptionStatus,
    InvitationStatus,
)


class ToolQuerySet(models.QuerySet["Tool"]):
    """Permission is part of the query: a tool that somebody may not see is not there."""

    def public(self) -> Self:
        return self.exclude(status=Tool.Status.ARCHIVED)

    def _with_role(self, user: object, *roles: str) -> Self:
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        if user.is_admin:
            return self.all()
        own = Membership.objects.filter(tool=OuterRef("pk"), user=user, role__in=roles)
        return self.filter(Exists(own))

    def maintained_by(self, user: object) -> Self:
        return self._with_role(user, Membership.Role.MAINTAINER)

    def visible_to(self, user: object) -> Self:
        """Those whose builds and logs the user may see."""
        return self._with_role(user, Membership.Role.MAINTAINER, Membership.Role.VIEWER)

    def of_member(self, user: User) -> Self:
        """Those that list the user by name, also for administrators."""
        return self.filter(Exists(Membership.objects.filter(tool=OuterRef("pk"), user=user)))

    def search(self, text: str) -> Self:
        found = Q(name__icontains=text) | Q(title__icontains=text)
        return self.filter(found | Q(description__icontains=text)) if text else self


class Tool(models.Model):
    """Something that a volunteer runs for the community."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        DISABLED = "disabled", _("Disabled")
        ARCHIVED = "archived", _("Archived")

    name = models.CharField(
        _("name"),
        max_length=TOOL_NAME_LENGTH,
        unique=True,
        validators=[check_tool_name],
        help_text=TOOL_NAME_RULE,
        error_messages={"unique": _("This name is taken. Choose another.")},
    )
    title = models.CharField(_("title"), max_length=120)
    description = models.TextField(_("description"), blank=True, max_length=4000)
    license = models.CharField(
        _("licence"),
        max_length=80,
        blank=True,
        validators=[check_license],
        help_text=_("An SPDX identifier, such as GPL-3.0-or-later."),
    )
    repository = models.CharField(
        _("repository"),
        max_length=500,
        blank=True,
        validators=[check_repository],
        help_text=_("Where its code is: an https Git address."),
    )
    keywords = models.JSONField(default=list, blank=True, validators=[check_keywords])
    # {kind among LINKS: address}
    links = models.JSONField(default=dict, blank=True, validators=[check_links])
    status = models.CharField(max_length=16, choices=Status, default=Status.ACTIVE)
    # Where it is built and run; None is this machine.
    cluster = models.ForeignKey(
        "clusters.Cluster", null=True, blank=True, on_delete=models.PROTECT, related_name="tools"
    )
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # When something that everybody sees of it last changed; None if never since it was registered.
    updated_at = models.DateTimeField(null=True, blank=True)
    # Grows with each edit; the ETag of the REST API.
    version = models.PositiveIntegerField(default=1)
    last_build_number = models.PositiveIntegerField(default=0)
    members = models.ManyToManyField(User, through="Membership", related_name="tools")

    objects = ToolQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("tool", args=[self.name])

    @classmethod
    def default_cluster(cls) -> Any:  # noqa: ANN401 - a model of an app that stands above this one
        """Where new tools are put; None is this machine."""
        clusters: Any = cls._meta.get_field("cluster").related_model
        return clusters.objects.filter(is_default=True).first()

    @property
    def home(self) -> str:
        """Where its webservice answers."""
        return str(settings.TOOLS_URL).format(tool=self.name)

    @property
    def shown_links(self) -> list[tuple[str, str]]:
        """Label and address of each, in the order of LINKS."""
        return [(str(LINKS[kind]), self.links[kind]) for kind in LINKS if kind in self.links]

    def touch(self, at: datetime) -> None:
        """Note that something changed that everybody sees."""
        Tool.objects.filter(pk=self.pk).update(updated_at=at)
        self.updated_at = at

    def can_edit(self, user: object) -> bool:
        return Tool.objects.maintained_by(user).filter(pk=self.pk).exists()

    def can_view(self, user: object) -> bool:
        return Tool.objects.visible_to(user).filter(pk=self.pk).exists()


class Membership(models.Model):
    class Role(models.TextChoices):
        MAINTAINER = "maintainer", _("Maintainer")
        VIEWER = "viewer", _("Viewer")

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role, default=Role.MAINTAINER)

    class Meta:
        ordering = ["user__username"]
        constraints = [models.UniqueConstraint(fields=["tool", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self, now: datetime) -> Self:
        return self.filter(status=InvitationStatus.OPEN, expires_at__gt=now)

    def addressed_to(self, user: User) -> Self:
        """Bound to the account, or to the name where nobody had it when the tool invited."""
        return self.filter(Q(user=user) | Q(user=None, username=user.username))


class Invitation(Movable):
    """Asks somebody to keep a tool. Only the account that it is addressed to sees and answers it:
    there is no link that works for whoever holds it."""

    MOVES = INVITATION_MOVES
    LABELS: ClassVar = {
        InvitationStatus.OPEN: _("Open"),
        InvitationStatus.ACCEPTED: _("Accepted"),
        InvitationStatus.DECLINED: _("Declined"),
        InvitationStatus.WITHDRAWN: _("Withdrawn"),
        InvitationStatus.EXPIRED: _("Expired"),
    }

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="invitations")
    username = models.CharField(max_length=USERNAME_LENGTH)
    # The account that had the name at that time; None when there was none.
    user = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    role = models.CharField(
        max_length=16, choices=Membership.Role, default=Membership.Role.MAINTAINER
    )
    invited_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["tool", "username"],
                condition=Q(status=InvitationStatus.OPEN),
                name="invitation_open_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.username} ({self.role})"

    @property
    def label(self) -> str:
        return str(self.LABELS[InvitationStatus(self.status)])


class InvitationMove(AbstractMove):
    invitation = models.ForeignKey(Invitation, on_delete=models.CASCADE, related_name="moves")


class AdoptionQuerySet(models.QuerySet["Adoption"]):
    def open(self) -> Self:
        return self.exclude(status__in=ADOPTION_ENDS)

    def asked_by(self, user: User) -> Self:
        return self.filter(asker=user)

    def answered_by(self, user: User) -> Self:
        """Those that the user may agree or object to, as somebody who keeps the tool."""
        keeps = Membership.objects.filter(
            tool=OuterRef("tool"), user=user, role=Membership.Role.MAINTAINER
        )
        return self.filter(Exists(keeps)).exclude(asker=user)

    def visible_to(self, user: User) -> Self:
        if user.is_admin:
            return self.all()
        return self.filter(Q(pk__in=self.asked_by(user)) | Q(pk__in=self.answered_by(user)))


class Adoption(Movable):
    """Somebody asks to take over a tool that nobody seems to keep any more."""

    MOVES = ADOPTION_MOVES
    LABELS: ClassVar = {
        AdoptionStatus.WAITING: _("Waits for the maintainers"),
        AdoptionStatus.AGREED: _("A maintainer agreed"),
        AdoptionStatus.OBJECTED: _("A maintainer objected"),
        AdoptionStatus.GRANTED: _("Granted"),
        AdoptionStatus.REFUSED: _("Refused"),
        AdoptionStatus.WITHDRAWN: _("Withdrawn"),
    }

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="adoptions")
    asker = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    why = models.TextField(max_length=2000)
    created_at = models.DateTimeField()
    # After this an administrator decides though nobody answered.
    due_at = models.DateTimeField()

    objects = AdoptionQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["tool", "asker"],
                condition=~Q(status__in=["granted", "refused", "withdrawn"]),
                name="adoption_open_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.tool}: {self.asker}"

    @property
    def label(self) -> str:
        return str(self.LABELS[AdoptionStatus(self.status)])

    @property
    def is_open(self) -> bool:
        return self.status not in ADOPTION_ENDS

    def is_ripe(self, now: datetime) -> bool:
        """Whether it can be granted: somebody agreed, or nobody answered in time."""
        if self.status == AdoptionStatus.AGREED:
            return True
        return self.status == AdoptionStatus.WAITING and self.due_at <= now


class AdoptionMove(AbstractMove):
    adoption = models.ForeignKey(Adoption, on_delete=models.CASCADE, related_name="moves")


class EnvVar(models.Model):
    """A variable that a tool's builds or webservice get. Its value is encrypted at rest."""

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="variables")
    name = models.CharField(_("name"), max_length=100, validators=[check_variable_name])
    encrypted = models.BinaryField()
    # Never shown again, and redacted from logs.
    is_secret = models.BooleanField(_("secret"), default=True)
    for_build = models.BooleanField(_("for builds"), default=False)
    for_run = models.BooleanField(_("for the webservice"), default=True)
    changed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tool", "name"], name="variable_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def value(self) -> str:
        return decrypt(bytes(self.encrypted))

    @property
    def shown_value(self) -> str:
        return "••••••" if self.is_secret else self.value


class AppendOnlyError(TypeError):
    """Somebody tried to change what has happened."""


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    def visible_to(self, user: User) -> Self:
        """Of the tools that the user may see, and of the user's own account."""
        if user.is_admin:
            return self.all()
        own = Q(tool=None, actor=user)
        return self.filter(own | Q(tool__in=Tool.objects.visible_to(user)))

    def update(self, **_changes: object) -> int:
        raise AppendOnlyError("What has happened is not changed.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise AppendOnlyError("What has happened is not deleted.")


class AuditEvent(models.Model):
    """Something that happened, and who did it: append-only."""

    class Via(models.TextChoices):
        PERSON = "person", _("a person in a browser")
        TOKEN = "token", _("a token")
        PLATFORM = "platform", _("the platform")

        @property
        def condition(self) -> Q:
            if self == AuditEvent.Via.TOKEN:
                return ~Q(token_prefix="")
            return Q(token_prefix="") & (
                Q(actor_name="") if self == AuditEvent.Via.PLATFORM else ~Q(actor_name="")
            )

    # A tool with a history cannot be deleted; it is archived instead.
    tool = models.ForeignKey(
        Tool, null=True, blank=True, on_delete=models.PROTECT, related_name="events"
    )
    # None means the platform itself, or somebody whose account is gone; the name is as it was then.
    actor = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor_name = models.CharField(max_length=255, blank=True)
    token_prefix = models.CharField(max_length=16, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    action = models.CharField(max_length=60)
    summary = models.TextField(blank=True)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    at = models.DateTimeField()
    # Set for a reader who may see it.
    shown_address: str | None = None

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["tool", "-id"], name="event_latest"),
            models.Index(fields=["actor", "-id"], name="event_of_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.summary}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        if not self._state.adding:
            raise AppendOnlyError("What has happened is not changed.")
        super().save(*args, **kwargs)

    def delete(self, *_args: object, **_kwargs: object) -> tuple[int, dict[str, int]]:
        raise AppendOnlyError("What has happened is not deleted.")

    @property
    def via(self) -> str:
        if self.token_prefix:
            return self.Via.TOKEN
        return self.Via.PERSON if self.actor_name else self.Via.PLATFORM

    @property
    def differences(self) -> list[tuple[str, str | None, str | None]]:
        """Field by field what was and what is, as text; None where there was or is nothing."""
        before, after = self.before or {}, self.after or {}
        names = dict.fromkeys([*before, *after])
        rows = [(name, _text(before.get(name)), _text(after.get(name))) for name in names]
        return [row for row in rows if row[1] != row[2]]

    def address_for(self, reader: User) -> str | None:
        """Where it came from: for administrators, and for whose address it is."""
        return self.address if reader.is_admin or self.actor_id == reader.pk else None


def _text(value: Any) -> str | None:  # noqa: ANN401
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


class Quota(models.Model):
    """What a tool may use; where nothing stands, it is what every tool may use."""

    tool = models.OneToOneField(Tool, on_delete=models.CASCADE, related_name="quota")
    builds_at_once = models.PositiveIntegerField(null=True, blank=True)
    build_minutes = models.PositiveIntegerField(null=True, blank=True)
    images = models.PositiveIntegerField(null=True, blank=True)
    storage_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    replicas = models.PositiveIntegerField(null=True, blank=True)
    memory_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    cpu_millis = models.PositiveIntegerField(null=True, blank=True)

    def __str__(self) -> str:
        return f"quota of {self.tool}"


class QuotaRequest(models.Model):
    """Somebody asks for more than a tool may use, and what was answered."""

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        GRANTED = "granted", _("Granted")
        REFUSED = "refused", _("Refused")

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="quota_requests")
    # {resource: amount}, see portal.tools.quotas.
    wanted = models.JSONField(default=dict)
    granted = models.JSONField(default=dict)
    reason = models.TextField()
    asked_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    asked_at = models.DateTimeField()
    status = models.CharField(max_length=16, choices=Status, default=Status.OPEN)
    answer = models.TextField(blank=True)
    decided_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["tool"], condition=Q(status="open"), name="quota_request_open_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.tool}: {self.reason[:40]}"
