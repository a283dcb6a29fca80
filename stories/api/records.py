"""REST: records by ident, their moves, links and versions."""

from datetime import date

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.accounts.permissions import RECORDS
from portal.pagination import Cursor
from portal.problems import Problems, Unprocessable
from portal.tools.api import ReadOrSignIn, person
from stories import filtering, operations, presentation
from stories.api.base import (
    IF_READ,
    RecordView,
    current,
    etag,
    find,
    listed,
    present,
    shown,
    version_of,
)
from stories.filters import ORDERS, Filter, filters_of
from stories.kinds import DATE, KINDS, NUMBER
from stories.models import Record, Revision
from stories.operations import Origin
from stories.serializers import (
    ChangeSerializer,
    LinkSerializer,
    MoveSerializer,
    NewLinkSerializer,
    NewRecordSerializer,
    PossibleMoveSerializer,
    RecordDetailSerializer,
    RecordSerializer,
    RevisionDetailSerializer,
    RevisionSerializer,
)

IF_MATCH = OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, required=True)


class RecordPages(Cursor):
    """Newest first, or in the order that is asked for."""

    def get_ordering(
        self, request: Request, queryset: QuerySet, view: APIView | None
    ) -> tuple[str, ...]:
        order = ORDERS.get(request.query_params.get("order", ""), ())
        return (*order, "-pk")


_TYPES = {DATE: date, NUMBER: float}


def _parameter(about: Filter) -> OpenApiParameter:
    """A filter as the document describes it, with the kinds that have it."""
    having = [prefix for prefix, kind in KINDS.items() if about.name in filters_of(kind)]
    where = "" if len(having) == len(KINDS) else f" (of {', '.join(having)})"
    return OpenApiParameter(
        about.name,
        _TYPES.get(about.type, str),
        enum=sorted(about.choices) or None,
        many=about.name == "status",
        description=f"{about.label}{where}",
    )


class RecordList(RecordView, generics.GenericAPIView):
    """All records. POST makes one; members of the workgroup make any, others a story.

    Every field is a filter. A text has to contain what is asked for, in capitals or not; days and
    numbers lie between `..._from` and `..._until`, both included. A value that a filter does not
    know is refused. With a `kind`, only its own fields are filters.
    """

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]
    serializer_class = RecordSerializer
    pagination_class = RecordPages

    def get_queryset(self) -> QuerySet[Record]:
        asked = self.request.query_params
        found = Record.objects.present()
        if asked.get("kind"):
            found = found.filter(kind=asked["kind"])
        kind = KINDS.get(asked.get("kind", ""))
        filters, wrong = filtering.read(kind, dict(asked.lists()))
        if broken := [each for each in wrong if each.code == "broken-filter"]:
            raise Problems(400, "broken-filter", listed(broken))
        return filtering.apply(found, kind, filters)

    @extend_schema(
        parameters=[
            OpenApiParameter("kind", str, enum=sorted(KINDS)),
            *map(_parameter, filters_of(None).values()),
        ],
        responses=RecordSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(request=NewRecordSerializer, responses={201: RecordDetailSerializer})
    def post(self, request: Request) -> Response:
        new = NewRecordSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        given = new.validated_data
        origin = None
        if given["source_record"]:
            origin = Origin(present(given["source_record"]), given["quote"], given["anchor"])
        record = operations.create_record(
            given["kind"],
            title=given["title"],
            fields=given["content"],
            by=person(request),
            at=timezone.now(),
            origin=origin,
            summary=given["summary"],
        )
        return shown(record, status=status.HTTP_201_CREATED)


class RecordDetail(RecordView):
    """A record. PATCH saves on top of the version in If-Match, merged with what came since."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(responses=RecordDetailSerializer)
    def get(self, request: Request, ident: str) -> Response:
        record = find(ident)
        if record.merged_into:
            moved = f"/api/v1/records/{record.merged_into.ident}/"
            return Response(status=status.HTTP_308_PERMANENT_REDIRECT, headers={"Location": moved})
        if request.headers.get("If-None-Match") == etag(record):
            return Response(status=status.HTTP_304_NOT_MODIFIED)
        return shown(record)

    @extend_schema(
        request=ChangeSerializer, responses=RecordDetailSerializer, parameters=[IF_MATCH]
    )
    def patch(self, request: Request, ident: str) -> Response:
        record = present(ident)
        version = version_of(request, record)
        change = ChangeSerializer(data=request.data)
        change.is_valid(raise_exception=True)
        given = change.validated_data
        saved = operations.edit_record(
            record,
            by=person(request),
            at=timezone.now(),
            version=version,
            title=given.get("title"),
            fields=given["content"],
            summary=given["summary"],
            is_minor=given["is_minor"],
        )
        return shown(saved.record)


class RecordMoves(RecordView):
    """GET: the moves from here with what is missing for each. POST makes one."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(responses=PossibleMoveSerializer(many=True))
    def get(self, request: Request, ident: str) -> Response:
        record = present(ident)
        by = person(request) if request.user.is_authenticated else None
        found = operations.possible_moves(record, by=by, at=timezone.now())
        return Response(
            [
                {
                    "to": move.to,
                    "role": move.role,
                    "needs_reason": move.needs_reason,
                    "needs_date": move.needs_date,
                    "missing": [
                        {"code": each.code, "field": each.field, "detail": each.sentence}
                        for each in missing
                    ],
                }
                for move, missing in found
            ]
        )

    @extend_schema(request=MoveSerializer, responses=RecordDetailSerializer, parameters=[IF_READ])
    def post(self, request: Request, ident: str) -> Response:
        record = current(request, ident)
        wanted = MoveSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        given = wanted.validated_data
        moved = operations.move(
            record,
            given["to"],
            by=person(request),
            at=timezone.now(),
            reason=given["reason"],
            look_again_on=given.get("look_again_on"),
            override=given["override"],
        )
        return shown(moved)


class RecordLinks(RecordView):
    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(responses=LinkSerializer(many=True))
    def get(self, request: Request, ident: str) -> Response:
        return Response(LinkSerializer(find(ident).outgoing_links(), many=True).data)

    @extend_schema(request=NewLinkSerializer, responses={201: LinkSerializer}, parameters=[IF_READ])
    def post(self, request: Request, ident: str) -> Response:
        record = current(request, ident)
        new = NewLinkSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        given = dict(new.validated_data)
        other = Record.objects.present().by_ident(given.pop("to")).first()
        if other is None:
            raise Unprocessable(_("There is no such record."), field="to")
        link = operations.add_link(
            record,
            given.pop("type"),
            other,
            by=person(request),
            at=timezone.now(),
            **given,
        )
        return Response(LinkSerializer(link).data, status=status.HTTP_201_CREATED)


class RecordLink(RecordView):
    required_role = "member"
    scopes = RECORDS
    permission_classes = [IsAuthenticated]

    @extend_schema(responses={204: None}, parameters=[IF_READ])
    def delete(self, request: Request, ident: str, pk: int) -> Response:
        record = current(request, ident)
        link = get_object_or_404(record.links.select_related("target"), pk=pk)
        operations.remove_link(link, by=person(request), at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class RevisionList(generics.GenericAPIView):
    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]
    serializer_class = RevisionSerializer

    def get_queryset(self) -> QuerySet[Revision]:
        if getattr(self, "swagger_fake_view", False):
            return Revision.objects.none()
        return find(self.kwargs["ident"]).revisions.select_related("patrolled_by").defer("stored")

    @extend_schema(responses=RevisionSerializer(many=True))
    def get(self, request: Request, ident: str) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class RevisionDetail(APIView):
    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(responses=RevisionDetailSerializer)
    def get(self, request: Request, ident: str, number: int) -> Response:
        revision = get_object_or_404(find(ident).revisions, number=number)
        return Response(RevisionDetailSerializer(revision).data)


class RevisionRestore(RecordView):
    """Make an older text the newest."""

    required_role = "member"
    scopes = RECORDS
    permission_classes = [IsAuthenticated]

    @extend_schema(request=None, responses=RecordDetailSerializer, parameters=[IF_READ])
    def post(self, request: Request, ident: str, number: int) -> Response:
        record = current(request, ident)
        return shown(operations.restore(record, number, by=person(request), at=timezone.now()))


class RecordDiff(APIView):
    """What changed between two versions, field by field and line by line."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(
        parameters=[
            OpenApiParameter("from", int, required=True),
            OpenApiParameter("to", int, required=True),
        ],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request, ident: str) -> Response:
        record = find(ident)
        found = []
        for name in ("from", "to"):
            number = request.query_params.get(name, "")
            if not number.isdecimal() or len(number) > 9:
                raise Unprocessable(_("Give the number of a version."), field=name)
            revisions = record.revisions.filter(suppressed="")
            revision = get_object_or_404(revisions, number=int(number))
            found.append(revision.snapshot)
        parts = presentation.diff(record.kind_of, *found)
        return Response(
            [
                {
                    "label": str(part.label),
                    "lines": [
                        {
                            "before": "".join(text for text, _changed in line.before),
                            "after": "".join(text for text, _changed in line.after),
                            "is_same": line.is_same,
                        }
                        for line in part.lines
                    ],
                }
                for part in parts
            ]
        )
