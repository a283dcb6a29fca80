"""Users for administrators."""

from django.contrib import admin

from portal.accounts.models import User


@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    list_display = ["username", "is_active", "is_admin", "is_workgroup", "last_login"]
    list_filter = ["is_active", "is_admin", "is_workgroup"]
    search_fields = ["username"]
    fields = ["username", "email", "is_active", "is_admin", "is_workgroup"]
    readonly_fields = ["username"]
