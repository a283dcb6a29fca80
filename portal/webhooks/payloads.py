"""What senders post, read strictly, and made fit to keep and to show."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

# A payload is shown up to here; what decisions need of it is kept apart.
SHOWN = 64 * 1024
DEEPEST = 50
MASK = "••••••"
_SECRET_NAME = re.compile(
    r"secret|token|passw|authorization|api_?key|private_?key|credential", re.IGNORECASE
)
_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s\"]*@")
_SHORTEST_SECRET = 4


class Malformed(Exception):
    """A sentence about what is wrong with a payload."""


def read_payload(body: bytes, *, content_type: str) -> dict[str, Any]:
    """The JSON object in a body, or in the form field `payload` of it. Raises Malformed."""
    try:
        text = body.decode("utf-8")
        if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
            text = parse_qs(text, max_num_fields=10, errors="strict").get("payload", [""])[0]
    except ValueError as error:
        raise Malformed("The payload is not UTF-8 text.") from error
    try:
        data = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError as error:
        raise Malformed("The payload is nested too deeply.") from error
    except ValueError as error:
        raise Malformed(f"The payload is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise Malformed("The payload is not a JSON object.")
    _refuse_deep(data)
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("The payload names a key twice in one object.")
    return found


def _no_constant(name: str) -> None:
    raise Malformed(f"The payload holds {name}, which is not JSON.")


def _refuse_deep(data: object) -> None:
    """Level by level, so that depth costs no stack."""
    level: list[Any] = [data]
    for _number in range(DEEPEST):
        inner = [each.values() if isinstance(each, dict) else each for each in level]
        level = [x for values in inner for x in values if isinstance(x, dict | list)]
        if not level:
            return
    raise Malformed("The payload is nested too deeply.")


def text_at(data: object, *path: str) -> str:
    """The string at a place in a payload; empty when there is none, or something else."""
    found = at(data, *path)
    return found if isinstance(found, str) else ""


def at(data: object, *path: str) -> Any:  # noqa: ANN401 - whatever the sender put there
    """What is at a place in a payload; None when there is nothing."""
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data


def storable(text: str) -> str:
    """The text without what databases refuse: NUL, and halves of characters."""
    return text.replace("\0", "�").encode("utf-8", "replace").decode("utf-8")


def shown(data: Mapping[str, Any], *, secrets: Iterable[str]) -> str:
    """A payload as the delivery log shows it: secrets masked, cut where it gets long."""
    text = storable(json.dumps(_masked(data), indent=1, ensure_ascii=False))
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            # As it stands, and as it is written inside a JSON string.
            text = text.replace(json.dumps(secret, ensure_ascii=False)[1:-1], MASK)
    text = _IN_ADDRESS.sub(f"{MASK}@", text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}\n[…]"


def _masked(data: object) -> object:
    if isinstance(data, Mapping):
        return {
            name: MASK if _SECRET_NAME.search(name) and value else _masked(value)
            for name, value in data.items()
        }
    if isinstance(data, list):
        return [_masked(each) for each in data]
    return data
