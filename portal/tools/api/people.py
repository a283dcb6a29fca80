"""REST: who keeps a tool."""

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
from portal.tools.api.callers import attempt, maintained, person, visible
from portal.tools.models import Membership
from portal.tools.serializers import MemberSerializer


class MemberList(APIView):
    """Who keeps the tool. POST adds somebody or changes a role; DELETE removes `?username=`."""

    required_role = "viewer"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=MemberSerializer(many=True))
    def get(self, request: Request, name: str) -> Response:
        members: QuerySet[Membership] = visible(request, name).memberships.select_related("user")
        return Response(MemberSerializer(members, many=True).data)

    @extend_schema(request=MemberSerializer, responses={201: MemberSerializer})
    def post(self, request: Request, name: str) -> Response:
        tool = maintained(request, name)
        new = MemberSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        member = attempt(
            operations.add_member,
            tool,
            username=new.validated_data["user"]["username"],
            role=new.validated_data.get("role", Membership.Role.MAINTAINER),
            by=person(request),
            at=timezone.now(),
        )
        return Response(MemberSerializer(member).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        parameters=[OpenApiParameter("username", str, required=True)], responses={204: None}
    )
    def delete(self, request: Request, name: str) -> Response:
        tool = maintained(request, name)
        username = request.query_params.get("username", "")
        member = get_object_or_404(tool.memberships.select_related("user"), user__username=username)
        attempt(
            operations.remove_member, tool, user=member.user, by=person(request), at=timezone.now()
        )
        return Response(status=status.HTTP_204_NO_CONTENT)
