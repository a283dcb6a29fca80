"""Users for administrators."""

from typing import Any, cast

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from portal.accounts.events import tell
from portal.accounts.models import User
from portal.accounts.origin import Origin


@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    list_display = ["username", "is_active", "is_admin", "is_workgroup", "last_login"]
    list_filter = ["is_active", "is_admin", "is_workgroup"]
    search_fields = ["username"]
    fields = ["username", "email", "is_active", "is_admin", "is_workgroup"]
    readonly_fields = ["username"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People come by signing in."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Their names stand in histories; who may not come any more is made inactive."""
        return False

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        by = cast(User, request.user)
        by.origin = Origin.of(request.META)
        names = [name for name in form.changed_data if name != "email"]
        before: dict[str, Any] = {name: form.initial[name] for name in names}
        after = {name: form.cleaned_data[name] for name in names}
        tell(
            by=by,
            action="account.changed",
            summary=obj.username,
            at=timezone.now(),
            before=before,
            after=after,
        )
