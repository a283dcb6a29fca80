"""REST: moving a tool to another cluster, or to the portal's own machine."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.accounts.permissions import TOOLS
from portal.clusters.api import IsAdmin, ReadOrAdmin
from portal.clusters.models import Cluster, Relocation
from portal.tools.api import person, visible
from portal.tools.models import Tool
from portal.webservices.moving import cancel_move, start_move, steps_of


class MoveInputSerializer(serializers.Serializer):
    """Where to: a cluster's name, or null for the portal's own machine."""

    cluster = serializers.SlugRelatedField(
        slug_field="name", queryset=Cluster.objects.all(), allow_null=True
    )


class MoveStepSerializer(serializers.Serializer):
    status = serializers.CharField()
    at = serializers.DateTimeField()
    actor = serializers.CharField(source="actor.username", default=None)
    reason_code = serializers.CharField()
    reason = serializers.CharField()


class MoveSerializer(serializers.ModelSerializer):
    """A tool's move; names are "" for the portal's own machine."""

    id = serializers.IntegerField(source="pk", read_only=True)
    from_cluster = serializers.CharField(source="source_name", read_only=True)
    to_cluster = serializers.CharField(source="target_name", read_only=True)
    build = serializers.IntegerField(source="build.number", default=None, read_only=True)
    release = serializers.IntegerField(source="release.number", default=None, read_only=True)
    actor = serializers.CharField(source="actor.username", default=None, read_only=True)
    steps = serializers.SerializerMethodField()

    class Meta:
        model = Relocation
        fields = [
            "id", "from_cluster", "to_cluster", "status", "reason_code", "reason", "waits_for",
            "build", "release", "actor", "created_at", "cancel_asked_at", "switched_at",
            "ended_at", "steps",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(MoveStepSerializer(many=True))
    def get_steps(self, move: Relocation) -> list[dict[str, Any]]:
        return list(MoveStepSerializer(steps_of(move), many=True).data)


def _of(tool: Tool) -> QuerySet[Relocation]:
    return tool.relocations.select_related("tool", "build", "release", "actor")


class MoveList(generics.GenericAPIView):
    """The tool's moves, the newest first. POST starts one; administrators only."""

    required_role = "viewer"
    scopes = TOOLS
    permission_classes = [IsAuthenticated, ReadOrAdmin]
    serializer_class = MoveSerializer
    queryset = Relocation.objects.none()

    @extend_schema(responses=MoveSerializer(many=True))
    def get(self, request: Request, name: str) -> Response:
        page = self.paginate_queryset(_of(visible(request, name)))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(request=MoveInputSerializer, responses={202: MoveSerializer})
    def post(self, request: Request, name: str) -> Response:
        tool = visible(request, name)
        asked = MoveInputSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        to = asked.validated_data["cluster"]
        move = start_move(tool, to=to, by=person(request), at=timezone.now())
        place = {"Location": reverse("api_move", args=[name, move.pk])}
        body = MoveSerializer(move).data
        return Response(body, status=status.HTTP_202_ACCEPTED, headers=place)


class MoveDetail(APIView):
    """How a move stands, and each of its steps."""

    required_role = "viewer"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=MoveSerializer)
    def get(self, request: Request, name: str, pk: int) -> Response:
        return Response(MoveSerializer(get_object_or_404(_of(visible(request, name)), pk=pk)).data)


class MoveCancel(APIView):
    """End a move before it has switched; nothing of it remains."""

    required_role = "admin"
    scopes = TOOLS
    permission_classes = [IsAuthenticated, IsAdmin]

    @extend_schema(request=None, responses={202: MoveSerializer})
    def post(self, request: Request, name: str, pk: int) -> Response:
        move = get_object_or_404(_of(visible(request, name)), pk=pk)
        cancel_move(move, by=person(request), at=timezone.now())
        move.refresh_from_db()
        return Response(MoveSerializer(move).data, status=status.HTTP_202_ACCEPTED)


urlpatterns = [
    path("tools/<slug:name>/moves/", MoveList.as_view(), name="api_moves"),
    path("tools/<slug:name>/moves/<int:pk>/", MoveDetail.as_view(), name="api_move"),
    path("tools/<slug:name>/moves/<int:pk>/cancel/", MoveCancel.as_view(), name="api_move_cancel"),
]
