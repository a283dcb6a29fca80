"""Records for administrators to look at; changes go through the pages, which keep the history."""

from django.contrib import admin

from portal.tools.admin import ReadOnlyAdmin
from stories.models import Baseline, Reading, Record, Revision


@admin.register(Record)
class RecordAdmin(ReadOnlyAdmin):
    list_display = ["ident", "title", "status", "owner", "updated_at"]
    list_filter = ["kind", "status"]
    search_fields = ["title", "fields"]


@admin.register(Revision)
class RevisionAdmin(ReadOnlyAdmin):
    list_display = ["record_id", "number", "cause", "author_name", "at"]


@admin.register(Reading)
class ReadingAdmin(ReadOnlyAdmin):
    list_display = ["metric", "on", "value", "error"]


admin.site.register(Baseline)
