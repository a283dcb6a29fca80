"""REST: clusters, how they are, and what stands against their upgrade."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.accounts.permissions import TOOLS
from portal.clusters import operations
from portal.clusters.models import Cluster, RegistryPlace
from portal.clusters.serializers import (
    ClusterInputSerializer,
    ClusterSerializer,
    NewClusterSerializer,
    RegistryPlaceSerializer,
    RegistryReportSerializer,
    ReportSerializer,
    RotatedSerializer,
    RotateSerializer,
)
from portal.tools.api import person


class IsAdmin(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(getattr(request.user, "is_admin", False))


class ReadOrAdmin(IsAdmin):
    """Anyone may read; administrators change."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.method in SAFE_METHODS or super().has_permission(request, view)


class ClusterList(generics.GenericAPIView):
    required_role = "public"
    scopes = TOOLS
    permission_classes = [ReadOrAdmin]
    serializer_class = ClusterSerializer
    queryset = Cluster.objects.select_related("registry_state")

    @extend_schema(responses=ClusterSerializer(many=True))
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(request=NewClusterSerializer, responses={201: ClusterSerializer})
    def post(self, request: Request) -> Response:
        new = NewClusterSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        cluster = operations.add_cluster(
            by=person(request), at=timezone.now(), **new.validated_data
        )
        place = {"Location": f"/api/v1/clusters/{cluster.name}/"}
        body = ClusterSerializer(cluster).data
        return Response(body, status=status.HTTP_201_CREATED, headers=place)


class ClusterDetail(APIView):
    required_role = "public"
    scopes = TOOLS
    permission_classes = [ReadOrAdmin]

    @extend_schema(responses=ClusterSerializer)
    def get(self, request: Request, name: str) -> Response:
        return Response(ClusterSerializer(get_object_or_404(Cluster, name=name)).data)

    @extend_schema(request=ClusterInputSerializer, responses=ClusterSerializer)
    def patch(self, request: Request, name: str) -> Response:
        cluster = get_object_or_404(Cluster, name=name)
        change = ClusterInputSerializer(cluster, data=request.data, partial=True)
        change.is_valid(raise_exception=True)
        cluster = operations.edit_cluster(
            cluster, by=person(request), at=timezone.now(), **change.validated_data
        )
        return Response(ClusterSerializer(cluster).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        cluster = get_object_or_404(Cluster, name=name)
        operations.remove_cluster(cluster, by=person(request), at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class ClusterReport(APIView):
    """What the portal may not do there, and which API versions the next version drops."""

    required_role = "admin"
    scopes = TOOLS
    permission_classes = [IsAdmin]

    @extend_schema(responses=ReportSerializer)
    def get(self, request: Request, name: str) -> Response:
        cluster = get_object_or_404(Cluster, name=name)
        report = {
            "missing_rights": cluster.missing_rights,
            "target_version": cluster.target_version,
            "findings": cluster.findings(),
        }
        return Response(ReportSerializer(report).data)


class ClusterRegistry(APIView):
    """The registry of a cluster, and what is wrong with it."""

    required_role = "admin"
    scopes = TOOLS
    permission_classes = [IsAdmin]

    @extend_schema(responses=RegistryReportSerializer)
    def get(self, request: Request, name: str) -> Response:
        cluster = get_object_or_404(Cluster.objects.with_places(), name=name)
        return Response(RegistryReportSerializer(cluster).data)


class ClusterRegistryPlaces(generics.ListAPIView):
    """The places of tools in the registry; `?troubled=true` shows where something is wrong."""

    required_role = "admin"
    scopes = TOOLS
    permission_classes = [IsAdmin]
    serializer_class = RegistryPlaceSerializer
    queryset = RegistryPlace.objects.none()

    def get_queryset(self) -> QuerySet[RegistryPlace]:
        cluster = get_object_or_404(Cluster, name=self.kwargs.get("name", ""))
        places = cluster.registry_places.select_related("tool")
        is_narrow = self.request.query_params.get("troubled") == "true"
        return places.exclude(trouble="") if is_narrow else places

    @extend_schema(
        parameters=[OpenApiParameter("troubled", bool)],
        responses=RegistryPlaceSerializer(many=True),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # noqa: ANN401
        return super().get(request, *args, **kwargs)


class RotateCredentials(APIView):
    """Have the credentials of the tools' builds and webservices changed, or of one tool's."""

    required_role = "admin"
    scopes = TOOLS
    permission_classes = [IsAdmin]

    @extend_schema(request=RotateSerializer, responses={202: RotatedSerializer})
    def post(self, request: Request, name: str) -> Response:
        cluster = get_object_or_404(Cluster, name=name)
        wanted = RotateSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        count = operations.rotate_credentials(
            cluster, tool=wanted.validated_data["tool"], by=person(request), at=timezone.now()
        )
        return Response({"tools": count}, status=status.HTTP_202_ACCEPTED)


urlpatterns = [
    path("clusters/", ClusterList.as_view(), name="api_clusters"),
    path("clusters/<slug:name>/", ClusterDetail.as_view(), name="api_cluster"),
    path("clusters/<slug:name>/report/", ClusterReport.as_view(), name="api_cluster_report"),
    path("clusters/<slug:name>/registry/", ClusterRegistry.as_view(), name="api_cluster_registry"),
    path(
        "clusters/<slug:name>/registry/places/",
        ClusterRegistryPlaces.as_view(),
        name="api_cluster_registry_places",
    ),
    path(
        "clusters/<slug:name>/registry/rotate/",
        RotateCredentials.as_view(),
        name="api_cluster_registry_rotate",
    ),
]
