"""REST: who keeps a tool, and who is asked to."""

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.accounts.permissions import TOOLS
from portal.tools import operations
from portal.tools.api.callers import maintained, person, visible
from portal.tools.models import Invitation, Membership
from portal.tools.serializers import InvitationSerializer, MemberSerializer

USERNAME = OpenApiParameter("username", str, required=True)


class MemberList(APIView):
    """Who keeps the tool. POST invites somebody, who has to accept; DELETE removes `?username=`."""

    required_role = "viewer"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=MemberSerializer(many=True))
    def get(self, request: Request, name: str) -> Response:
        members: QuerySet[Membership] = visible(request, name).memberships.select_related("user")
        return Response(MemberSerializer(members, many=True).data)

    @extend_schema(request=InvitationSerializer, responses={202: InvitationSerializer})
    def post(self, request: Request, name: str) -> Response:
        return _invite(request, name)

    @extend_schema(request=MemberSerializer, responses=MemberSerializer)
    def patch(self, request: Request, name: str) -> Response:
        """Change the role of a member."""
        tool = maintained(request, name)
        change = MemberSerializer(data=request.data)
        change.is_valid(raise_exception=True)
        username = change.validated_data["user"]["username"]
        member = get_object_or_404(tool.memberships.select_related("user"), user__username=username)
        changed = operations.change_role(
            tool,
            user=member.user,
            role=change.validated_data.get("role", member.role),
            by=person(request),
            at=timezone.now(),
        )
        return Response(MemberSerializer(changed).data)

    @extend_schema(parameters=[USERNAME], responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        """Remove somebody as a maintainer, or leave by your own name."""
        by, username = person(request), request.query_params.get("username", "")
        tool = visible(request, name) if username == by.username else maintained(request, name)
        member = get_object_or_404(tool.memberships.select_related("user"), user__username=username)
        operations.remove_member(tool, user=member.user, by=by, at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


def _invite(request: Request, name: str) -> Response:
    tool = maintained(request, name)
    new = InvitationSerializer(data=request.data)
    new.is_valid(raise_exception=True)
    invitation = operations.invite(
        tool,
        username=new.validated_data["username"],
        role=new.validated_data.get("role", Membership.Role.MAINTAINER),
        by=person(request),
        at=timezone.now(),
    )
    data = InvitationSerializer(invitation).data
    place = {"Location": f"/api/v1/tools/{tool.name}/invitations/{invitation.pk}/"}
    return Response(data, status=status.HTTP_202_ACCEPTED, headers=place)


class ToolInvitationList(APIView):
    """Whom the tool asked and who did not answer yet."""

    required_role = "maintainer"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=InvitationSerializer(many=True))
    def get(self, request: Request, name: str) -> Response:
        invitations = maintained(request, name).invitations.open(timezone.now())
        found = invitations.select_related("tool", "invited_by")
        return Response(InvitationSerializer(found, many=True).data)

    @extend_schema(request=InvitationSerializer, responses={202: InvitationSerializer})
    def post(self, request: Request, name: str) -> Response:
        return _invite(request, name)


class ToolInvitationDetail(APIView):
    """DELETE withdraws it."""

    required_role = "maintainer"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]

    def found(self, request: Request, name: str, pk: int) -> Invitation:
        invitations = maintained(request, name).invitations.select_related("tool", "invited_by")
        return get_object_or_404(invitations, pk=pk)

    @extend_schema(responses=InvitationSerializer)
    def get(self, request: Request, name: str, pk: int) -> Response:
        return Response(InvitationSerializer(self.found(request, name, pk)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str, pk: int) -> Response:
        invitation, by = self.found(request, name, pk), person(request)
        operations.withdraw_invitation(invitation, by=by, at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


def _addressed_to(request: Request) -> QuerySet[Invitation]:
    mine = Invitation.objects.addressed_to(person(request))
    return mine.select_related("tool", "invited_by")


class InvitationList(APIView):
    """Those that wait for your answer."""

    required_role = "member"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=InvitationSerializer(many=True))
    def get(self, request: Request) -> Response:
        found = _addressed_to(request).filter(pk__in=Invitation.objects.open(timezone.now()))
        return Response(InvitationSerializer(found, many=True).data)


class InvitationAccept(APIView):
    required_role = "member"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]

    @extend_schema(request=None, responses=MemberSerializer)
    def post(self, request: Request, pk: int) -> Response:
        invitation = get_object_or_404(_addressed_to(request), pk=pk)
        by, now = person(request), timezone.now()
        member = operations.accept_invitation(invitation, by=by, at=now)
        return Response(MemberSerializer(member).data)


class InvitationDecline(APIView):
    required_role = "member"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, pk: int) -> Response:
        invitation = get_object_or_404(_addressed_to(request), pk=pk)
        by, now = person(request), timezone.now()
        operations.decline_invitation(invitation, by=by, at=now)
        return Response(status=status.HTTP_204_NO_CONTENT)
