"""What records were: their revisions, and names for moments."""

from functools import cached_property
from typing import Any, Self

from django.db import models
from django.db.models import Max, Min, Q
from django.utils.translation import gettext_lazy as _

from portal.accounts.models import User
from stories import snapshots
from stories.models.records import Record


class RevisionQuerySet(models.QuerySet["Revision"]):
    def unpatrolled(self) -> Self:
        """Those by people that nobody else has looked at."""
        return self.filter(patrolled_at=None, suppressed="").exclude(author_name="")


class Revision(models.Model):
    """What a record was after one accepted save: append-only."""

    class Cause(models.TextChoices):
        EDIT = "edit", _("edit")
        TRANSITION = "transition", _("change of status")
        LINK = "link", _("link")
        RESTORE = "restore", _("restored")
        IMPORT = "import", _("import")
        RECONFIRM = "reconfirmed", _("confirmed again")
        MERGE = "merge", _("merge")
        SYSTEM = "system", _("by the platform")

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    # In the form of the portal that wrote it, which `schema_version` names; read `snapshot`.
    stored = models.JSONField()
    schema_version = models.PositiveSmallIntegerField()
    changed_fields = models.JSONField(default=list)
    author = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # Stays when the account goes.
    author_name = models.CharField(max_length=255, blank=True)
    at = models.DateTimeField()
    summary = models.CharField(max_length=500, blank=True)
    cause = models.CharField(max_length=16, choices=Cause, default=Cause.EDIT)
    base_revision = models.PositiveIntegerField(null=True, blank=True)
    restored_from = models.PositiveIntegerField(null=True, blank=True)
    is_minor = models.BooleanField(default=False)
    # Why an administrator hid the text of this revision; empty if nobody did.
    suppressed = models.CharField(max_length=500, blank=True)
    # Who else looked at it, and when; see operations.patrol.
    patrolled_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    patrolled_at = models.DateTimeField(null=True, blank=True)

    objects = RevisionQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["record", "number"], name="revision_number_once")
        ]
        indexes = [
            models.Index(fields=["-at", "-id"], name="revision_latest"),
            models.Index(
                fields=["-at", "-id"],
                condition=Q(patrolled_at=None, suppressed="") & ~Q(author_name=""),
                name="revision_unpatrolled",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.record_id} r{self.number}"

    @cached_property
    def snapshot(self) -> dict[str, Any]:
        """What the record was, in the form of today. Raises TooNew."""
        return snapshots.read(self.stored, self.schema_version)

    @property
    def unreadable(self) -> str:
        """Why the portal cannot read it; empty if it can."""
        return snapshots.refusal(self.schema_version)

    @property
    def withheld(self) -> str:
        """Why nobody is shown its text; empty if everybody is."""
        return self.suppressed or self.unreadable


class Baseline(models.Model):
    """A name for what all records were at one moment."""

    name = models.CharField(max_length=100, unique=True)
    at = models.DateTimeField()
    note = models.TextField(blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return self.name

    def changed(self) -> models.QuerySet[Record]:
        """The records that were saved since: `before` is their version then, 0 for new ones."""
        since = Record.objects.filter(revisions__at__gt=self.at)
        first, last = Min("revisions__number"), Max("revisions__number")
        return since.annotate(before=first - 1, after=last).order_by("pk")
