"""Addresses of the pages about tools."""

from django.urls import path

from portal.tools import views

urlpatterns = [
    path("tools/register/", views.tool_register, name="tool_register"),
    path("tools/name-check/", views.tool_name_check, name="tool_name_check"),
    path("tools/<slug:name>/edit/", views.tool_edit, name="tool_edit"),
    path("tools/<slug:name>/set-status/", views.tool_set_status, name="tool_set_status"),
    path("tools/<slug:name>/variables/", views.tool_variables, name="tool_variables"),
    path(
        "tools/<slug:name>/variables/<int:pk>/delete/",
        views.variable_delete,
        name="variable_delete",
    ),
    path("tools/<slug:name>/maintainers/", views.tool_maintainers, name="tool_maintainers"),
    path(
        "tools/<slug:name>/maintainers/<int:pk>/remove/", views.member_remove, name="member_remove"
    ),
    path("tools/<slug:name>/history/", views.tool_history, name="tool_history"),
]
