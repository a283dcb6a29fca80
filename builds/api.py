"""REST: builds and their logs."""

import json
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from builds.caches import cache_of, clear_cache
from builds.models import Build
from builds.operations import Source, cancel_build, start_build
from builds.output import log_response
from builds.serializers import (
    BuildDetailSerializer,
    BuildSerializer,
    CacheSerializer,
    NewBuildSerializer,
)
from builds.states import Status
from portal.accounts.permissions import RUNNING
from portal.tools.api import maintained, person, visible

OFFSET = OpenApiParameter("offset", int, description="The byte to begin at.")


class BuildList(generics.GenericAPIView):
    """The tool's builds, newest first. POST starts one, or answers with the one under way."""

    required_role = "viewer"
    scopes = RUNNING
    throttle_scope = "build-start"
    permission_classes = [IsAuthenticated]
    serializer_class = BuildSerializer

    def get_queryset(self) -> QuerySet[Build]:
        if getattr(self, "swagger_fake_view", False):
            return Build.objects.none()
        builds = visible(self.request, self.kwargs["name"]).builds
        wanted = self.request.query_params.get("status")
        chosen = builds.filter(status=wanted) if wanted else builds.all()
        return chosen.select_related("tool", "actor", "image")

    @extend_schema(
        parameters=[OpenApiParameter("status", str, enum=[str(each) for each in Status])],
        responses=BuildSerializer(many=True),
    )
    def get(self, request: Request, name: str) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        request=NewBuildSerializer,
        responses={202: BuildDetailSerializer},
        parameters=[OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)],
    )
    def post(self, request: Request, name: str) -> Response:
        tool = maintained(request, name)
        new = NewBuildSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        data = new.validated_data
        source = Source(
            data.get("source_url") or tool.repository, data["ref"], data["subdirectory"]
        )
        by_token = request.auth is not None
        build, _is_new = start_build(
            tool,
            by=person(request),
            source=source,
            deploy=data["deploy"],
            trigger=Build.Trigger.TOKEN if by_token else Build.Trigger.PERSON,
            key=request.headers.get("Idempotency-Key", ""),
            variables=data["variables"],
            at=timezone.now(),
        )
        return _accepted(build)


def _accepted(build: Build) -> Response:
    place = f"/api/v1/tools/{build.tool.name}/builds/{build.number}/"
    data = BuildDetailSerializer(build).data
    return Response(data, status=status.HTTP_202_ACCEPTED, headers={"Location": place})


def _build(request: Request, name: str, number: int) -> Build:
    builds = visible(request, name).builds.select_related("tool", "actor", "image")
    return get_object_or_404(builds, number=number)


class BuildDetail(APIView):
    required_role = "viewer"
    scopes = RUNNING
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=BuildDetailSerializer)
    def get(self, request: Request, name: str, number: int) -> Response:
        return Response(BuildDetailSerializer(_build(request, name, number)).data)


class BuildCancel(APIView):
    """Ask for the end of a build; it is cancelled once its processes are gone."""

    required_role = "maintainer"
    scopes = RUNNING
    permission_classes = [IsAuthenticated]

    @extend_schema(request=None, responses={202: BuildDetailSerializer})
    def post(self, request: Request, name: str, number: int) -> Response:
        build = get_object_or_404(
            maintained(request, name).builds.select_related("tool"), number=number
        )
        cancel_build(build, by=person(request), at=timezone.now())
        return _accepted(build)


class Cache(APIView):
    """What the tool's builds find again. DELETE has the next build begin from nothing."""

    required_role = "viewer"
    scopes = RUNNING
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=CacheSerializer)
    def get(self, request: Request, name: str) -> Response:
        cache = cache_of(visible(request, name))
        return Response(CacheSerializer(cache or {"size": 0, "measured_at": None}).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        clear_cache(maintained(request, name), by=person(request), at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class PlainText(BaseRenderer):
    media_type = "text/plain"
    format = "txt"
    charset = "utf-8"

    def render(self, data: Any, *_args: object, **_kwargs: object) -> bytes:  # noqa: ANN401
        """Text as text; a problem stays the object that its content type says it is."""
        return json.dumps(data).encode() if isinstance(data, dict) else f"{data}\n".encode()


class AnyType(BaseContentNegotiation):
    """The answer is a text, whatever the client would have liked."""

    def select_parser(self, request: Request, parsers: Any) -> Any:  # noqa: ANN401
        return parsers[0]

    def select_renderer(
        self,
        request: Request,
        renderers: Any,  # noqa: ANN401
        format_suffix: str | None = None,
    ) -> tuple[Any, str]:
        return renderers[0], renderers[0].media_type


class BuildLogs(APIView):
    """The log as plain text, from `offset` on; `Range` works too."""

    required_role = "viewer"
    scopes = RUNNING
    permission_classes = [IsAuthenticated]
    renderer_classes = [PlainText]
    content_negotiation_class = AnyType

    @extend_schema(
        parameters=[OFFSET], responses={(200, "text/plain"): OpenApiTypes.STR, 206: None, 416: None}
    )
    def get(self, request: Request, name: str, number: int) -> HttpResponseBase:
        return log_response(request._request, _build(request, name, number))


urlpatterns = [
    path("tools/<slug:name>/builds/", BuildList.as_view(), name="api_builds"),
    path("tools/<slug:name>/builds/<int:number>/", BuildDetail.as_view(), name="api_build"),
    path(
        "tools/<slug:name>/builds/<int:number>/cancel/",
        BuildCancel.as_view(),
        name="api_build_cancel",
    ),
    path("tools/<slug:name>/cache/", Cache.as_view(), name="api_cache"),
    path("tools/<slug:name>/builds/<int:number>/logs/", BuildLogs.as_view(), name="api_build_logs"),
]
