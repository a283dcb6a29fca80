"""REST: what a tool uses and may use, asking for more, deciding."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from builds.usage import measured_place
from portal.accounts.permissions import TOOLS
from portal.tools import quotas
from portal.tools.api import maintained, person, visible
from portal.tools.models import QuotaRequest
from portal.webservices.quotas import REQUESTS
from portal.webservices.serializers import (
    AskSerializer,
    GrantSerializer,
    QuotaRequestSerializer,
    QuotasSerializer,
    RefuseSerializer,
)
from portal.webservices.usage import uses_of


class IsAdmin(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(getattr(request.user, "is_admin", False))


class ToolQuotas(APIView):
    """What the tool uses of what it may. POST asks for more, with a reason."""

    required_role = "viewer"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=QuotasSerializer)
    def get(self, request: Request, name: str) -> Response:
        tool = visible(request, name)
        asked = tool.quota_requests.select_related("tool", "asked_by", "decided_by")
        answer = {
            "uses": uses_of(tool, now=timezone.now()),
            "registry": measured_place(tool),
            "requests": asked[:REQUESTS],
        }
        return Response(QuotasSerializer(answer).data)

    @extend_schema(request=AskSerializer, responses={201: QuotaRequestSerializer})
    def post(self, request: Request, name: str) -> Response:
        tool = maintained(request, name)
        new = AskSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        asked = quotas.ask_for_more(
            tool, by=person(request), at=timezone.now(), **new.validated_data
        )
        return Response(QuotaRequestSerializer(asked).data, status=status.HTTP_201_CREATED)


class QuotaRequestList(generics.ListAPIView):
    """All requests, for administrators; `?status=open` is the queue."""

    required_role = "admin"
    scopes = TOOLS
    permission_classes = [IsAuthenticated, IsAdmin]
    serializer_class = QuotaRequestSerializer

    def get_queryset(self) -> QuerySet[QuotaRequest]:
        rows = QuotaRequest.objects.select_related("tool", "asked_by", "decided_by")
        wanted = self.request.query_params.get("status") if self.request else None
        return rows.filter(status=wanted) if wanted else rows

    @extend_schema(
        parameters=[OpenApiParameter("status", str, enum=QuotaRequest.Status.values)],
        responses=QuotaRequestSerializer(many=True),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # noqa: ANN401
        return super().get(request, *args, **kwargs)


class Grant(APIView):
    """Grant what was asked for, or other amounts."""

    required_role = "admin"
    scopes = TOOLS
    permission_classes = [IsAuthenticated, IsAdmin]

    @extend_schema(request=GrantSerializer, responses=QuotaRequestSerializer)
    def post(self, request: Request, pk: int) -> Response:
        asked = get_object_or_404(QuotaRequest.objects.select_related("tool"), pk=pk)
        given = GrantSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        decision = {"amounts": asked.wanted, **given.validated_data}
        quotas.grant(asked, by=person(request), at=timezone.now(), **decision)
        return Response(QuotaRequestSerializer(asked).data)


class Refuse(APIView):
    """Refuse, and say why."""

    required_role = "admin"
    scopes = TOOLS
    permission_classes = [IsAuthenticated, IsAdmin]

    @extend_schema(request=RefuseSerializer, responses=QuotaRequestSerializer)
    def post(self, request: Request, pk: int) -> Response:
        asked = get_object_or_404(QuotaRequest.objects.select_related("tool"), pk=pk)
        given = RefuseSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        quotas.refuse(asked, by=person(request), at=timezone.now(), **given.validated_data)
        return Response(QuotaRequestSerializer(asked).data)


urlpatterns = [
    path("tools/<slug:name>/quotas/", ToolQuotas.as_view(), name="api_quotas"),
    path("quota-requests/", QuotaRequestList.as_view(), name="api_quota_requests"),
    path("quota-requests/<int:pk>/grant/", Grant.as_view(), name="api_quota_grant"),
    path("quota-requests/<int:pk>/refuse/", Refuse.as_view(), name="api_quota_refuse"),
]
