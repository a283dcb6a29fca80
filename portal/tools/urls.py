"""Addresses of the pages about tools."""

from django.urls import path

from portal.tools.views import adoption, audit, people, toolinfo, tools, variables

urlpatterns = [
    path("audit/", audit.audit, name="audit"),
    path("audit/export/", audit.audit_export, name="audit_export"),
    path("tools/register/", tools.tool_register, name="tool_register"),
    path("tools/name-check/", tools.tool_name_check, name="tool_name_check"),
    path("tools/<slug:name>/edit/", tools.tool_edit, name="tool_edit"),
    path("tools/<slug:name>/set-status/", tools.tool_set_status, name="tool_set_status"),
    path("tools/<slug:name>/variables/", variables.tool_variables, name="tool_variables"),
    path(
        "tools/<slug:name>/variables/<int:pk>/delete/",
        variables.variable_delete,
        name="variable_delete",
    ),
    path("tools/<slug:name>/maintainers/", people.tool_maintainers, name="tool_maintainers"),
    path(
        "tools/<slug:name>/maintainers/<int:pk>/remove/", people.member_remove, name="member_remove"
    ),
    path(
        "tools/<slug:name>/maintainers/<int:pk>/change/",
        people.member_change,
        name="member_change",
    ),
    path(
        "tools/<slug:name>/invitations/<int:pk>/withdraw/",
        people.invitation_withdraw,
        name="invitation_withdraw",
    ),
    path("invitations/", people.invitations, name="invitations"),
    path("invitations/<int:pk>/answer/", people.invitation_answer, name="invitation_answer"),
    path("tools/<slug:name>/adopt/", adoption.tool_adopt, name="tool_adopt"),
    path("adoptions/", adoption.adoptions, name="adoptions"),
    path("adoptions/<int:pk>/answer/", adoption.adoption_answer, name="adoption_answer"),
    path("adoptions/<int:pk>/decide/", adoption.adoption_decide, name="adoption_decide"),
    path("toolinfo.json", toolinfo.toolinfo, name="toolinfo"),
    path("tools/<slug:name>/toolinfo.json", toolinfo.tool_toolinfo, name="tool_toolinfo"),
    path("tools/<slug:name>/toolinfo/", toolinfo.toolinfo_import, name="toolinfo_import"),
    path("tools/<slug:name>/history/", audit.tool_history, name="tool_history"),
]
