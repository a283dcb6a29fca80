"""Tools for administrators."""

from django.contrib import admin

from portal.tools.models import Tool


@admin.register(Tool)
class ToolAdmin(admin.ModelAdmin):
    list_display = ["name", "title", "status", "created_at"]
    list_filter = ["status"]
    search_fields = ["name", "title"]
    readonly_fields = ["name", "created_at", "created_by", "version", "last_build_number"]
