"""REST: tools, their people and variables, and what happened to them."""

from django.urls import path

from portal.tools.api.adoption import (
    AdoptionAgree,
    AdoptionGrant,
    AdoptionList,
    AdoptionObject,
    AdoptionRefuse,
    AdoptionWithdraw,
    ToolAdoption,
)
from portal.tools.api.audit import EventExport, EventList
from portal.tools.api.callers import ReadOrSignIn, maintained, person, visible
from portal.tools.api.people import (
    InvitationAccept,
    InvitationDecline,
    InvitationList,
    MemberList,
    ToolInvitationDetail,
    ToolInvitationList,
)
from portal.tools.api.toolinfo import ToolinfoImport, ToolinfoPreview
from portal.tools.api.tools import ToolDetail, ToolList
from portal.tools.api.variables import VariableDetail, VariableList

__all__ = ["ReadOrSignIn", "maintained", "person", "urlpatterns", "visible"]

urlpatterns = [
    path("audit/", EventList.as_view(), name="api_audit"),
    path("audit/export/", EventExport.as_view(), name="api_audit_export"),
    path("tools/", ToolList.as_view(), name="api_tools"),
    path("tools/<slug:name>/", ToolDetail.as_view(), name="api_tool"),
    path("tools/<slug:name>/members/", MemberList.as_view(), name="api_members"),
    path(
        "tools/<slug:name>/invitations/",
        ToolInvitationList.as_view(),
        name="api_tool_invitations",
    ),
    path(
        "tools/<slug:name>/invitations/<int:pk>/",
        ToolInvitationDetail.as_view(),
        name="api_tool_invitation",
    ),
    path("tools/<slug:name>/toolinfo/", ToolinfoImport.as_view(), name="api_toolinfo"),
    path(
        "tools/<slug:name>/toolinfo/preview/",
        ToolinfoPreview.as_view(),
        name="api_toolinfo_preview",
    ),
    path("tools/<slug:name>/adoptions/", ToolAdoption.as_view(), name="api_tool_adoptions"),
    path("adoptions/", AdoptionList.as_view(), name="api_adoptions"),
    path("adoptions/<int:pk>/agree/", AdoptionAgree.as_view(), name="api_adoption_agree"),
    path("adoptions/<int:pk>/object/", AdoptionObject.as_view(), name="api_adoption_object"),
    path("adoptions/<int:pk>/withdraw/", AdoptionWithdraw.as_view(), name="api_adoption_withdraw"),
    path("adoptions/<int:pk>/grant/", AdoptionGrant.as_view(), name="api_adoption_grant"),
    path("adoptions/<int:pk>/refuse/", AdoptionRefuse.as_view(), name="api_adoption_refuse"),
    path("invitations/", InvitationList.as_view(), name="api_invitations"),
    path("invitations/<int:pk>/accept/", InvitationAccept.as_view(), name="api_invitation_accept"),
    path(
        "invitations/<int:pk>/decline/", InvitationDecline.as_view(), name="api_invitation_decline"
    ),
    path("tools/<slug:name>/variables/", VariableList.as_view(), name="api_variables"),
    path(
        "tools/<slug:name>/variables/<str:variable>/",
        VariableDetail.as_view(),
        name="api_variable",
    ),
]
