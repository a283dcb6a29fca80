"""REST: tools."""

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.accounts.permissions import TOOLS
from portal.problems import PreconditionFailed, PreconditionRequired
from portal.tools import operations
from portal.tools.api.callers import ReadOrSignIn, maintained, person
from portal.tools.models import Tool
from portal.tools.serializers import NewToolSerializer, ToolInputSerializer, ToolSerializer


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
        tool = operations.register_tool(by=person(request), at=timezone.now(), **new.validated_data)
        place = {"Location": f"/api/v1/tools/{tool.name}/"}
        return Response(ToolSerializer(tool).data, status=status.HTTP_201_CREATED, headers=place)


class ToolDetail(APIView):
    required_role = "public"
    scopes = TOOLS
    permission_classes = [ReadOrSignIn]

    @extend_schema(responses=ToolSerializer)
    def get(self, request: Request, name: str) -> Response:
        return tool_response(get_object_or_404(Tool.objects.public(), name=name))

    @extend_schema(
        request=ToolInputSerializer,
        responses=ToolSerializer,
        parameters=[OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, required=True)],
    )
    def patch(self, request: Request, name: str) -> Response:
        tool = maintained(request, name)
        check_etag(request, tool)
        change = ToolInputSerializer(data=request.data, partial=True)
        change.is_valid(raise_exception=True)
        operations.edit_tool(
            tool,
            by=person(request),
            at=timezone.now(),
            version=tool.version,
            **change.validated_data,
        )
        return tool_response(tool)


def check_etag(request: Request, tool: Tool) -> None:
    """The caller has to have read what they change."""
    given = request.headers.get("If-Match")
    if given is None:
        raise PreconditionRequired(_("Send If-Match with the ETag that you read."))
    if given.strip() != _etag(tool):
        raise PreconditionFailed(_("Somebody else changed this tool. Read it again."))


def _etag(tool: Tool) -> str:
    return f'"{tool.name}.v{tool.version}"'


def tool_response(tool: Tool) -> Response:
    return Response(ToolSerializer(tool).data, headers={"ETag": _etag(tool)})
