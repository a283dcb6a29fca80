"""What people say about records, and who is told."""

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from portal.accounts.models import User
from portal.tools.models import Tool
from stories.models.records import Record


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
    # The accounts that the body named when it was written.
    mentioned = models.ManyToManyField(User, blank=True, related_name="+")
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
    """What somebody wants to be told of a record. Nobody who chose a level gets another by itself.

    Whoever is mentioned is told at every level, and also without any.
    """

    class Level(models.TextChoices):
        ALL = "all", _("every change")
        STATUS = "status", _("changes of status")
        MENTIONS = "mentions", _("mentions of me only")

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
    # What was said, if that is what they are told of.
    comment = models.ForeignKey(
        Comment, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # Told because they were named, not only because they watch the record.
    is_mention = models.BooleanField(default=False)
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["user", "read_at", "-id"], name="notification_unread")]

    def __str__(self) -> str:
        return self.text

    def get_absolute_url(self) -> str:
        if not self.comment_id:
            return self.record.get_absolute_url()
        discussion = reverse("record_discussion", args=[self.record.ident])
        return f"{discussion}#comment-{self.comment_id}"


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
