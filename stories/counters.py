"""The numbers that idents are made of."""

from django.db import models
from django.db.models import F


class Counter(models.Model):
    """The last number of each kind: updated first in the transaction that creates a record."""

    kind = models.CharField(max_length=2, unique=True)
    last = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.kind}-{self.last}"

    @classmethod
    def next(cls, kind: str) -> int:
        """A number that nobody else gets; to be called inside of a transaction."""
        if not cls.objects.filter(kind=kind).update(last=F("last") + 1):
            cls.objects.get_or_create(kind=kind)
            cls.objects.filter(kind=kind).update(last=F("last") + 1)
        return cls.objects.get(kind=kind).last

    @classmethod
    def reserve(cls, kind: str, number: int) -> None:
        """Never hand out `number` or a lower one again."""
        cls.objects.get_or_create(kind=kind)
        cls.objects.filter(kind=kind, last__lt=number).update(last=number)
