"""Harbor's own document of its API, and what of an exchange is not as it says."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import unquote

import yaml
from jsonschema import Draft4Validator, FormatChecker

from tests.cluster.components import HARBOR_API
from tests.harbor_server import Exchange, Harbor, serving

# What clients send that documents of an API leave out.
USUAL_HEADERS = {
    "accept", "accept-encoding", "authorization", "connection", "content-length", "content-type",
    "cookie", "host", "user-agent",
}  # fmt: skip
# What Harbor answers as well, as its source and later documents have it.
UNSAID = {
    ("get", "/projects/{project_name_or_id}"): ("403", "404"),
    ("post", "/projects"): ("403",),
    ("post", "/robots"): ("409",),
}
FORMATS = FormatChecker(formats=())
Row = dict[str, Any]


@FORMATS.checks("date-time", raises=ValueError)
def _is_time(text: Any) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


class Document:
    """A document of Swagger 2.0. What it does not know is wrong, in requests and in answers."""

    def __init__(self, text: str) -> None:
        self._parts = _closed(yaml.load(text, Loader=yaml.CSafeLoader))
        # Of several that fit, a path with fewer parameters is meant.
        self._paths = sorted(self._parts["paths"], key=lambda path: path.count("{"))

    def faults(self, exchange: Exchange) -> list[str]:
        what = f"{exchange.method} {exchange.path}"
        return [f"{what}: {each}" for each in self._faults(exchange)]

    def _faults(self, exchange: Exchange) -> Iterator[str]:
        method = exchange.method.lower()
        for path in self._paths:
            found = re.fullmatch(_pattern(path), f"/{exchange.path}")
            if found and (operation := self._parts["paths"][path].get(method)):
                yield from self._in_request(operation, exchange, found.groupdict())
                unsaid = UNSAID.get((method, path), ())
                yield from self._in_answer(operation["responses"], unsaid, exchange)
                return
        yield "there is no such operation"

    def _in_request(self, operation: Row, exchange: Exchange, in_path: Row) -> Iterator[str]:
        parameters = [self._resolved(each) for each in operation["parameters"]]
        known = {_place(each["in"], each["name"]): each for each in parameters}
        given = _given(exchange, in_path)
        for place in given.keys() - known.keys():
            yield f"{' '.join(place).strip()} is unknown"
        for place, parameter in known.items():
            if place in given:
                schema = parameter.get("schema") or _without_required(parameter)
                yield from self._misfits(schema, _typed(given[place], schema.get("type")))
            elif parameter.get("required"):
                yield f"{' '.join(place).strip()} is missing"

    def _in_answer(self, known: Row, unsaid: Collection[str], exchange: Exchange) -> Iterator[str]:
        code = str(exchange.status)
        among = self._parts["responses"] if code in unsaid else known
        response = self._resolved(among.get(code, {}))
        if not response:
            yield f"is not answered by {code}"
        elif "schema" in response:
            yield from self._misfits(response["schema"], exchange.answer)
        elif exchange.answer is not None:
            yield f"{code} has no body"

    def _resolved(self, part: Row) -> Row:
        """Itself, or the parameter or response that it refers to."""
        if "$ref" not in part:
            return part
        _, kind, name = part["$ref"].split("/")
        return dict(self._parts[kind][name])

    def _misfits(self, schema: Row, value: Any) -> Iterator[str]:
        whole = schema | {"definitions": self._parts["definitions"]}
        for error in Draft4Validator(whole, format_checker=FORMATS).iter_errors(value):
            yield f"{error.json_path}: {error.message}"


def _closed(part: Any) -> Any:
    """With objects that have no properties but those that are named."""
    if isinstance(part, list):
        return [_closed(each) for each in part]
    if not isinstance(part, dict):
        return part
    closed = {key: _closed(each) for key, each in part.items()}
    if closed.get("type") == "object" and "properties" in closed:
        closed.setdefault("additionalProperties", False)
    if closed.get("x-nullable") and "type" in closed:
        closed["type"] = [closed["type"], "null"]
    return closed


def _pattern(path: str) -> str:
    return re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)


def _place(where: str, name: str) -> tuple[str, str]:
    """There is one body, whatever its name, and headers are written as one likes."""
    return (where, "") if where == "body" else (where, name.lower() if where == "header" else name)


def _given(exchange: Exchange, in_path: Row) -> dict[tuple[str, str], Any]:
    body = {} if exchange.body is None else {"": exchange.body}
    headers = {name: v for name, v in exchange.headers.items() if name.lower() not in USUAL_HEADERS}
    path = {name: unquote(value) for name, value in in_path.items()}
    parts = {"path": path, "query": exchange.query, "header": headers, "body": body}
    return {_place(where, name): v for where, part in parts.items() for name, v in part.items()}


def _without_required(parameter: Row) -> Row:
    """What is a claim on a parameter is a list of properties in a schema."""
    schema = {key: value for key, value in parameter.items() if key != "required"}
    # A slash inside a part of a path is to be encoded twice.
    return schema | ({"pattern": "^[^/]+$"} if schema["in"] == "path" else {})


def _typed(value: Any, kind: Any) -> Any:
    if kind == "integer" and re.fullmatch(r"-?\d+", value):
        return int(value)
    if kind == "boolean":
        return {"true": True, "false": False}.get(value, value)
    return value


@cache
def document() -> Document:
    return Document((HARBOR_API.source() / "api" / "v2.0" / "swagger.yaml").read_text())


@contextmanager
def serving_by_the_document() -> Iterator[Harbor]:
    """Fails at its end if the portal or the server was not as Harbor's document has it."""
    faults: list[str] = []
    known = document()
    with serving(lambda exchange: faults.extend(known.faults(exchange))) as harbor:
        yield harbor
    assert not faults, "\n".join(faults)
