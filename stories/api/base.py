"""What all of REST about records shares: how a record is found and shown, how refusals are told."""

from collections.abc import Iterable
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.problems import PreconditionFailed, PreconditionRequired, Problems
from stories.guards import Missing
from stories.merging import Clash
from stories.models import Record
from stories.operations import Conflict, NotAllowed, Refused, Stale
from stories.serializers import RecordDetailSerializer


# It answers what the operations on records refuse with everything that is missing. (A docstring
# would stand in REST's document, at each view that has none of its own.)
class RecordView(APIView):
    def handle_exception(self, error: Exception) -> Response:
        return super().handle_exception(_problem(error))


def _problem(error: Exception) -> Exception:
    if isinstance(error, NotAllowed):
        return Problems(403, "not-allowed", listed(error.missing))
    if isinstance(error, Refused):
        return Problems(422, "refused", listed(error.missing))
    if isinstance(error, Conflict):
        return Problems(412, "conflict", [_told(error, clash) for clash in error.clashes])
    if isinstance(error, Stale):
        return PreconditionFailed(str(error))
    return error


def listed(missing: Iterable[Missing]) -> list[dict[str, Any]]:
    return [{"code": each.code, "field": each.field, "detail": each.sentence} for each in missing]


def _told(conflict: Conflict, clash: Clash) -> dict[str, Any]:
    return {
        "field": clash.field,
        "detail": str(conflict),
        "base": clash.base,
        "theirs": clash.theirs,
        "mine": clash.mine,
        "merged": clash.merged,
    }


def find(ident: str) -> Record:
    records = Record.objects.select_related("source", "superseded_by", "merged_into")
    return get_object_or_404(records.by_ident(ident))


def present(ident: str) -> Record:
    return get_object_or_404(Record.objects.present().by_ident(ident))


def etag(record: Record) -> str:
    return f'"{record.ident}.v{record.version}"'


def shown(record: Record, **how: Any) -> Response:  # noqa: ANN401
    place = {"ETag": etag(record), "Location": f"/api/v1/records/{record.ident}/"}
    return Response(RecordDetailSerializer(record).data, headers=place, **how)


def version_of(request: Request, record: Record) -> int:
    """The version that the caller read; an older one is merged, one of another record refused."""
    given = request.headers.get("If-Match")
    if given is None:
        raise PreconditionRequired(_("Send If-Match with the ETag that you read."))
    ident, _v, number = given.strip().strip('"').rpartition(".v")
    if ident != record.ident or not number.isdecimal():
        raise PreconditionFailed(_("This is not the ETag of %s.") % record.ident)
    return int(number)


IF_READ = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag that you read; refused with 412 if the record was saved since.",
)


def current(request: Request, ident: str) -> Record:
    """The record; refused when the caller says which version it read, and there is a newer one."""
    record = present(ident)
    read = request.headers.get("If-Match", "*")
    if read != "*" and version_of(request, record) != record.version:
        raise PreconditionFailed(_("%s was saved since you read it. Read it again.") % ident)
    return record
