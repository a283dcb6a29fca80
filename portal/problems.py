"""Errors of the REST API as RFC 9457 problem details: a sentence, and what it is about."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, JsonResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from portal.apis import CONTENT_TYPE, TYPE_PREFIX, error_body
from portal.refusals import Refused, Stale


class Conflict(exceptions.APIException):
    """What was asked for cannot be done as things stand."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class Unavailable(exceptions.APIException):
    """What would have to be asked for the answer is away; asking again later is right."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "unavailable"


class PreconditionFailed(exceptions.APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_code = "stale"


class PreconditionRequired(exceptions.APIException):
    status_code = status.HTTP_428_PRECONDITION_REQUIRED
    default_code = "if-match-missing"


class Unprocessable(exceptions.APIException):
    """A value is wrong; `field` names the one, or is empty."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "invalid"

    def __init__(self, sentence: str, *, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


class Problems(exceptions.APIException):
    """Several things that are in the way, each with a sentence in `detail`."""

    def __init__(self, status_code: int, code: str, errors: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(" ".join(str(each["detail"]) for each in errors))
        self.status_code, self.default_code, self.errors = status_code, code, errors


def handle(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler, with problem details as the body; knows what operations refuse."""
    if isinstance(error, Refused):
        error = _refusal(error)
    response = exception_handler(error, dict(context))
    if response is None:
        return None
    code = _code(error)
    errors = _errors(error)
    response.data = {
        "type": TYPE_PREFIX + code,
        "title": code.replace("-", " ").capitalize(),
        "status": response.status_code,
        "detail": errors[0]["detail"] if errors else str(_detail(error)),
        "instance": context["request"].path,
        **({"errors": errors} if errors else {}),
    }
    response.content_type = CONTENT_TYPE
    return response


def error_response(path: str, *, status: int, code: str, sentence: str) -> JsonResponse | None:
    """The same as an answer; None for a page."""
    body, content_type = error_body(path, status=status, code=code, sentence=sentence)
    return JsonResponse(body, status=status, content_type=content_type) if body else None


def _refusal(refused: Refused) -> exceptions.APIException:
    """It is about a version, a value, or the state of things."""
    if isinstance(refused, Stale):
        return PreconditionFailed(str(refused))
    if refused.field:
        return Unprocessable(str(refused), field=refused.field)
    return Conflict(str(refused))


def _code(error: Exception) -> str:
    if isinstance(error, Http404):
        return "not-found"
    if isinstance(error, PermissionDenied):
        return "permission-denied"
    return str(getattr(error, "default_code", "error")).replace("_", "-")


def _detail(error: Exception) -> str:
    if isinstance(error, Http404):
        return _("There is nothing here, or nothing that you may see.")
    return str(getattr(error, "detail", "")) or _("You may not do this.")


def _errors(error: Exception) -> Sequence[Mapping[str, Any]]:
    """What is wrong with which field; empty for errors that are not about fields."""
    if isinstance(error, Problems):
        return error.errors
    if isinstance(error, Unprocessable):
        return [{"field": error.field, "detail": str(error.detail)}]
    if isinstance(error, exceptions.ValidationError):
        return list(_flat(error.detail))
    return []


def _flat(detail: Any, field: str = "") -> list[dict[str, str]]:  # noqa: ANN401
    if isinstance(detail, dict):
        inner = [(f"{field}.{name}".strip("."), value) for name, value in detail.items()]
        return [each for name, value in inner for each in _flat(value, name)]
    if isinstance(detail, list):
        return [each for value in detail for each in _flat(value, field)]
    return [{"field": field, "detail": str(detail)}]


PROBLEM_SCHEMA = {
    "type": "object",
    "description": "Problem details, see RFC 9457.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}


def leave_out_toolforge(endpoints: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Toolforge's builds API has a document of its own, at /builds/openapi.json."""
    return [each for each in endpoints if not each[0].startswith("/builds/")]


def document_problems(result: dict[str, Any], **_kwargs: object) -> dict[str, Any]:
    """Tell the OpenAPI document that every operation may answer with a problem."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in result["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict) and "responses" in operation:
                operation["responses"]["default"] = {
                    "description": "Anything that went wrong.",
                    "content": content,
                }
    return result
