"""Toolforge's builds API over this platform's builds, for programs that speak it already.

The same operations as everywhere, in the words of version 1 of that API: every answer has
`messages`, an error is a bare object of messages. A token says who asks; the header
`X-Toolforge-Tool`, which Toolforge's own gateway sets, means nothing here.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Count, QuerySet, Sum
from django.http import Http404, HttpResponseBase, JsonResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from builds.api import AnyType, PlainText
from builds.models import Build, Image
from builds.operations import (
    Source,
    cancel_build,
    give_up_images,
    hide_build,
    start_build,
)
from builds.states import Status
from builds.toolforge import shapes
from builds.toolforge.output import log_response
from portal.accounts.permissions import RUNNING
from portal.problems import Conflict, handle
from portal.tools.api import maintained, person, visible
from portal.tools.models import Tool

LISTED = 1000
# What a list shows of a build; rows are wide, and there are many of them.
SHOWN = (
    "tool", "number", "status", "reason", "stop_as", "started_at", "finished_at", "source_url",
    "ref", "commit", "encrypted_variables", "image__digest", "image__reference",
    "image__removed_at",
)  # fmt: skip
Handler = Callable[[Exception, Mapping[str, Any]], Response | None]


def as_messages(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """What is a problem elsewhere, as a bare object of messages."""
    response = handle(error, context)
    if response is None:
        return None
    problem = response.data or {}
    named = [
        f"{each['field']}: {each['detail']}".lstrip(": ") for each in problem.get("errors", [])
    ]
    response.data = {"error": named or [problem["detail"]]}
    response.content_type = "application/json"
    if response.status_code == status.HTTP_422_UNPROCESSABLE_ENTITY:
        response.status_code = status.HTTP_400_BAD_REQUEST
    return response


class ToolforgeView(APIView):
    """Answers in JSON whatever the client would have liked."""

    required_role = "viewer"
    scopes = RUNNING
    permission_classes = [IsAuthenticated]
    content_negotiation_class = AnyType

    def get_exception_handler(self) -> Handler:
        return as_messages


def _builds(tool: Tool) -> QuerySet[Build]:
    return tool.builds.filter(is_hidden=False).select_related("image").defer("steps", "log_index")


def _build(tool: Tool, build_id: str) -> Build:
    number = shapes.number_of(build_id, tool_name=tool.name)
    build = _builds(tool).filter(number=number).first() if number else None
    if build is None:
        raise Http404
    return build


class BuildList(ToolforgeView):
    """The tool's builds, newest first. POST starts one, or answers with the one under way."""

    throttle_scope = "build-start"

    @extend_schema(responses=shapes.ListAnswer)
    def get(self, request: Request, name: str) -> Response:
        shown = _builds(visible(request, name)).defer(None).only(*SHOWN)
        builds = list(shown[: LISTED + 1])
        said = {}
        if len(builds) > LISTED:
            said["warning"] = [
                _("Only the newest %(count)d builds are listed.") % {"count": LISTED}
            ]
        data = [shapes.build_data(build) for build in builds[:LISTED]]
        return Response({"builds": data, "messages": shapes.messages(**said)})

    @extend_schema(request=shapes.StartSerializer, responses=shapes.StartAnswer)
    def post(self, request: Request, name: str) -> Response:
        tool = maintained(request, name)
        asked = shapes.StartSerializer(data=request.data, context={"tool": tool})
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        by_token = request.auth is not None
        build, _is_new = start_build(
            tool,
            by=person(request),
            source=Source(data["source_url"], data["ref"]),
            trigger=Build.Trigger.TOKEN if by_token else Build.Trigger.PERSON,
            variables=data["envvars"],
            at=timezone.now(),
        )
        started = {
            "name": shapes.build_id(build),
            "resolved_ref": build.commit,
            "parameters": shapes.build_parameters(build),
        }
        return Response({"new_build": started, "messages": _about_versions(data)})


def _about_versions(data: Mapping[str, Any]) -> dict[str, list[str]]:
    if not data["use_deprecated_versions"]:
        return shapes.messages()
    sentence = _("There is one version of the builder here; use_deprecated_versions has no effect.")
    return shapes.messages(warning=[sentence])


class LatestBuild(ToolforgeView):
    @extend_schema(responses=shapes.BuildAnswer)
    def get(self, request: Request, name: str) -> Response:
        build = _builds(visible(request, name)).first()
        if build is None:
            none_yet = {"error": [_("No builds exist yet.")]}
            return Response(none_yet, status=status.HTTP_404_NOT_FOUND)
        return Response({"build": shapes.build_data(build), "messages": shapes.messages()})


class BuildDetail(ToolforgeView):
    """One build. DELETE gives up its image and leaves it out here; its history stays."""

    @extend_schema(responses=shapes.BuildAnswer)
    def get(self, request: Request, name: str, build_id: str) -> Response:
        build = _build(visible(request, name), build_id)
        return Response({"build": shapes.build_data(build), "messages": shapes.messages()})

    @extend_schema(responses={200: shapes.IdAnswer})
    def delete(self, request: Request, name: str, build_id: str) -> Response:
        build = _build(maintained(request, name), build_id)
        hide_build(build, by=person(request), at=timezone.now())
        return Response({"id": build_id, "messages": shapes.messages()})


class BuildCancel(ToolforgeView):
    required_role = "maintainer"

    @extend_schema(request=None, responses=shapes.IdAnswer)
    def put(self, request: Request, name: str, build_id: str) -> Response:
        build = _build(maintained(request, name), build_id)
        if build.is_stopping:
            raise Conflict(_("This build is being cancelled already."))
        cancel_build(build, by=person(request), at=timezone.now())
        return Response({"id": build_id, "messages": shapes.messages()})


class FollowSerializer(serializers.Serializer):
    follow = serializers.BooleanField(default=False)


class BuildLogs(ToolforgeView):
    """The log, one JSON object a line; `follow` waits for more until the build has ended."""

    @extend_schema(
        parameters=[OpenApiParameter("follow", bool)],
        responses={(200, "text/plain"): OpenApiTypes.STR},
    )
    def get(self, request: Request, name: str, build_id: str) -> HttpResponseBase:
        build = _build(visible(request, name), build_id)
        asked = FollowSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        return log_response(request._request, build, follow=asked.validated_data["follow"])


class Clean(ToolforgeView):
    """Give up all images of the tool that its webservice does not need."""

    required_role = "maintainer"

    @extend_schema(request=None, responses=shapes.CleanAnswer)
    def post(self, request: Request, name: str) -> Response:
        tool = maintained(request, name)
        count = give_up_images(tool, Image.objects.all(), by=person(request), at=timezone.now())
        sentence = ngettext(
            "%(count)d image was given up. It is deleted soon, unless a release needs it.",
            "%(count)d images were given up. They are deleted soon, except what releases need.",
            count,
        )
        return Response({"messages": shapes.messages(info=[sentence % {"count": count}])})


class Quotas(ToolforgeView):
    """What the tool's images take. Bytes are not limited; how many images are kept is."""

    @extend_schema(responses=shapes.QuotaAnswer)
    def get(self, request: Request, name: str) -> Response:
        images = visible(request, name).images.filter(removed_at=None)
        used = images.aggregate(Sum("size"))["size__sum"] or 0
        count, limit = images.count(), settings.IMAGES_KEPT
        items = [
            {
                "name": "Storage",
                "limit": "unlimited",
                "used": f"{used / 1024**3:.2f}Gi",
                "available": "unlimited",
                "capacity": "0%",
            },
            {
                "name": "Images",
                "limit": str(limit),
                "used": str(count),
                "available": str(max(0, limit - count)),
                "capacity": f"{100 * count // max(1, limit)}%",
            },
        ]
        quota = {"categories": [{"name": "Registry", "items": items}]}
        return Response({"quota": quota, "messages": shapes.messages()})


class PublicView(ToolforgeView):
    required_role = "public"
    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]


class Health(PublicView):
    @extend_schema(responses={200: shapes.HealthAnswer, 503: shapes.HealthAnswer})
    def get(self, request: Request) -> Response:
        try:
            Build.objects.exists()
        except DatabaseError:
            said = shapes.messages(error=[_("The database does not answer.")])
            return Response({"status": "ERROR", "messages": said}, status=503)
        return Response({"status": "OK", "messages": shapes.messages()})


class Metrics(PublicView):
    """For Prometheus: how many builds wait and run."""

    renderer_classes = [PlainText]

    @extend_schema(responses={(200, "text/plain"): OpenApiTypes.STR})
    def get(self, request: Request) -> Response:
        under_way = Build.objects.under_way().order_by().values_list("status")
        counts = dict(under_way.annotate(Count("pk")))
        lines = ["# TYPE builds_under_way gauge"]
        for each in (Status.QUEUED, Status.RUNNING):
            lines.append(f'builds_under_way{{status="{each}"}} {counts.get(each, 0)}')
        return Response("\n".join(lines))


class Document(PublicView):
    @extend_schema(exclude=True)
    def get(self, request: Request) -> JsonResponse:
        return JsonResponse(document())


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document of these views; errors are messages."""
    generator = SchemaGenerator(patterns=urlpatterns)  # type: ignore[no-untyped-call]
    made: dict[str, Any] = generator.get_schema(public=True)  # type: ignore[no-untyped-call]
    made["info"] = {"title": "Toolforge's builds API", "version": "2.4.0"}
    made["servers"] = [{"url": "/builds"}]
    made["components"]["schemas"]["Error"] = {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"type": "array", "items": {"type": "string"}}},
    }
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for operations in made["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = {"description": "A refusal.", "content": content}
    return made


TOOL = "v1/tool/<slug:name>"
urlpatterns = [
    path(f"{TOOL}/builds", BuildList.as_view(), name="toolforge_builds"),
    path(f"{TOOL}/builds/latest", LatestBuild.as_view(), name="toolforge_latest"),
    path(f"{TOOL}/builds/<str:build_id>", BuildDetail.as_view(), name="toolforge_build"),
    path(f"{TOOL}/builds/<str:build_id>/cancel", BuildCancel.as_view(), name="toolforge_cancel"),
    path(f"{TOOL}/builds/<str:build_id>/logs", BuildLogs.as_view(), name="toolforge_logs"),
    path(f"{TOOL}/clean", Clean.as_view(), name="toolforge_clean"),
    path(f"{TOOL}/quotas", Quotas.as_view(), name="toolforge_quotas"),
    path("v1/healthz", Health.as_view(), name="toolforge_health"),
    path("v1/metrics", Metrics.as_view(), name="toolforge_metrics"),
    path("openapi.json", Document.as_view(), name="toolforge_document"),
]
