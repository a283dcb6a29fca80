"""Records, their revisions and links, and what people say about them."""

import uuid
from collections.abc import Iterable
from datetime import date
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Exists, F, Max, Min, OuterRef, Q
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from portal.accounts.models import User
from portal.tools.models import Tool
from stories.counters import Counter as Counter
from stories.kinds import KINDS, LINK_TYPES, Kind, LinkType, split_ident, triples

SCHEMA_VERSION = 1


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
        return "\n".join(_strings([self.title, self.fields]))

    def take_columns(self) -> None:
        """Repeat in columns what `fields` says; see the class."""
        self.owner = self.fields.get("owner", "")[:500]
        self.review_by = self.day("review_by")
        self.decided_on = self.day("decided_on")

    def snapshot(self, links: Iterable["Link"] | None = None) -> dict[str, Any]:
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

    def outgoing_links(self, links: Iterable["Link"] | None = None) -> list["Link"]:
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
    snapshot = models.JSONField()
    schema_version = models.PositiveSmallIntegerField(default=SCHEMA_VERSION)
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


class Link(models.Model):
    """A relation from one record to another, stored once; its inverse is computed."""

    source = models.ForeignKey(Record, on_delete=models.PROTECT, related_name="links")
    type = models.CharField(max_length=20)
    target = models.ForeignKey(Record, on_delete=models.PROTECT, related_name="backlinks")
    source_kind = models.CharField(max_length=2)
    target_kind = models.CharField(max_length=2)
    # The line of a meeting that is cited, such as "t4.l7", and its words.
    anchor = models.CharField(max_length=20, blank=True)
    quote = models.TextField(blank=True)
    note = models.CharField(max_length=500, blank=True)
    # The target's material version when the link was made or confirmed; behind it is "suspect".
    target_version_seen = models.PositiveIntegerField()
    # Repeats, for a constraint, that the target is an agreed rationale.
    is_agreed = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["type", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "type", "target", "anchor"], name="link_once"
            ),
            models.CheckConstraint(condition=~Q(source=F("target")), name="link_not_to_itself"),
            models.CheckConstraint(
                condition=Q(type__in=["relates_to"])
                | Q(type__in=["supersedes", "duplicates"], source_kind=F("target_kind"))
                | Q(
                    *[
                        Q(type=name, source_kind=source, target_kind=target)
                        for source, name, target in triples()
                        if LINK_TYPES[name].pairs is not None
                    ],
                    _connector=Q.OR,
                ),
                name="link_kinds_allowed",
            ),
            models.UniqueConstraint(
                fields=["source"],
                condition=Q(type="justified_by", is_agreed=True),
                name="feature_has_one_agreed_rationale",
            ),
        ]
        indexes = [
            models.Index(fields=["target", "type"], name="link_target_type"),
            models.Index(fields=["source_kind", "type"], name="link_kind_type"),
        ]

    def __str__(self) -> str:
        return f"{self.source.ident} {self.type} {self.target.ident}"

    @property
    def link_type(self) -> LinkType:
        return LINK_TYPES[self.type]

    @property
    def is_suspect(self) -> bool:
        return self.target_version_seen < self.target.material_version

    def snapshot(self) -> dict[str, str]:
        found = {"type": self.type, "to": self.target.ident}
        for name in ("anchor", "quote", "note"):
            if value := getattr(self, name):
                found[name] = value
        return found


class Comment(models.Model):
    """A remark, a question, or a concern that blocks approval until it is resolved."""

    class Kind(models.TextChoices):
        COMMENT = "comment", _("comment")
        QUESTION = "question", _("question")
        CONCERN = "concern", _("blocking concern")

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.COMMENT)
    field = models.CharField(max_length=50, blank=True)
    quote = models.TextField(blank=True)
    body = models.TextField()
    reply_to = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="replies"
    )
    at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.record_id}: {self.body[:40]}"


class ReviewRound(models.Model):
    """From the moment a record asks for review until it leaves it."""

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="rounds")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["record"], condition=Q(closed_at=None), name="one_open_review_round"
            )
        ]

    def __str__(self) -> str:
        return f"{self.record_id} {self.opened_at:%Y-%m-%d}"


class Review(models.Model):
    class Verdict(models.TextChoices):
        APPROVE = "approve", _("approves")
        CHANGES = "changes", _("asks for changes")
        ABSTAIN = "abstain", _("abstains")

    round = models.ForeignKey(ReviewRound, on_delete=models.CASCADE, related_name="reviews")
    reviewer = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    # The material version that was read.
    version = models.PositiveIntegerField()
    verdict = models.CharField(max_length=10, choices=Verdict)
    text = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["round", "reviewer", "version"], name="one_verdict_per_version"
            )
        ]

    def __str__(self) -> str:
        return f"{self.reviewer} {self.verdict}"


class Support(models.Model):
    """Somebody wants this, and says why; for a tool of theirs, or for themselves."""

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="supports")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    tool = models.ForeignKey(
        Tool, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    weight = models.PositiveSmallIntegerField(default=1)
    why = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["record", "user"], name="support_once"),
            models.CheckConstraint(condition=Q(weight__lte=3), name="support_weight"),
        ]

    def __str__(self) -> str:
        return f"{self.user} supports {self.record_id}"


class Watch(models.Model):
    class Level(models.TextChoices):
        ALL = "all", _("every change")
        STATUS = "status", _("changes of status")

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="watches")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    level = models.CharField(max_length=8, choices=Level, default=Level.ALL)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["record", "user"], name="watch_once")]

    def __str__(self) -> str:
        return f"{self.user} watches {self.record_id}"


class Notification(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notifications")
    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="+")
    text = models.CharField(max_length=500)
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["user", "read_at", "-id"], name="notification_unread")]

    def __str__(self) -> str:
        return self.text


class Flag(models.Model):
    """A finding about a record, from when it was raised until it was cleared; see checks."""

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="flags")
    code = models.CharField(max_length=40)
    sentence = models.TextField()
    raised_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["code", "record"]
        constraints = [
            models.UniqueConstraint(
                fields=["record", "code"], condition=Q(cleared_at=None), name="flag_open_once"
            )
        ]
        indexes = [
            models.Index(fields=["code", "record"], condition=Q(cleared_at=None), name="flag_open")
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.record_id}"


class Reading(models.Model):
    """What a metric was on a day; where it could not be read `value` is None, `error` says why."""

    SAMPLE: ClassVar = 100

    metric = models.CharField(max_length=50)
    on = models.DateField()
    at = models.DateTimeField()
    value = models.FloatField(null=True, blank=True)
    # Names of tools behind the value, the first of them by name.
    sample = models.JSONField(default=list)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["metric", "-on"]
        get_latest_by = "on"
        constraints = [models.UniqueConstraint(fields=["metric", "on"], name="reading_once_a_day")]

    def __str__(self) -> str:
        return f"{self.metric} {self.on}: {self.value}"


class MinuteLine(models.Model):
    """A line written while a meeting goes on; it becomes part of the notes when it ends."""

    meeting = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="minutes")
    topic = models.PositiveIntegerField()
    number = models.PositiveIntegerField()
    speaker = models.CharField(max_length=50, blank=True)
    text = models.TextField()
    author = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["topic", "number"]
        constraints = [
            models.UniqueConstraint(fields=["meeting", "topic", "number"], name="minute_line_once")
        ]

    def __str__(self) -> str:
        return f"t{self.topic}.l{self.number}"


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
