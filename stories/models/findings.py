"""What the portal finds by itself: flags of records, and readings of metrics."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from stories.models.records import Record


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
