"""REST: records by ident, with all that belongs to them; findings; readings."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path
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
from portal.problems import PreconditionFailed, PreconditionRequired, Problems, refusal
from portal.tools.api import ReadOrSignIn, person
from portal.tools.models import Tool
from stories import files, operations, presentation, search
from stories.exchange import snapshots
from stories.kinds import KINDS
from stories.models import Comment, Flag, Link, Reading, Record, Revision
from stories.operations import Conflict, NotAllowed, Origin, Refused, Stale
from stories.serializers import (
    ChangeSerializer,
    CommentSerializer,
    FindingSerializer,
    LinkSerializer,
    MoveSerializer,
    NewLinkSerializer,
    NewRecordSerializer,
    ReadingSerializer,
    RecordDetailSerializer,
    RecordSerializer,
    ReviewSerializer,
    RevisionDetailSerializer,
    RevisionSerializer,
    SupportSerializer,
    WhySerializer,
)

IF_MATCH = OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, required=True)
STALE_FLAGS = ("rationale-moved", "review-overdue", "suspect-link", "rationale-feature-moved")


def attempt(operation: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
    """Do it; a refusal becomes the problem that it is for REST, with everything that is missing."""
    try:
        return operation(*args, **kwargs)
    except NotAllowed as refused:
        raise Problems(403, "not-allowed", _listed(refused)) from refused
    except Refused as refused:
        raise Problems(422, "refused", _listed(refused)) from refused
    except Conflict as conflict:
        raise Problems(
            412,
            "conflict",
            [
                {"field": clash.field, "detail": str(conflict), **_sides(clash)}
                for clash in conflict.clashes
            ],
        ) from conflict
    except Stale as stale:
        raise PreconditionFailed(str(stale)) from stale


def _listed(refused: Refused) -> list[dict[str, Any]]:
    return [
        {"code": each.code, "field": each.field, "detail": each.sentence}
        for each in refused.missing
    ]


def _sides(clash: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "base": clash.base,
        "theirs": clash.theirs,
        "mine": clash.mine,
        "merged": clash.merged,
    }


def _find(ident: str) -> Record:
    records = Record.objects.select_related("source", "superseded_by", "merged_into")
    return get_object_or_404(records.by_ident(ident))


def _present(ident: str) -> Record:
    return get_object_or_404(Record.objects.present().by_ident(ident))


class RecordList(generics.GenericAPIView):
    """All records. POST makes one; members of the workgroup make any, others a story."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]
    serializer_class = RecordSerializer

    def get_queryset(self) -> QuerySet[Record]:
        asked = self.request.query_params
        found = Record.objects.present()
        for name in ("kind", "status"):
            if asked.get(name):
                found = found.filter(**{name: asked[name]})
        if asked.get("owner"):
            found = found.filter(owner__icontains=asked["owner"])
        if asked.get("flag"):
            found = found.filter(flags__code=asked["flag"], flags__cleared_at=None)
        return search.matching(found, asked.get("q", ""))

    @extend_schema(
        parameters=[
            OpenApiParameter("kind", str, enum=sorted(KINDS)),
            OpenApiParameter("status", str),
            OpenApiParameter("owner", str),
            OpenApiParameter("flag", str, description="The code of a finding."),
            OpenApiParameter("q", str, description="Words that occur in the record."),
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
            origin = Origin(_present(given["source_record"]), given["quote"], given["anchor"])
        record = attempt(
            operations.create_record,
            given["kind"],
            title=given["title"],
            fields=given["content"],
            by=person(request),
            at=timezone.now(),
            origin=origin,
            summary=given["summary"],
        )
        return _shown(record, status=status.HTTP_201_CREATED)


def _etag(record: Record) -> str:
    return f'"{record.ident}.v{record.version}"'


def _shown(record: Record, **how: Any) -> Response:  # noqa: ANN401
    place = {"ETag": _etag(record), "Location": f"/api/v1/records/{record.ident}/"}
    return Response(RecordDetailSerializer(record).data, headers=place, **how)


class RecordDetail(APIView):
    """A record. PATCH saves on top of the version in If-Match, merged with what came since."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(responses=RecordDetailSerializer)
    def get(self, request: Request, ident: str) -> Response:
        record = _find(ident)
        if record.merged_into:
            moved = f"/api/v1/records/{record.merged_into.ident}/"
            return Response(status=status.HTTP_308_PERMANENT_REDIRECT, headers={"Location": moved})
        if request.headers.get("If-None-Match") == _etag(record):
            return Response(status=status.HTTP_304_NOT_MODIFIED)
        return _shown(record)

    @extend_schema(
        request=ChangeSerializer, responses=RecordDetailSerializer, parameters=[IF_MATCH]
    )
    def patch(self, request: Request, ident: str) -> Response:
        record = _present(ident)
        version = _version(request, record)
        change = ChangeSerializer(data=request.data)
        change.is_valid(raise_exception=True)
        given = change.validated_data
        saved = attempt(
            operations.edit_record,
            record,
            by=person(request),
            at=timezone.now(),
            version=version,
            title=given.get("title"),
            fields=given["content"],
            summary=given["summary"],
            is_minor=given["is_minor"],
        )
        return _shown(saved.record)


def _version(request: Request, record: Record) -> int:
    """The version that the caller read; an older one is merged, one of another record refused."""
    given = request.headers.get("If-Match")
    if given is None:
        raise PreconditionRequired(_("Send If-Match with the ETag that you read."))
    ident, _v, number = given.strip().strip('"').rpartition(".v")
    if ident != record.ident or not number.isdecimal():
        raise PreconditionFailed(_("This is not the ETag of %s.") % record.ident)
    return int(number)


class RecordMoves(APIView):
    """GET: the moves from here with what is missing for each. POST makes one."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, ident: str) -> Response:
        record = _present(ident)
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

    @extend_schema(request=MoveSerializer, responses=RecordDetailSerializer)
    def post(self, request: Request, ident: str) -> Response:
        record = _present(ident)
        wanted = MoveSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        given = wanted.validated_data
        moved = attempt(
            operations.move,
            record,
            given["to"],
            by=person(request),
            at=timezone.now(),
            reason=given["reason"],
            look_again_on=given.get("look_again_on"),
            override=given["override"],
        )
        return _shown(moved)


class RecordLinks(APIView):
    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(responses=LinkSerializer(many=True))
    def get(self, request: Request, ident: str) -> Response:
        return Response(LinkSerializer(_find(ident).outgoing_links(), many=True).data)

    @extend_schema(request=NewLinkSerializer, responses={201: LinkSerializer})
    def post(self, request: Request, ident: str) -> Response:
        record = _present(ident)
        new = NewLinkSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        given = dict(new.validated_data)
        other = Record.objects.present().by_ident(given.pop("to")).first()
        if other is None:
            raise refusal(_("There is no such record."), field="to")
        link = attempt(
            operations.add_link,
            record,
            given.pop("type"),
            other,
            by=person(request),
            at=timezone.now(),
            **given,
        )
        return Response(LinkSerializer(link).data, status=status.HTTP_201_CREATED)


class RecordLink(APIView):
    required_role = "member"
    scopes = RECORDS
    permission_classes = [IsAuthenticated]

    @extend_schema(responses={204: None})
    def delete(self, request: Request, ident: str, pk: int) -> Response:
        links = Link.objects.select_related("source", "target")
        link = get_object_or_404(links, pk=pk, source=_present(ident))
        attempt(operations.remove_link, link, by=person(request), at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class RevisionList(generics.GenericAPIView):
    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]
    serializer_class = RevisionSerializer

    def get_queryset(self) -> QuerySet[Revision]:
        if getattr(self, "swagger_fake_view", False):
            return Revision.objects.none()
        return _find(self.kwargs["ident"]).revisions.defer("snapshot")

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
        revision = get_object_or_404(_find(ident).revisions, number=number)
        return Response(RevisionDetailSerializer(revision).data)


class RevisionRestore(APIView):
    """Make an older text the newest."""

    required_role = "member"
    scopes = RECORDS
    permission_classes = [IsAuthenticated]

    @extend_schema(request=None, responses=RecordDetailSerializer)
    def post(self, request: Request, ident: str, number: int) -> Response:
        record = _present(ident)
        return _shown(
            attempt(operations.restore, record, number, by=person(request), at=timezone.now())
        )


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
        record = _find(ident)
        found = []
        for name in ("from", "to"):
            number = request.query_params.get(name, "")
            if not number.isdecimal() or len(number) > 9:
                raise refusal(_("Give the number of a version."), field=name)
            revisions = record.revisions.filter(suppressed="")
            found.append(get_object_or_404(revisions, number=int(number)).snapshot)
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


class CommentList(APIView):
    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(responses=CommentSerializer(many=True))
    def get(self, request: Request, ident: str) -> Response:
        comments: QuerySet[Comment] = _find(ident).comments.select_related("author")
        return Response(CommentSerializer(comments, many=True).data)

    @extend_schema(request=CommentSerializer, responses={201: CommentSerializer})
    def post(self, request: Request, ident: str) -> Response:
        new = CommentSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        record = _present(ident)
        comment = attempt(
            operations.add_comment,
            record,
            by=person(request),
            at=timezone.now(),
            **new.validated_data,
        )
        return Response(CommentSerializer(comment).data, status=status.HTTP_201_CREATED)


class CommentResolve(APIView):
    required_role = "member"
    scopes = RECORDS
    permission_classes = [IsAuthenticated]

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, ident: str, pk: int) -> Response:
        comment = get_object_or_404(_present(ident).comments.select_related("record"), pk=pk)
        attempt(operations.resolve_comment, comment, by=person(request), at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class ReviewAdd(APIView):
    required_role = "member"
    scopes = RECORDS
    permission_classes = [IsAuthenticated]

    @extend_schema(request=ReviewSerializer, responses={201: ReviewSerializer})
    def post(self, request: Request, ident: str) -> Response:
        new = ReviewSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        review = attempt(
            operations.review,
            _present(ident),
            by=person(request),
            at=timezone.now(),
            **new.validated_data,
        )
        return Response(ReviewSerializer(review).data, status=status.HTTP_201_CREATED)


class SupportList(APIView):
    """Who wants it, and why. PUT says that the caller does, DELETE takes it back."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(responses=SupportSerializer(many=True))
    def get(self, request: Request, ident: str) -> Response:
        supports = _find(ident).supports.select_related("user", "tool")
        return Response(SupportSerializer(supports, many=True).data)

    @extend_schema(request=SupportSerializer, responses=SupportSerializer)
    def put(self, request: Request, ident: str) -> Response:
        wanted = SupportSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        given = dict(wanted.validated_data)
        name = (given.pop("tool", None) or {}).get("name")
        tool = get_object_or_404(Tool.objects.public(), name=name) if name else None
        found = attempt(
            operations.support,
            _present(ident),
            by=person(request),
            at=timezone.now(),
            tool=tool,
            **given,
        )
        return Response(SupportSerializer(found).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, ident: str) -> Response:
        operations.withdraw_support(_present(ident), by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class RecordExport(APIView):
    """The record as the file that `import_records` reads."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(responses={(200, "text/markdown"): OpenApiTypes.STR})
    def get(self, request: Request, ident: str) -> HttpResponse:
        record = _find(ident)
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
        stale = reason.flags.filter(cleared_at=None, code__in=STALE_FLAGS) if reason else None
        answer = reason.fields["answer"] or reason.fields["known_so_far"] if reason else None
        shown = {
            "feature": feature.ident,
            "status": feature.status,
            "question": reason.title if reason else None,
            "answer": answer.partition("\n")[0] if answer else None,
            "rationale": reason.ident if reason else None,
            "rationale_status": reason.status if reason else None,
            "is_stale": bool(stale and stale.exists()),
            "url": (reason or feature).get_absolute_url(),
        }
        return Response(WhySerializer(shown).data)


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


_RECORD = "records/<str:ident>/"
urlpatterns = [
    path("records/", RecordList.as_view(), name="api_records"),
    path("records.md", Export.as_view(), name="api_records_export"),
    path(_RECORD, RecordDetail.as_view(), name="api_record"),
    path(f"{_RECORD}moves/", RecordMoves.as_view(), name="api_record_moves"),
    path(f"{_RECORD}links/", RecordLinks.as_view(), name="api_record_links"),
    path(f"{_RECORD}links/<int:pk>/", RecordLink.as_view(), name="api_record_link"),
    path(f"{_RECORD}revisions/", RevisionList.as_view(), name="api_revisions"),
    path(f"{_RECORD}revisions/<int:number>/", RevisionDetail.as_view(), name="api_revision"),
    path(
        f"{_RECORD}revisions/<int:number>/restore/",
        RevisionRestore.as_view(),
        name="api_revision_restore",
    ),
    path(f"{_RECORD}diff/", RecordDiff.as_view(), name="api_record_diff"),
    path(f"{_RECORD}comments/", CommentList.as_view(), name="api_comments"),
    path(
        f"{_RECORD}comments/<int:pk>/resolve/",
        CommentResolve.as_view(),
        name="api_comment_resolve",
    ),
    path(f"{_RECORD}reviews/", ReviewAdd.as_view(), name="api_reviews"),
    path(f"{_RECORD}support/", SupportList.as_view(), name="api_support"),
    path(f"{_RECORD}export/", RecordExport.as_view(), name="api_record_export"),
    path("features/<str:ident>/why/", FeatureWhy.as_view(), name="api_why"),
    path("findings/", FindingList.as_view(), name="api_findings"),
    path("readings/", ReadingList.as_view(), name="api_readings"),
]
