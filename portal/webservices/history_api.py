"""REST: one release, how it differs, going back, what is kept."""

from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.accounts.permissions import RUNNING
from portal.tools.api import maintained, person, visible
from portal.webservices import operations
from portal.webservices.comparison import differences
from portal.webservices.history import earlier_of, release_of
from portal.webservices.releases import webservice_of
from portal.webservices.retention import verdicts
from portal.webservices.serializers import (
    ComparisonSerializer,
    PinSerializer,
    ReleaseSerializer,
    RollbackSerializer,
    VerdictSerializer,
)


class ReleaseDetail(APIView):
    """One release. PATCH keeps its image, or lets it go; nothing else of a release changes."""

    required_role = "viewer"
    scopes = RUNNING
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=ReleaseSerializer)
    def get(self, request: Request, name: str, number: int) -> Response:
        return Response(ReleaseSerializer(release_of(visible(request, name), number)).data)

    @extend_schema(request=PinSerializer, responses=ReleaseSerializer)
    def patch(self, request: Request, name: str, number: int) -> Response:
        release = release_of(maintained(request, name), number)
        asked = PinSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        is_pinned = asked.validated_data["is_pinned"]
        operations.pin(release, is_pinned=is_pinned, by=person(request), at=timezone.now())
        return Response(ReleaseSerializer(release).data)


class ReleaseDiff(APIView):
    """What differs from an earlier release; of variables the names only."""

    required_role = "viewer"
    scopes = RUNNING
    permission_classes = [IsAuthenticated]

    @extend_schema(
        parameters=[OpenApiParameter("against", int, description="By default the one before.")],
        responses=ComparisonSerializer,
    )
    def get(self, request: Request, name: str, number: int) -> Response:
        release = release_of(visible(request, name), number)
        against = earlier_of(release, request.query_params.get("against", ""))
        comparison = {
            "release": release.number,
            "against": against.number if against else None,
            "differences": differences(against, release),
        }
        return Response(ComparisonSerializer(comparison).data)


class Rollback(APIView):
    """Start a new release of what an earlier one ran; it pins the image."""

    required_role = "maintainer"
    scopes = RUNNING
    permission_classes = [IsAuthenticated]

    @extend_schema(request=RollbackSerializer, responses={202: ReleaseSerializer})
    def post(self, request: Request, name: str) -> Response:
        webservice = webservice_of(maintained(request, name), at=timezone.now())
        asked = RollbackSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        releases = webservice.releases.select_related("image__build", "image__tool")
        to = get_object_or_404(releases, number=asked.validated_data["release"])
        why = asked.validated_data["why"]
        made = operations.rollback(
            webservice, to=to, by=person(request), at=timezone.now(), why=why
        )
        place = f"/api/v1/tools/{name}/webservice/releases/{made.number}/"
        data = ReleaseSerializer(made).data
        return Response(data, status=status.HTTP_202_ACCEPTED, headers={"Location": place})


class ImageList(APIView):
    """The images that are there, and what the next clean-up would do with each, and why."""

    required_role = "viewer"
    scopes = RUNNING
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=VerdictSerializer(many=True))
    def get(self, request: Request, name: str) -> Response:
        return Response(VerdictSerializer(verdicts(visible(request, name)), many=True).data)


RELEASE = "tools/<slug:name>/webservice/releases/<int:number>/"
urlpatterns = [
    path(RELEASE, ReleaseDetail.as_view(), name="api_release"),
    path(f"{RELEASE}diff/", ReleaseDiff.as_view(), name="api_release_diff"),
    path("tools/<slug:name>/webservice/rollback/", Rollback.as_view(), name="api_rollback"),
    path("tools/<slug:name>/images/", ImageList.as_view(), name="api_images"),
]
