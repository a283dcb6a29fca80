"""REST: views over many records: findings, readings, why, what would go, named moments."""

from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.accounts.permissions import RECORDS
from portal.clusters.api import IsAdmin
from portal.tools.api import ReadOrSignIn, person
from stories import evidence, files, integrity, operations
from stories.api.base import RecordView, find
from stories.exchange import snapshots
from stories.models import Baseline, Flag, Link, Reading, Record
from stories.serializers import (
    AffectedSerializer,
    BaselineChangeSerializer,
    BaselineSerializer,
    FindingSerializer,
    IntegritySerializer,
    MatrixRowSerializer,
    ReadingSerializer,
    WhySerializer,
)

STALE_FLAGS = ("rationale-moved", "review-overdue", "suspect-link", "rationale-feature-moved")
_UNKNOWN: dict[str, object] = {
    "question": None, "answer": None, "rationale": None, "rationale_status": None,
    "is_stale": False,
}  # fmt: skip


class RecordExport(APIView):
    """The record as the file that `import_records` reads."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(responses={(200, "text/markdown"): OpenApiTypes.STR})
    def get(self, request: Request, ident: str) -> HttpResponse:
        record = find(ident)
        text = files.to_markdown(record.snapshot(), record.version)
        return HttpResponse(text, content_type="text/markdown; charset=utf-8")


class Export(APIView):
    """All records, one after the other, each as the file that `import_records` reads."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(responses={(200, "text/markdown"): OpenApiTypes.STR})
    def get(self, request: Request) -> StreamingHttpResponse:
        parts = (files.to_markdown(snapshot, record.version) for record, snapshot in snapshots())
        return StreamingHttpResponse(parts, content_type="text/markdown; charset=utf-8")


class FindingList(generics.GenericAPIView):
    """What does not fit together among records."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]
    serializer_class = FindingSerializer

    def get_queryset(self) -> QuerySet[Flag]:
        found = Flag.objects.filter(cleared_at=None).select_related("record")
        code = self.request.query_params.get("code")
        return found.filter(code=code) if code else found

    @extend_schema(
        parameters=[OpenApiParameter("code", str)], responses=FindingSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class Integrity(APIView):
    """How far comparing records with their histories has come; what differs is a finding."""

    required_role = "admin"
    scopes = RECORDS
    permission_classes = [IsAuthenticated, IsAdmin]

    @extend_schema(responses=IntegritySerializer)
    def get(self, request: Request) -> Response:
        return Response(IntegritySerializer(integrity.state()).data)


class FeatureWhy(APIView):
    """Why a feature is there, in one sentence."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(responses=WhySerializer)
    def get(self, request: Request, ident: str) -> Response:
        feature = get_object_or_404(Record.objects.present().filter(kind="FT").by_ident(ident))
        links = feature.links.filter(type="justified_by").select_related("target")
        reason = next((each.target for each in links.order_by("-is_agreed")), None)
        shown = {
            "feature": feature.ident,
            "status": feature.status,
            "url": (reason or feature).get_absolute_url(),
            **(_why(reason) if reason else _UNKNOWN),
        }
        return Response(WhySerializer(shown).data)


def _why(reason: Record) -> dict[str, object]:
    answer = reason.fields["answer"] or reason.fields["known_so_far"]
    return {
        "question": reason.title,
        "answer": answer.partition("\n")[0] if answer else None,
        "rationale": reason.ident,
        "rationale_status": reason.status,
        "is_stale": reason.flags.filter(cleared_at=None, code__in=STALE_FLAGS).exists(),
    }


class ReadingList(generics.GenericAPIView):
    """What was measured, newest first."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]
    serializer_class = ReadingSerializer

    def get_queryset(self) -> QuerySet[Reading]:
        metric = self.request.query_params.get("metric")
        return Reading.objects.filter(metric=metric) if metric else Reading.objects.all()

    @extend_schema(
        parameters=[OpenApiParameter("metric", str)], responses=ReadingSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class Matrix(generics.GenericAPIView):
    """Stories, each with the features that are to do what it asks; an empty list is work to do."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]
    serializer_class = MatrixRowSerializer

    def get_queryset(self) -> QuerySet[Record]:
        stories, asked = Record.objects.undone().filter(kind="US"), self.request.query_params
        return stories.unlinked("implemented_by") if "gaps" in asked else stories

    @extend_schema(
        parameters=[OpenApiParameter("gaps", str, description="Only stories without a feature.")],
        responses=MatrixRowSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        page: list[Record] = list(self.paginate_queryset(self.get_queryset()) or ())
        links = Link.objects.filter(type="implemented_by", source__in=page)
        by_story: dict[int, list[str]] = {}
        for link in links.select_related("target").order_by("target__number"):
            by_story.setdefault(link.source_id, []).append(link.target.ident)
        rows = [{"story": each, "features": by_story.get(each.pk, [])} for each in page]
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)


class FeatureUse(APIView):
    """The tools that use a feature now and who keeps them: whom it would meet if it went."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(responses=AffectedSerializer(many=True))
    def get(self, request: Request, ident: str) -> Response:
        feature = get_object_or_404(Record.objects.present().filter(kind="FT").by_ident(ident))
        found = evidence.affected(feature.fields["metric"], timezone.now())
        return Response(AffectedSerializer(found, many=True).data)


class BaselineList(RecordView, generics.GenericAPIView):
    """Named moments. POST names the present one."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]
    serializer_class = BaselineSerializer
    queryset = Baseline.objects.order_by("-pk")

    @extend_schema(responses=BaselineSerializer(many=True))
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(request=BaselineSerializer, responses={201: BaselineSerializer})
    def post(self, request: Request) -> Response:
        given = BaselineSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        by, now = person(request), timezone.now()
        named = operations.name_baseline(by=by, at=now, **given.validated_data)
        return Response(BaselineSerializer(named).data, status=status.HTTP_201_CREATED)


class BaselineChanges(generics.GenericAPIView):
    """The records that were saved since a named moment; `before` is 0 for those that are new."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]
    serializer_class = BaselineChangeSerializer
    queryset = Baseline.objects.all()

    @extend_schema(responses=BaselineChangeSerializer(many=True))
    def get(self, request: Request, pk: int) -> Response:
        page = self.paginate_queryset(get_object_or_404(Baseline, pk=pk).changed())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)
