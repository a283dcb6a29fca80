"""Builds for administrators: to look at, not to edit."""

from django.contrib import admin

from builds.models import Build, Image
from portal.tools.admin import ReadOnlyAdmin


@admin.register(Build)
class BuildAdmin(ReadOnlyAdmin):
    list_display = ["name", "status", "reason_code", "actor", "created_at"]
    list_filter = ["status", "reason_code"]
    search_fields = ["tool__name", "commit"]
    list_select_related = ["tool", "actor"]


@admin.register(Image)
class ImageAdmin(ReadOnlyAdmin):
    list_display = ["build", "digest", "size", "created_at"]
    list_select_related = ["build__tool"]
