"""REST: the history."""

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

from portal.accounts.permissions import TOOLS
from portal.tools.api.callers import person
from portal.tools.exports import FORMATS, export
from portal.tools.filters import EventFilter
from portal.tools.models import AuditEvent
from portal.tools.serializers import EventSerializer


class EventList(generics.ListAPIView):
    """What happened, newest first: to your tools and your account; to everything for an admin."""

    required_role = "member"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]
    serializer_class = EventSerializer
    filterset_class = EventFilter

    def get_queryset(self) -> QuerySet[AuditEvent]:
        if getattr(self, "swagger_fake_view", False):
            return AuditEvent.objects.none()
        return AuditEvent.objects.visible_to(person(self.request)).select_related("tool")


class EventExport(EventList):
    """The same as one file. Where it was too long, `Link` leads to the rest."""

    pagination_class = None

    @extend_schema(
        parameters=[
            OpenApiParameter("as", str, enum=list(FORMATS)),
            OpenApiParameter("before", int, description="Only events with a smaller id."),
        ],
        responses={(200, kind.content_type): OpenApiTypes.STR for kind in FORMATS.values()},
    )
    def get(self, request: Request, *args: object, **kwargs: object) -> HttpResponse:  # type: ignore[override]
        events = self.filter_queryset(self.get_queryset())
        return export(events, request._request, reader=person(request))
