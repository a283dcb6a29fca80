"""REST: a record in other forms: its trace, its outlook, texts that others read, a preview."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.accounts.permissions import RECORDS
from portal.tools.api import ReadOrSignIn
from stories import evidence, past, tracing
from stories.api.base import find
from stories.checks import outlooks
from stories.decisions import to_madr, to_wikitext
from stories.models import Record
from stories.serializers import (
    DaySerializer,
    OutlookSerializer,
    PaceSerializer,
    PastSerializer,
    PreviewSerializer,
    TraceSerializer,
)
from stories.text import render


class RecordTrace(APIView):
    """What leads to a record and what it leads to, as far as the tools that run."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(
        parameters=[OpenApiParameter("line", str, description="Of a meeting: one line, t4.l7.")],
        responses=TraceSerializer,
    )
    def get(self, request: Request, ident: str) -> Response:
        nodes, edges = tracing.trace(find(ident), request.query_params.get("line", ""))
        return Response(TraceSerializer({"nodes": nodes, "edges": edges}).data)


class RecordAsOf(APIView):
    """A record at the end of a day: text, links, findings, readings and outlooks of that day."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(parameters=[DaySerializer], responses=PastSerializer)
    def get(self, request: Request, ident: str) -> Response:
        asked = DaySerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        day = asked.validated_data["on"]
        found = past.look(find(ident), past.end_of(day))
        if found is None:
            raise NotFound(_("It was not there yet."))
        rows = [{"cluster": cluster, "seen": seen} for cluster, seen in past.outlooks(found)]
        shown = {"past": found, "on": day, "readings": _readings(found), "outlooks": rows}
        return Response(PastSerializer(shown).data)


def _readings(found: past.Past) -> list[dict[str, Any]]:
    names = evidence.named(found.record.fields) if found.record else []
    known = evidence.latest(names, found.moment.date())
    return [{"metric": name, "known": known.get(name, evidence.UNKNOWN)} for name in names]


class PolicyOutlook(APIView):
    """Where an upgrade policy, or another pace, leads each cluster that it governs."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]

    @extend_schema(parameters=[PaceSerializer], responses=OutlookSerializer(many=True))
    def get(self, request: Request, ident: str) -> Response:
        policy = get_object_or_404(Record.objects.present().filter(kind="UP").by_ident(ident))
        asked = PaceSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        pace = asked.validated_data.get("upgrades_per_year")
        found = outlooks(policy, timezone.now(), None if pace is None else float(pace))
        rows = [{"cluster": cluster, "seen": seen} for cluster, seen in found]
        return Response(OutlookSerializer(rows, many=True).data)


class DecisionMadr(APIView):
    """A decision as a Markdown Architectural Decision Record."""

    required_role = "public"
    scopes = RECORDS
    permission_classes = [ReadOrSignIn]
    write: ClassVar[Callable[..., str]] = staticmethod(to_madr)
    media_type = "text/markdown"

    @extend_schema(responses={(200, "text/markdown"): OpenApiTypes.STR})
    def get(self, request: Request, ident: str) -> HttpResponse:
        decision = get_object_or_404(Record.objects.filter(kind="DR").by_ident(ident))
        text = self.write(decision.snapshot())
        return HttpResponse(text, content_type=f"{self.media_type}; charset=utf-8")


class DecisionWikitext(DecisionMadr):
    """A decision in the sections of the decision request template on Wikitech."""

    write: ClassVar[Callable[..., str]] = staticmethod(to_wikitext)
    media_type = "text/plain"

    @extend_schema(responses={(200, "text/plain"): OpenApiTypes.STR})
    def get(self, request: Request, ident: str) -> HttpResponse:
        return super().get(request, ident)


class Preview(APIView):
    """Markdown as it will look, as safe HTML."""

    required_role = "member"
    scopes = RECORDS
    permission_classes = [IsAuthenticated]

    @extend_schema(request=PreviewSerializer, responses=PreviewSerializer)
    def post(self, request: Request) -> Response:
        given = PreviewSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(PreviewSerializer({"html": render(given.validated_data["text"])}).data)
