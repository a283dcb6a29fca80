"""REST: filters of lists that people keep under a name."""

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
from stories.api.base import RecordView
from stories.kinds import KINDS
from stories.models import SavedView
from stories.serializers import SavedViewChangeSerializer, SavedViewSerializer


class SavedViewList(RecordView, generics.GenericAPIView):
    """The caller's own saved views and those that others share. POST keeps one."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]
    serializer_class = SavedViewSerializer

    def get_queryset(self) -> QuerySet[SavedView]:
        views = SavedView.objects.shown_to(self.request.user)
        kind = self.request.query_params.get("kind")
        return views.filter(kind=kind) if kind else views

    @extend_schema(
        parameters=[OpenApiParameter("kind", str, enum=sorted(KINDS))],
        responses=SavedViewSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(request=SavedViewSerializer, responses={201: SavedViewSerializer})
    def post(self, request: Request) -> Response:
        new = SavedViewSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        by, now = person(request), timezone.now()
        view = operations.save_view(by=by, at=now, **new.validated_data)
        return Response(SavedViewSerializer(view).data, status=status.HTTP_201_CREATED)


class SavedViewDetail(RecordView):
    """A view of the caller's own; administrators may change and delete those that are shared."""

    required_role = "member"
    scopes = RECORDS
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=SavedViewSerializer)
    def get(self, request: Request, pk: int) -> Response:
        view = get_object_or_404(SavedView.objects.shown_to(person(request)), pk=pk)
        return Response(SavedViewSerializer(view).data)

    @extend_schema(request=SavedViewChangeSerializer, responses=SavedViewSerializer)
    def patch(self, request: Request, pk: int) -> Response:
        by = person(request)
        view = get_object_or_404(SavedView.objects.kept_by(by), pk=pk)
        change = SavedViewChangeSerializer(data=request.data)
        change.is_valid(raise_exception=True)
        operations.change_view(view, by=by, at=timezone.now(), **change.validated_data)
        return Response(SavedViewSerializer(view).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        by = person(request)
        view = get_object_or_404(SavedView.objects.kept_by(by), pk=pk)
        operations.delete_view(view, by=by, at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)
