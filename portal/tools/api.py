"""REST: tools, their members and variables."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.accounts.models import User
from portal.accounts.permissions import TOOLS
from portal.problems import PreconditionFailed, PreconditionRequired, refusal
from portal.tools import operations
from portal.tools.models import EnvVar, Membership, Tool
from portal.tools.operations import StaleVersion, ToolRefused
from portal.tools.serializers import (
    MemberSerializer,
    NewToolSerializer,
    ToolInputSerializer,
    ToolSerializer,
    VariableSerializer,
)


class ReadOrSignIn(BasePermission):
    """Anyone may read; whoever changes something has to be known."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.method in SAFE_METHODS or bool(request.user.is_authenticated)


def person(request: Request) -> User:
    """Who asks; the permissions of the view made sure that somebody is signed in."""
    assert isinstance(request.user, User)
    return request.user


def maintained(request: Request, name: str) -> Tool:
    return get_object_or_404(Tool.objects.maintained_by(request.user), name=name)


def visible(request: Request, name: str) -> Tool:
    return get_object_or_404(Tool.objects.visible_to(request.user), name=name)


def attempt(operation: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
    """Do it; a refusal becomes the answer that it is for REST."""
    try:
        return operation(*args, **kwargs)
    except StaleVersion as stale:
        raise PreconditionFailed(str(stale)) from stale
    except ToolRefused as refused:
        raise refusal(str(refused), field=refused.field) from refused


class ToolList(generics.GenericAPIView):
    """All tools; registering one makes the caller its first maintainer."""

    required_role = "public"
    scopes = TOOLS
    permission_classes = [ReadOrSignIn]
    serializer_class = ToolSerializer

    def get_queryset(self) -> QuerySet[Tool]:
        asked = self.request.query_params
        tools = Tool.objects.public()
        if asked.get("mine") in ("1", "true"):
            tools = tools.visible_to(self.request.user)
        return tools.search(asked.get("q", "").strip())

    @extend_schema(
        parameters=[OpenApiParameter("q", str), OpenApiParameter("mine", bool)],
        responses=ToolSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(request=NewToolSerializer, responses={201: ToolSerializer})
    def post(self, request: Request) -> Response:
        new = NewToolSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        tool = attempt(
            operations.register_tool, by=person(request), at=timezone.now(), **new.validated_data
        )
        place = {"Location": f"/api/v1/tools/{tool.name}/"}
        return Response(ToolSerializer(tool).data, status=status.HTTP_201_CREATED, headers=place)


class ToolDetail(APIView):
    required_role = "public"
    scopes = TOOLS
    permission_classes = [ReadOrSignIn]

    @extend_schema(responses=ToolSerializer)
    def get(self, request: Request, name: str) -> Response:
        return _tool_response(get_object_or_404(Tool.objects.public(), name=name))

    @extend_schema(
        request=ToolInputSerializer,
        responses=ToolSerializer,
        parameters=[OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, required=True)],
    )
    def patch(self, request: Request, name: str) -> Response:
        tool = maintained(request, name)
        given = request.headers.get("If-Match")
        if given is None:
            raise PreconditionRequired(_("Send If-Match with the ETag that you read."))
        change = ToolInputSerializer(data=request.data, partial=True)
        change.is_valid(raise_exception=True)
        if given.strip() != _etag(tool):
            raise PreconditionFailed(_("Somebody else changed this tool. Read it again."))
        attempt(
            operations.edit_tool,
            tool,
            by=person(request),
            at=timezone.now(),
            version=tool.version,
            **change.validated_data,
        )
        return _tool_response(tool)


def _etag(tool: Tool) -> str:
    return f'"{tool.name}.v{tool.version}"'


def _tool_response(tool: Tool) -> Response:
    return Response(ToolSerializer(tool).data, headers={"ETag": _etag(tool)})


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


class VariableList(APIView):
    """The tool's variables. POST creates or replaces one; it takes effect with the next release."""

    required_role = "maintainer"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=VariableSerializer(many=True))
    def get(self, request: Request, name: str) -> Response:
        variables: QuerySet[EnvVar] = maintained(request, name).variables.all()
        return Response(VariableSerializer(variables, many=True).data)

    @extend_schema(request=VariableSerializer, responses={201: VariableSerializer})
    def post(self, request: Request, name: str) -> Response:
        tool = maintained(request, name)
        new = VariableSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        variable = attempt(
            operations.set_variable,
            tool,
            by=person(request),
            at=timezone.now(),
            **new.validated_data,
        )
        return Response(VariableSerializer(variable).data, status=status.HTTP_201_CREATED)


class VariableDetail(APIView):
    required_role = "maintainer"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str, variable: str) -> Response:
        found = get_object_or_404(maintained(request, name).variables, name=variable)
        operations.delete_variable(found, by=person(request), at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


urlpatterns = [
    path("tools/", ToolList.as_view(), name="api_tools"),
    path("tools/<slug:name>/", ToolDetail.as_view(), name="api_tool"),
    path("tools/<slug:name>/members/", MemberList.as_view(), name="api_members"),
    path("tools/<slug:name>/variables/", VariableList.as_view(), name="api_variables"),
    path(
        "tools/<slug:name>/variables/<str:variable>/",
        VariableDetail.as_view(),
        name="api_variable",
    ),
]
