"""REST: what ends a record or its text, and what keeps it alive."""

from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.permissions import RECORDS
from portal.problems import Unprocessable
from portal.tools.api import person
from stories import operations
from stories.api.base import IF_READ, RecordView, current, find, present, shown, version_of
from stories.models import Link, Record
from stories.serializers import (
    MergeSerializer,
    ReasonSerializer,
    ReconfirmSerializer,
    RecordDetailSerializer,
)

OF_TARGET = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="The ETag of the target as you read it; 412 if it says something else by now.",
)


class RecordDelete(RecordView):
    """Leave a tombstone with the reason. Refused while other records lead to it."""

    required_role = "member"
    scopes = RECORDS
    permission_classes = [IsAuthenticated]

    @extend_schema(request=ReasonSerializer, responses={204: None}, parameters=[IF_READ])
    def post(self, request: Request, ident: str) -> Response:
        given = ReasonSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        reason = given.validated_data["reason"]
        operations.delete_record(
            current(request, ident),
            by=person(request),
            at=timezone.now(),
            reason=reason,
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class RecordMerge(RecordView):
    """Make another record of the kind stand for this one; links, support and watchers move."""

    required_role = "member"
    scopes = RECORDS
    permission_classes = [IsAuthenticated]

    @extend_schema(request=MergeSerializer, responses=RecordDetailSerializer, parameters=[IF_READ])
    def post(self, request: Request, ident: str) -> Response:
        given = MergeSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        record = current(request, ident)
        other = Record.objects.present().by_ident(given.validated_data["into"]).first()
        if other is None:
            raise Unprocessable(_("There is no such record."), field="into")
        by = person(request)
        operations.merge_into(record, other, by=by, at=timezone.now())
        other.refresh_from_db()
        return shown(other)


class RecordReconfirm(RecordView):
    """An agreed rationale still holds, with the numbers of today."""

    required_role = "member"
    scopes = RECORDS
    permission_classes = [IsAuthenticated]

    @extend_schema(
        request=ReconfirmSerializer, responses=RecordDetailSerializer, parameters=[IF_READ]
    )
    def post(self, request: Request, ident: str) -> Response:
        given = ReconfirmSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        day = given.validated_data["review_by"]
        by, now = person(request), timezone.now()
        record = current(request, ident)
        return shown(operations.reconfirm(record, by=by, at=now, review_by=day))


class LinkConfirm(RecordView):
    """The link still holds, although what it leads to has changed; If-Match says what you read."""

    required_role = "member"
    scopes = RECORDS
    permission_classes = [IsAuthenticated]

    @extend_schema(request=None, responses={204: None}, parameters=[OF_TARGET])
    def post(self, request: Request, ident: str, pk: int) -> Response:
        links = Link.objects.select_related("source", "target")
        link = get_object_or_404(links, pk=pk, source=present(ident))
        read = version_of(request, link.target)
        by, now = person(request), timezone.now()
        operations.confirm_link(link, by=by, at=now, version=read)
        return Response(status=status.HTTP_204_NO_CONTENT)


class RevisionSuppress(RecordView):
    """Hide the text of a version from everybody; its page says so, and why."""

    required_role = "admin"
    scopes = RECORDS
    permission_classes = [IsAuthenticated]

    @extend_schema(request=ReasonSerializer, responses={204: None})
    def post(self, request: Request, ident: str, number: int) -> Response:
        given = ReasonSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        revisions = find(ident).revisions.select_related("record")
        revision = get_object_or_404(revisions, number=number)
        reason = given.validated_data["reason"]
        by, now = person(request), timezone.now()
        operations.suppress(revision, by=by, at=now, reason=reason)
        return Response(status=status.HTTP_204_NO_CONTENT)
