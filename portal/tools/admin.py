"""Tools for administrators: to look at. What is changed goes through the pages and is recorded."""

from django.contrib import admin
from django.http import HttpRequest

from portal.tools.models import AuditEvent, Tool


class ReadOnlyAdmin(admin.ModelAdmin):
    """History is not edited by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Tool)
class ToolAdmin(ReadOnlyAdmin):
    list_display = ["name", "title", "status", "created_at"]
    list_filter = ["status"]
    search_fields = ["name", "title"]


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor_name", "token_prefix", "action", "tool", "summary"]
    list_select_related = ["tool"]
    search_fields = ["actor_name", "action", "tool__name"]
    show_full_result_count = False
