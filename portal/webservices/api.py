"""REST: webservices, their releases and output."""

from dataclasses import asdict
from typing import cast

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from builds.api import OFFSET, AnyType, PlainText
from portal.accounts.permissions import RUNNING, MemberRequest
from portal.problems import Unavailable
from portal.tools.api import maintained, person, visible
from portal.webservices import operations
from portal.webservices.engines.base import EngineError
from portal.webservices.models import Release, Webservice
from portal.webservices.releases import webservice_of
from portal.webservices.serializers import (
    CheckSerializer,
    ConfigureSerializer,
    DeploySerializer,
    ReleaseSerializer,
    ScaleSerializer,
    WebserviceSerializer,
)
from portal.webservices.views import log_page


def _answer(webservice: Webservice, code: int = status.HTTP_200_OK) -> Response:
    webservice.refresh_from_db()
    return Response(WebserviceSerializer(webservice).data, status=code)


class WebserviceDetail(APIView):
    required_role = "viewer"
    scopes = RUNNING
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=WebserviceSerializer)
    def get(self, request: Request, name: str) -> Response:
        return _answer(webservice_of(visible(request, name), at=timezone.now()))

    @extend_schema(request=ConfigureSerializer, responses=WebserviceSerializer)
    def patch(self, request: Request, name: str) -> Response:
        tool = maintained(request, name)
        change = ConfigureSerializer(data=request.data)
        change.is_valid(raise_exception=True)
        changes = change.validated_data
        branch = changes.pop("deploy_branch", None)
        if branch is not None:
            operations.follow_branch(tool, branch, by=person(request), at=timezone.now())
        return _answer(operations.configure(tool, by=person(request), at=timezone.now(), **changes))


class Deploy(APIView):
    """Start a new release of a build's image; it takes over when it is healthy."""

    required_role = "maintainer"
    scopes = RUNNING
    permission_classes = [IsAuthenticated]

    @extend_schema(request=DeploySerializer, responses={202: ReleaseSerializer})
    def post(self, request: Request, name: str) -> Response:
        tool = maintained(request, name)
        asked = DeploySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        images = tool.images.select_related("build", "tool")
        image = get_object_or_404(images, build__number=asked.validated_data["build"])
        process_type = asked.validated_data["process_type"]
        release = operations.deploy(
            image, by=person(request), process_type=process_type, at=timezone.now()
        )
        return Response(ReleaseSerializer(release).data, status=status.HTTP_202_ACCEPTED)


class Restart(APIView):
    """Start, or restart without a gap: a new release of the image that ran last."""

    required_role = "maintainer"
    scopes = RUNNING
    permission_classes = [IsAuthenticated]

    @extend_schema(request=None, responses={202: ReleaseSerializer})
    def post(self, request: Request, name: str) -> Response:
        webservice = webservice_of(maintained(request, name), at=timezone.now())
        release = operations.restart(webservice, by=person(request), at=timezone.now())
        return Response(ReleaseSerializer(release).data, status=status.HTTP_202_ACCEPTED)


class Stop(APIView):
    required_role = "maintainer"
    scopes = RUNNING
    permission_classes = [IsAuthenticated]

    @extend_schema(request=None, responses={202: WebserviceSerializer})
    def post(self, request: Request, name: str) -> Response:
        webservice = webservice_of(maintained(request, name), at=timezone.now())
        operations.stop(webservice, by=person(request), at=timezone.now())
        return _answer(webservice, status.HTTP_202_ACCEPTED)


class Check(APIView):
    """Ask each replica for its health now, and see what it answers."""

    required_role = "maintainer"
    scopes = RUNNING
    permission_classes = [IsAuthenticated]

    @extend_schema(request=None, responses=CheckSerializer(many=True))
    def post(self, request: Request, name: str) -> Response:
        webservice = webservice_of(maintained(request, name), at=timezone.now())
        answers = operations.check(webservice)
        rows = [
            {"release": each.release.number, "index": each.index, **asdict(answer)}
            for each, answer in answers
        ]
        return Response(CheckSerializer(rows, many=True).data)


class Resume(APIView):
    """Go on deploying builds by themselves, after a rollback paused that."""

    required_role = "maintainer"
    scopes = RUNNING
    permission_classes = [IsAuthenticated]

    @extend_schema(request=None, responses=WebserviceSerializer)
    def post(self, request: Request, name: str) -> Response:
        webservice = webservice_of(maintained(request, name), at=timezone.now())
        operations.resume_deploys(webservice, by=person(request), at=timezone.now())
        return _answer(webservice)


class Scale(APIView):
    """Run this many replicas."""

    required_role = "maintainer"
    scopes = RUNNING
    permission_classes = [IsAuthenticated]

    @extend_schema(request=ScaleSerializer, responses={202: WebserviceSerializer})
    def post(self, request: Request, name: str) -> Response:
        tool = maintained(request, name)
        asked = ScaleSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        webservice = operations.configure(
            tool, by=person(request), at=timezone.now(), **asked.validated_data
        )
        return _answer(webservice, status.HTTP_202_ACCEPTED)


class ReleaseList(generics.ListAPIView):
    required_role = "viewer"
    scopes = RUNNING
    permission_classes = [IsAuthenticated]
    serializer_class = ReleaseSerializer

    def get_queryset(self) -> QuerySet[Release]:
        releases = Release.objects.select_related("image__build", "actor")
        if getattr(self, "swagger_fake_view", False):
            return releases.none()
        return releases.filter(webservice__tool=visible(self.request, self.kwargs["name"]))


class WebserviceLogs(APIView):
    """The output of one replica as plain text: the end of it, or from `offset` on."""

    required_role = "viewer"
    scopes = RUNNING
    permission_classes = [IsAuthenticated]
    renderer_classes = [PlainText]
    content_negotiation_class = AnyType

    @extend_schema(
        parameters=[
            OFFSET,
            OpenApiParameter("replica", int, description="The newest if none."),
        ],
        responses={(200, "text/plain"): OpenApiTypes.STR},
    )
    def get(self, request: Request, name: str) -> HttpResponse:
        try:
            return log_page(cast(MemberRequest, request), name)
        except EngineError as error:
            raise Unavailable(str(error)) from error


urlpatterns = [
    path("tools/<slug:name>/webservice/", WebserviceDetail.as_view(), name="api_webservice"),
    path("tools/<slug:name>/webservice/deploy/", Deploy.as_view(), name="api_deploy"),
    path("tools/<slug:name>/webservice/restart/", Restart.as_view(), name="api_restart"),
    path("tools/<slug:name>/webservice/start/", Restart.as_view(), name="api_start"),
    path("tools/<slug:name>/webservice/stop/", Stop.as_view(), name="api_stop"),
    path("tools/<slug:name>/webservice/check/", Check.as_view(), name="api_check"),
    path("tools/<slug:name>/webservice/resume/", Resume.as_view(), name="api_resume"),
    path("tools/<slug:name>/webservice/scale/", Scale.as_view(), name="api_scale"),
    path("tools/<slug:name>/webservice/releases/", ReleaseList.as_view(), name="api_releases"),
    path("tools/<slug:name>/webservice/logs/", WebserviceLogs.as_view(), name="api_output"),
]
