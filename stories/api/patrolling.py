"""REST: what changed lately, and who else looked at it."""

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.permissions import RECORDS
from portal.tools.api import ReadOrSignIn, person
from stories import operations
from stories.api.base import RecordView, find
from stories.models import Revision
from stories.serializers import RecentSerializer


class ChangeList(generics.GenericAPIView):
    """Changes of all records, newest first."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]
    serializer_class = RecentSerializer

    def get_queryset(self) -> QuerySet[Revision]:
        found = Revision.objects.select_related("record", "patrolled_by").defer("stored")
        return found.unpatrolled() if "unpatrolled" in self.request.query_params else found

    @extend_schema(
        parameters=[
            OpenApiParameter("unpatrolled", str, description="Only what nobody else looked at.")
        ],
        responses=RecentSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class RevisionPatrol(RecordView):
    """Note that you looked at a version that somebody else wrote."""

    required_role = "workgroup"
    scopes = RECORDS
    permission_classes = [IsAuthenticated]

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, ident: str, number: int) -> Response:
        revision = get_object_or_404(find(ident).revisions, number=number)
        operations.patrol(revision, by=person(request), at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)
