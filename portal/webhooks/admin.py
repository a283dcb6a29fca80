"""Webhooks for administrators: to look at, not to edit."""

from django.contrib import admin

from portal.tools.admin import ReadOnlyAdmin
from portal.webhooks.models import Arrival


@admin.register(Arrival)
class ArrivalAdmin(ReadOnlyAdmin):
    list_display = ["hook", "at", "event", "decision", "reason"]
    list_filter = ["decision"]
    list_select_related = ["hook"]
