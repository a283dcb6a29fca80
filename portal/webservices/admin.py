"""Webservices for administrators: to look at, not to edit."""

from django.contrib import admin

from portal.tools.admin import ReadOnlyAdmin
from portal.webservices.models import Release, Webservice


@admin.register(Webservice)
class WebserviceAdmin(ReadOnlyAdmin):
    list_display = ["tool", "status", "replicas", "reason_code"]
    list_filter = ["status"]
    list_select_related = ["tool"]


@admin.register(Release)
class ReleaseAdmin(ReadOnlyAdmin):
    list_display = ["webservice", "number", "status", "reason_code", "actor", "created_at"]
    list_select_related = ["webservice__tool", "actor"]
