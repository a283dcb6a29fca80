"""Filters of the lists of records that people keep under a name."""

from typing import Any, Self
from urllib.parse import urlencode

from django.db import models
from django.db.models import Case, Q, Value, When
from django.urls import reverse

from portal.accounts.models import User
from stories.kinds import KINDS, Kind


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    def shown_to(self, user: Any) -> Self:  # noqa: ANN401 - a User or an AnonymousUser
        """Their own, first, then those that others share."""
        is_own = Case(When(owner=user.pk, then=Value(1)), default=Value(0))
        shown = self.filter(Q(owner=user.pk) | Q(is_shared=True)).select_related("owner")
        return shown.annotate(is_own=is_own).order_by("-is_own", "name", "pk")

    def kept_by(self, user: User) -> Self:
        """Those that they may change: their own, and for administrators all that are shared."""
        return self.filter(Q(owner=user) | Q(is_shared=True) if user.is_admin else Q(owner=user))


class SavedView(models.Model):
    """The filter of a list of one kind. `filters` are as `stories.filtering` read them."""

    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="saved_views")
    kind = models.CharField(max_length=2)
    name = models.CharField(max_length=100)
    filters = models.JSONField(default=dict)
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="saved_view_name_once"),
            models.CheckConstraint(
                condition=Q(kind__in=sorted(KINDS)), name="saved_view_kind_known"
            ),
        ]
        indexes = [
            models.Index(fields=["kind"], condition=Q(is_shared=True), name="saved_view_shared")
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"{reverse('records', args=[self.kind_of.slug])}?{self.query}"

    @property
    def kind_of(self) -> Kind:
        return KINDS[self.kind]

    @property
    def query(self) -> str:
        """The filter as an address holds it."""
        return urlencode(self.filters, doseq=True)
