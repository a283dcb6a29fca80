"""REST: what is written down in a meeting."""

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.permissions import RECORDS
from portal.tools.api import ReadOrSignIn, person
from stories import operations
from stories.api.base import RecordView, find
from stories.models import MinuteLine, Record
from stories.serializers import MinuteSerializer


class Minutes(RecordView):
    """Lines that are being written in a meeting. POST adds one, to a topic or to a new one."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(responses=MinuteSerializer(many=True))
    def get(self, request: Request, ident: str) -> Response:
        return Response(MinuteSerializer(_lines(find(ident)), many=True).data)

    @extend_schema(request=MinuteSerializer, responses={201: MinuteSerializer(many=True)})
    def post(self, request: Request, ident: str) -> Response:
        given = MinuteSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        meeting = get_object_or_404(Record.objects.present().filter(kind="MT").by_ident(ident))
        _write(meeting, request, **given.validated_data)
        lines = MinuteSerializer(_lines(meeting), many=True).data
        return Response(lines, status=status.HTTP_201_CREATED)


def _lines(meeting: Record) -> QuerySet[MinuteLine]:
    return MinuteLine.objects.filter(meeting=meeting).order_by("topic", "number")


def _write(
    meeting: Record, request: Request, *, text: str, topic: int = 1, title: str = ""
) -> None:
    by, now = person(request), timezone.now()
    if title:
        topic = operations.open_topic(meeting, title=title, by=by, at=now)
    operations.write_minute(meeting, topic=topic, text=text, by=by, at=now)
