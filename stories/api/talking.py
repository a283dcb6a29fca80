"""REST: what people say about records, and what they are told."""

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from portal.accounts.permissions import RECORDS
from portal.tools.api import ReadOrSignIn, person
from portal.tools.models import Tool
from stories import operations
from stories.api.base import RecordView, find, present
from stories.models import Comment, Notification
from stories.serializers import (
    CommentSerializer,
    NotificationSerializer,
    ReviewSerializer,
    SupportSerializer,
    WatchSerializer,
)


class CommentList(RecordView):
    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(responses=CommentSerializer(many=True))
    def get(self, request: Request, ident: str) -> Response:
        comments: QuerySet[Comment] = find(ident).comments.select_related("author")
        comments = comments.prefetch_related("mentioned")
        return Response(CommentSerializer(comments, many=True).data)

    @extend_schema(request=CommentSerializer, responses={201: CommentSerializer})
    def post(self, request: Request, ident: str) -> Response:
        new = CommentSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        record = present(ident)
        comment = operations.add_comment(
            record,
            by=person(request),
            at=timezone.now(),
            **new.validated_data,
        )
        return Response(CommentSerializer(comment).data, status=status.HTTP_201_CREATED)


class CommentResolve(RecordView):
    required_role = "member"
    scopes = RECORDS
    permission_classes = [IsAuthenticated]

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, ident: str, pk: int) -> Response:
        comment = get_object_or_404(present(ident).comments.select_related("record"), pk=pk)
        operations.resolve_comment(comment, by=person(request), at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class ReviewAdd(RecordView):
    required_role = "member"
    scopes = RECORDS
    permission_classes = [IsAuthenticated]

    @extend_schema(request=ReviewSerializer, responses={201: ReviewSerializer})
    def post(self, request: Request, ident: str) -> Response:
        new = ReviewSerializer(data=request.data)
        new.is_valid(raise_exception=True)
        review = operations.review(
            present(ident),
            by=person(request),
            at=timezone.now(),
            **new.validated_data,
        )
        return Response(ReviewSerializer(review).data, status=status.HTTP_201_CREATED)


class SupportList(RecordView):
    """Who wants it, and why. PUT says that the caller does, DELETE takes it back."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(responses=SupportSerializer(many=True))
    def get(self, request: Request, ident: str) -> Response:
        supports = find(ident).supports.select_related("user", "tool")
        return Response(SupportSerializer(supports, many=True).data)

    @extend_schema(request=SupportSerializer, responses=SupportSerializer)
    def put(self, request: Request, ident: str) -> Response:
        wanted = SupportSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        given = dict(wanted.validated_data)
        name = (given.pop("tool", None) or {}).get("name")
        tool = get_object_or_404(Tool.objects.public(), name=name) if name else None
        found = operations.support(
            present(ident),
            by=person(request),
            at=timezone.now(),
            tool=tool,
            **given,
        )
        return Response(SupportSerializer(found).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, ident: str) -> Response:
        operations.withdraw_support(present(ident), by=person(request), at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class RecordWatch(RecordView):
    """What the caller is told of: every change, changes of status, or only mentions of them."""

    required_role = "member"
    scopes = RECORDS
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=WatchSerializer)
    def get(self, request: Request, ident: str) -> Response:
        return Response({"level": operations.watch_level(find(ident), person(request))})

    @extend_schema(request=WatchSerializer, responses=WatchSerializer)
    def put(self, request: Request, ident: str) -> Response:
        given = WatchSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        watch = operations.watch(
            present(ident),
            by=person(request),
            at=timezone.now(),
            **given.validated_data,
        )
        return Response(WatchSerializer(watch).data)


class NotificationList(RecordView, generics.GenericAPIView):
    """What the caller was told, newest first. DELETE marks all of it as read."""

    required_role = "member"
    scopes = RECORDS
    permission_classes = [IsAuthenticated]
    serializer_class = NotificationSerializer

    def get_queryset(self) -> QuerySet[Notification]:
        if getattr(self, "swagger_fake_view", False):
            return Notification.objects.none()
        return Notification.objects.filter(user=person(self.request)).select_related("record")

    @extend_schema(responses=NotificationSerializer(many=True))
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request) -> Response:
        operations.mark_read(person(request), at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)
