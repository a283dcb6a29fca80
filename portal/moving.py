"""Rows whose status moves by a table, one mover at a time, each move kept; rows to be looked at."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self, TypeVar

from django.db import models, transaction

from portal.accounts.models import User

Row = TypeVar("Row", bound="Watched")


class AbstractMove(models.Model):
    """One change of a status: append-only."""

    from_status = models.CharField(max_length=16)
    to_status = models.CharField(max_length=16)
    at = models.DateTimeField()
    # None means the platform itself.
    actor = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    reason_code = models.CharField(max_length=32, blank=True)
    reason = models.TextField(blank=True)

    class Meta:
        abstract = True
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.from_status} -> {self.to_status}"


class Movable(models.Model):
    """Something whose status moves by a table, one mover at a time."""

    MOVES: ClassVar[Mapping[str, frozenset[str]]]
    moves: Any

    status = models.CharField(max_length=16)
    reason_code = models.CharField(max_length=32, blank=True)
    reason = models.TextField(blank=True)

    class Meta:
        abstract = True

    def move_to(
        self,
        status: str,
        *,
        at: datetime,
        by: User | None = None,
        reason_code: str = "",
        reason: str = "",
        **changes: Any,  # noqa: ANN401 - other columns, set together with the status
    ) -> bool:
        """Move the row if its status is still what this object knows; False if another was first.

        Writes the Move in the same transaction. Raises ValueError for a move that is not allowed.
        """
        if status not in self.MOVES.get(self.status, frozenset()):
            raise ValueError(f"{self} cannot move from {self.status} to {status}")
        changes |= {"status": str(status), "reason_code": str(reason_code), "reason": reason}
        with transaction.atomic():
            same = type(self)._base_manager.filter(pk=self.pk, status=self.status)
            if not same.update(**changes):
                return False
            self.moves.create(
                from_status=self.status,
                to_status=str(status),
                at=at,
                actor=by,
                reason_code=str(reason_code),
                reason=reason,
            )
        for name, value in changes.items():
            setattr(self, name, value)
        return True


class WatchedQuerySet(models.QuerySet[Row]):
    """Rows that somebody has to look at from time to time; see Watched."""

    def overdue(self, now: datetime) -> Self:
        """Those that should have been looked at: lost alarms, and what never started."""
        return self.filter(free(now), next_look_at__lt=now).order_by("next_look_at")

    def claim(self, pk: int, *, now: datetime, lease: timedelta) -> Row | None:
        """The row, if a look is due and nobody else is looking; theirs until `lease` is over."""
        due = self.filter(free(now), pk=pk, next_look_at__lte=now)
        if not due.update(busy_until=now + lease):
            return None
        row = self.select_related("tool").get(pk=pk)
        row.claimed = {"next_look_at": row.next_look_at, "busy_until": row.busy_until}
        return row


def free(now: datetime) -> models.Q:
    """Nobody looks at it, or whoever began to did not come to an end."""
    return models.Q(busy_until=None) | models.Q(busy_until__lte=now)


class Watched(models.Model):
    """A row that is an order: reconcile looks at it until it is what it asks for."""

    # None when there is nothing left to do.
    next_look_at = models.DateTimeField(null=True, blank=True)
    # Until then it is theirs who look at it.
    busy_until = models.DateTimeField(null=True, blank=True)
    # Both as they were when this object was claimed.
    claimed: Mapping[str, datetime | None]

    class Meta:
        abstract = True

    def look_again(self, due: datetime | None) -> bool:
        """End the look, and note when the next is due; False if somebody woke the row meanwhile."""
        rows = type(self)._base_manager.filter(pk=self.pk)
        if rows.filter(**self.claimed).update(next_look_at=due, busy_until=None):
            return True
        rows.filter(busy_until=self.claimed["busy_until"]).update(busy_until=None)
        return False


class Troubled(models.Model):
    """A row that says why it cannot be looked at, or nothing be done about it, in words.

    What else it says is how it was before that. Empty while all is well.
    """

    trouble = models.TextField(blank=True)
    trouble_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    def note_trouble(self, trouble: str, *, at: datetime) -> None:
        """Remember how a look went; "" when it went well."""
        if trouble == self.trouble:
            return
        if not (trouble and self.trouble):
            self.trouble_since = at if trouble else None
        self.trouble = trouble
        changes = {"trouble": trouble, "trouble_since": self.trouble_since}
        type(self)._base_manager.filter(pk=self.pk).update(**changes)
