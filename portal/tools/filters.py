"""Which events of the history somebody asks for; pages and REST read the same parameters."""

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from portal.tools.models import AuditEvent

DAY = forms.DateInput(attrs={"type": "date"})
Events = QuerySet[AuditEvent, AuditEvent]


class EventFilter(django_filters.FilterSet):
    actor = django_filters.CharFilter(label=_("Who"), method="by_actor")
    action = django_filters.CharFilter(
        label=_("Action"),
        lookup_expr="startswith",
        help_text=_("Or how it begins, such as “variable.”"),
    )
    tool = django_filters.CharFilter(label=_("Tool"), field_name="tool__name")
    via = django_filters.ChoiceFilter(
        label=_("By means of"), choices=AuditEvent.Via.choices, method="by_means"
    )
    token = django_filters.CharFilter(
        label=_("Token"),
        field_name="token_prefix",
        lookup_expr="startswith",
        help_text=_("How it begins, such as “cht_aB3”"),
    )
    since = django_filters.IsoDateTimeFilter(
        label=_("From"),
        field_name="at",
        lookup_expr="gte",
        widget=DAY,
    )
    until = django_filters.IsoDateTimeFilter(
        label=_("Before"),
        field_name="at",
        lookup_expr="lt",
        widget=DAY,
    )

    class Meta:
        model = AuditEvent
        fields: list[str] = []

    def by_actor(self, events: Events, name: str, value: str) -> Events:
        """By the name of today or of then."""
        return events.filter(Q(actor__username=value) | Q(actor_name=value))

    def by_means(self, events: Events, name: str, value: str) -> Events:
        return events.filter(AuditEvent.Via(value).condition)
