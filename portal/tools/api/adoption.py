"""REST: tools that somebody wants to take over."""

from collections.abc import Callable
from typing import ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.accounts.models import User
from portal.accounts.permissions import TOOLS
from portal.tools import operations
from portal.tools.api.callers import AdminsOnly, person
from portal.tools.models import Adoption, Tool
from portal.tools.serializers import AdoptionAnswerSerializer, AdoptionSerializer


class AdoptionList(generics.ListAPIView):
    """What you asked for and are asked for; everything for an admin. `?open=1` leaves the rest."""

    required_role = "member"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]
    serializer_class = AdoptionSerializer

    def get_queryset(self) -> QuerySet[Adoption]:
        if getattr(self, "swagger_fake_view", False):
            return Adoption.objects.none()
        found = Adoption.objects.visible_to(person(self.request)).select_related("tool", "asker")
        return found.open() if self.request.query_params.get("open") in ("1", "true") else found

    @extend_schema(parameters=[OpenApiParameter("open", bool)])
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        return super().get(request, *args, **kwargs)


class ToolAdoption(APIView):
    """Ask for a tool that nobody seems to keep any more."""

    required_role = "member"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]

    @extend_schema(request=AdoptionSerializer, responses={201: AdoptionSerializer})
    def post(self, request: Request, name: str) -> Response:
        tool = get_object_or_404(Tool.objects.public(), name=name)
        asked = AdoptionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        why, by, now = asked.validated_data["why"], person(request), timezone.now()
        adoption = operations.ask_to_adopt(tool, why=why, by=by, at=now)
        return Response(AdoptionSerializer(adoption).data, status=status.HTTP_201_CREATED)


class Answer(APIView):
    """What the verbs have in common: who may answer is part of the query."""

    required_role = "member"
    scopes = TOOLS
    permission_classes = [IsAuthenticated]
    operation: ClassVar[Callable[..., None]]

    def answerable(self, by: User) -> QuerySet[Adoption]:
        return Adoption.objects.answered_by(by)

    @extend_schema(request=AdoptionAnswerSerializer, responses=AdoptionSerializer)
    def post(self, request: Request, pk: int) -> Response:
        by = person(request)
        adoption = get_object_or_404(self.answerable(by).select_related("tool", "asker"), pk=pk)
        said = AdoptionAnswerSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        operation, reason = type(self).operation, said.validated_data["reason"]
        operation(adoption, by=by, at=timezone.now(), reason=reason)
        return Response(AdoptionSerializer(adoption).data)


class AdoptionAgree(Answer):
    operation = staticmethod(operations.agree)


class AdoptionObject(Answer):
    operation = staticmethod(operations.object_to)


class AdoptionWithdraw(Answer):
    operation = staticmethod(operations.withdraw_adoption)

    def answerable(self, by: User) -> QuerySet[Adoption]:
        return Adoption.objects.asked_by(by)


class AdoptionGrant(Answer):
    required_role = "admin"
    permission_classes = [AdminsOnly]
    operation = staticmethod(operations.grant_adoption)

    def answerable(self, by: User) -> QuerySet[Adoption]:
        return Adoption.objects.all()


class AdoptionRefuse(AdoptionGrant):
    operation = staticmethod(operations.refuse_adoption)
