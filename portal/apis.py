"""Which API an address belongs to, and how that says errors; loads nothing of Django."""

from collections.abc import Mapping
from typing import Any

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "/problems/"


def error_body(
    path: str, *, status: int, code: str, sentence: str
) -> tuple[Mapping[str, Any] | None, str]:
    """An error outside of any REST view and its content type, as the API at `path` says errors.

    None where the address belongs to no API.
    """
    if path.startswith("/builds/v1/"):
        return {"error": [sentence]}, "application/json"
    if not path.startswith("/api/"):
        return None, "text/plain"
    problem = {
        "type": TYPE_PREFIX + code,
        "title": code.replace("-", " ").capitalize(),
        "status": status,
        "detail": sentence,
        "instance": path,
    }
    return problem, CONTENT_TYPE
