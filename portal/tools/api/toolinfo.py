"""REST: taking a toolinfo record over."""

import json

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.accounts.permissions import TOOLS
from portal.tools import operations
from portal.tools.api.callers import maintained, person
from portal.tools.api.tools import check_etag, tool_response
from portal.tools.models import Tool
from portal.tools.serializers import (
    ToolinfoPreviewSerializer,
    ToolinfoSerializer,
    ToolSerializer,
)


class ToolinfoPreview(APIView):
    """What an import of a record would change."""

    required_role = "maintainer"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]

    @extend_schema(request=ToolinfoSerializer, responses=ToolinfoPreviewSerializer)
    def post(self, request: Request, name: str) -> Response:
        tool, text = _given(request, name)
        preview = operations.preview_import(tool, text)
        changes = [
            {"field": field, "before": before, "after": after}
            for field, before, after in preview.changes
        ]
        return Response({"changes": changes, "ignored": preview.ignored})


class ToolinfoImport(APIView):
    """Take a record over: given as `toolinfo`, or to be fetched from `url`."""

    required_role = "maintainer"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]

    @extend_schema(
        request=ToolinfoSerializer,
        responses=ToolSerializer,
        parameters=[OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, required=True)],
    )
    def post(self, request: Request, name: str) -> Response:
        check_etag(request, maintained(request, name))
        tool, text = _given(request, name)
        by, now = person(request), timezone.now()
        operations.import_toolinfo(tool, text, by=by, at=now, version=tool.version)
        return tool_response(tool)


def _given(request: Request, name: str) -> tuple[Tool, str]:
    """The tool and the record's text, which is fetched where only an address was given."""
    tool = maintained(request, name)
    given = ToolinfoSerializer(data=request.data)
    given.is_valid(raise_exception=True)
    if url := given.validated_data.get("url"):
        return tool, operations.fetch_toolinfo(url)
    return tool, json.dumps(given.validated_data["toolinfo"])
