"""Records, and what search knows of them."""

import uuid
from collections.abc import Iterable
from datetime import date
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from portal.accounts.models import User
from stories.kinds import DRAFTS, KINDS, Kind, split_ident
from stories.models.links import Link


class RecordQuerySet(models.QuerySet["Record"]):
    def by_ident(self, ident: str) -> Self:
        """The record of that ident, or none."""
        found = split_ident(ident)
        return self.filter(kind=found[0], number=found[1]) if found else self.none()

    def present(self) -> Self:
        """Without the tombstones of records that were deleted or merged."""
        return self.filter(merged_into=None, is_deleted=False)

    def undone(self) -> Self:
        """Those whose status is not closed."""
        closed = Q()
        for kind in KINDS.values():
            if kind.closed:
                closed |= Q(kind=kind.prefix, status__in=kind.closed)
        return self.present().exclude(closed)

    def settled(self) -> Self:
        """Without what is still being thought up."""
        return self.exclude(status__in=DRAFTS)

    def linked(self, type_name: str, **conditions: Any) -> Self:  # noqa: ANN401
        """Those with an outgoing link of that type to a present record."""
        return self.filter(_link("source", type_name, conditions))

    def unlinked(self, type_name: str, **conditions: Any) -> Self:  # noqa: ANN401
        return self.exclude(_link("source", type_name, conditions))

    def unlinked_from(self, type_name: str, **conditions: Any) -> Self:  # noqa: ANN401
        """Those without an incoming link of that type."""
        return self.exclude(_link("target", type_name, conditions))


def _link(end: str, type_name: str, conditions: dict[str, Any]) -> Exists:
    return Exists(Link.objects.filter(**{end: OuterRef("pk")}, type=type_name, **conditions))


class Record(models.Model):
    """One record of any kind. `fields` holds what `stories.kinds` says of the kind, all of it.

    A few columns repeat what constraints and lists need: they are set with `fields`, never alone.
    """

    # Columns that say what `fields` say.
    REPEATED: ClassVar = ("owner", "review_by", "decided_on")

    class Certainty(models.TextChoices):
        STATED = "stated", _("stated")
        DERIVED = "derived", _("derived")
        AMBIGUOUS = "ambiguous", _("ambiguous")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=2)
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=300)
    status = models.CharField(max_length=16)
    status_since = models.DateTimeField()
    status_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    status_reason = models.TextField(blank=True)
    look_again_on = models.DateField(null=True, blank=True)
    # The number of the newest revision, and of the newest that changed what the record says.
    version = models.PositiveIntegerField(default=1)
    material_version = models.PositiveIntegerField(default=1)
    fields = models.JSONField(default=dict)

    owner = models.CharField(max_length=500, blank=True)
    review_by = models.DateField(null=True, blank=True)
    decided_on = models.DateField(null=True, blank=True)
    superseded_by = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="aliases"
    )
    is_deleted = models.BooleanField(default=False)

    # Where it comes from: the words in a meeting's notes.
    source = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="quoted_by"
    )
    anchor = models.CharField(max_length=20, blank=True)
    quote = models.TextField(blank=True)
    certainty = models.CharField(max_length=10, choices=Certainty, blank=True)

    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    last_author = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    # Digest of the snapshot as it was imported last: tells edits made here from those of the files.
    imported_digest = models.CharField(max_length=64, blank=True)
    # When the row was last compared with its history, and how they differ; see stories.integrity.
    compared_at = models.DateTimeField(null=True, blank=True)
    mismatch = models.TextField(blank=True)

    objects = RecordQuerySet.as_manager()

    class Meta:
        ordering = ["kind", "number"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "number"], name="record_ident_once"),
            models.CheckConstraint(condition=Q(kind__in=sorted(KINDS)), name="record_kind_known"),
            models.CheckConstraint(
                condition=Q(status="superseded", superseded_by__isnull=False)
                | (~Q(status="superseded") & Q(superseded_by=None)),
                name="record_superseded_by_one",
            ),
            models.CheckConstraint(
                condition=~Q(kind="RA", status="agreed") | Q(review_by__isnull=False),
                name="rationale_agreed_has_review_day",
            ),
            models.CheckConstraint(
                condition=~Q(kind="DR", status="decided") | Q(decided_on__isnull=False),
                name="decision_decided_has_day",
            ),
        ]
        indexes = [
            models.Index(fields=["kind", "status", "number"], name="record_kind_status"),
            models.Index(fields=["-updated_at", "-id"], name="record_updated"),
            models.Index(fields=["kind", "-updated_at"], name="record_kind_updated"),
        ]

    def __str__(self) -> str:
        return f"{self.ident} {self.title}"

    def get_absolute_url(self) -> str:
        slug = slugify(self.title)[:60].strip("-")
        return reverse("record", args=[self.ident, slug] if slug else [self.ident])

    @property
    def ident(self) -> str:
        return f"{self.kind}-{self.number}"

    @property
    def kind_of(self) -> Kind:
        return KINDS[self.kind]

    @property
    def status_label(self) -> str:
        return str(self.kind_of.statuses.get(self.status, self.status))

    @property
    def is_closed(self) -> bool:
        return self.status in self.kind_of.closed

    @property
    def is_draft(self) -> bool:
        return self.status == self.kind_of.first_status

    @property
    def sentence(self) -> str:
        """A user story in one sentence; composed, never stored. Empty for other kinds."""
        if self.kind != "US" or not self.fields.get("role"):
            return ""
        return _("As a %(role)s I want to %(goal)s so that %(benefit)s.") % {
            name: self.fields.get(name, "").rstrip(".") for name in ("role", "goal", "benefit")
        }

    def day(self, name: str) -> date | None:
        """A date of `fields`."""
        value = self.fields.get(name)
        return date.fromisoformat(value) if value else None

    def whole_text(self) -> str:
        """All that the record says, for search and for checking quotations."""
        return "\n".join(self.texts())

    def texts(self) -> list[str]:
        """All that the record says, one text after the other."""
        return list(_strings([self.title, self.fields]))

    def take_columns(self) -> None:
        """Repeat in columns what `fields` says; see the class."""
        self.owner = self.fields.get("owner", "")[:500]
        self.review_by = self.day("review_by")
        self.decided_on = self.day("decided_on")

    def snapshot(self, links: Iterable[Link] | None = None) -> dict[str, Any]:
        """The record with its outgoing links, as revisions and exports hold it.

        `links` are those with their targets, where the caller has them already.
        """
        return {
            "uid": str(self.uid),
            "ident": self.ident,
            "title": self.title,
            "status": self.status,
            "status_reason": self.status_reason,
            "look_again_on": self.look_again_on.isoformat() if self.look_again_on else None,
            "superseded_by": self.superseded_by.ident if self.superseded_by else None,
            "merged_into": self.merged_into.ident if self.merged_into else None,
            "is_deleted": self.is_deleted,
            "source": self.source.ident if self.source else None,
            "anchor": self.anchor,
            "quote": self.quote,
            "certainty": self.certainty,
            "fields": self.fields,
            "links": [link.snapshot() for link in self.outgoing_links(links)],
        }

    def outgoing_links(self, links: Iterable[Link] | None = None) -> list[Link]:
        """In the order of snapshots."""
        found = self.links.select_related("target") if links is None else links
        return sorted(
            found, key=lambda link: (link.type, link.target.kind, link.target.number, link.anchor)
        )


def _strings(value: Any) -> Iterable[str]:  # noqa: ANN401
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


class SearchDocument(models.Model):
    """What search knows of a record; written with it. See stories.search."""

    record = models.OneToOneField(
        Record, primary_key=True, on_delete=models.CASCADE, related_name="document"
    )
    ident = models.CharField(max_length=20)
    title = models.TextField()
    tags = models.TextField(blank=True)
    body = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.ident
