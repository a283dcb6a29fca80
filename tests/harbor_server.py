"""A small server that answers as Harbor's API v2.0 does, as far as the portal speaks to it."""

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

PREFIX = "/api/v2.0/"
ADMIN = "Basic " + base64.b64encode(b"portal:correct horse").decode()
# Whoever shows it is taken for a browser, which needs a token for changes.
SESSION = "sid=5f1d; Path=/; HttpOnly"
OPEN_TO_ALL = ("health", "systeminfo")
NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
UNLIMITED, MOST = -1, 1024**5
Row = dict[str, Any]
Answered = tuple[int, Any]


@dataclass(frozen=True)
class Exchange:
    """What was asked, with the path as it was sent, and what was answered."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    status: int
    answer: Any


Watch = Callable[[Exchange], None]


class Harbor:
    """What is in it; tests read and change it directly."""

    def __init__(self, watch: Watch | None = None) -> None:
        self.watch = watch
        self.projects: dict[int, Row] = {}
        self.quotas: dict[int, Row] = {}
        self.robots: dict[int, Row] = {}
        # Of a repository "project/name": its artifacts.
        self.artifacts: dict[str, list[Row]] = {}
        # Names of the parts that are.
        self.ill: set[str] = set()
        # Answer everything with this status, or after this many seconds.
        self.broken = 0
        self.delay = threading.Event()
        self.is_slow = False
        # (method, path) in the order in which they came.
        self.asked: list[tuple[str, str]] = []
        # Whether the account may see quotas, and change them.
        self.is_admin = True
        self.address = ""
        self._last = 0

    def number(self) -> int:
        self._last += 1
        return self._last

    def project(self, name: str) -> Row | None:
        return next((each for each in self.projects.values() if each["name"] == name), None)

    def changes(self) -> list[tuple[str, str]]:
        return [each for each in self.asked if each[0] != "GET"]

    def answer(self, method: str, path: str, query: Row, body: Any) -> Answered:
        kind, *rest = path.split("/")
        act = getattr(self, f"{method.lower()}_{kind}", None)
        return act(rest, query, body) if act else (405, _error("METHOD_NOT_ALLOWED"))

    def get_projects(self, rest: list[str], query: Row, body: Any) -> Answered:
        if len(rest) == 1:
            found = self.project(rest[0])
            return (200, found) if found else (404, _error("NOT_FOUND"))
        if rest[1:] == ["repositories"]:
            names = [name for name in self.artifacts if name.startswith(f"{rest[0]}/")]
            return 200, [{"name": name} for name in names]
        return 200, self.artifacts.get(f"{rest[0]}/{unquote(unquote(rest[2]))}", [])

    def post_projects(self, rest: list[str], query: Row, body: Any) -> Answered:
        # What says nothing of storage gets what is usual.
        storage = body.get("storage_limit") or UNLIMITED
        if not (NAME.fullmatch(body["project_name"]) and _is_limit(storage)):
            return 400, _error("BAD_REQUEST")
        if self.project(body["project_name"]):
            return 409, _error("CONFLICT")
        number = self.number()
        self.projects[number] = {
            "project_id": number,
            "name": body["project_name"],
            "owner_name": "portal",
            "metadata": dict(body.get("metadata") or {}),
        }
        hard, used = {"storage": storage}, {"storage": 0}
        self.quotas[number] = {"id": number, "ref": {"id": number}, "hard": hard, "used": used}
        return 201, None

    def delete_projects(self, rest: list[str], query: Row, body: Any) -> Answered:
        project = self.project(rest[0])
        if project is None:
            return 404, _error("NOT_FOUND")
        if len(rest) == 1:
            return self._delete_project(project)
        name = f"{rest[0]}/{unquote(unquote(rest[2]))}"
        if len(rest) == 3:
            gone = self.artifacts.pop(name, None)
            return (404, _error("NOT_FOUND")) if gone is None else (200, None)
        kept = [each for each in self.artifacts.get(name, []) if each["digest"] != rest[4]]
        if len(kept) == len(self.artifacts.get(name, [])):
            return 404, _error("NOT_FOUND")
        self.artifacts[name] = kept
        return 200, None

    def _delete_project(self, project: Row) -> Answered:
        """Only without repositories; its quota and its robots go with it."""
        if any(name.startswith(f"{project['name']}/") for name in self.artifacts):
            return 412, _error("PRECONDITION")
        del self.projects[project["project_id"]], self.quotas[project["project_id"]]
        for number in [each["id"] for each in self._robots_of(project)]:
            del self.robots[number]
        return 200, None

    def get_quotas(self, rest: list[str], query: Row, body: Any) -> Answered:
        if not self.is_admin:
            return 403, _error("FORBIDDEN")
        wanted = query.get("reference_id")
        rows = self.quotas.values()
        return 200, [each for each in rows if wanted in (None, str(each["ref"]["id"]))]

    def put_quotas(self, rest: list[str], query: Row, body: Any) -> Answered:
        if not _is_limit(body["hard"]["storage"]):
            return 400, _error("BAD_REQUEST")
        self.quotas[int(rest[0])]["hard"] = body["hard"]
        return 200, None

    def get_health(self, rest: list[str], query: Row, body: Any) -> Answered:
        parts = [{"name": name, "status": "healthy"} for name in ("core", "database", "registry")]
        for each in parts:
            if each["name"] in self.ill:
                each |= {"status": "unhealthy", "error": "failed to ping"}
        status = "unhealthy" if self.ill else "healthy"
        return 200, {"status": status, "components": parts}

    def get_systeminfo(self, rest: list[str], query: Row, body: Any) -> Answered:
        """Its version is for those who signed in."""
        return 200, {"auth_mode": "db_auth", "harbor_version": "v2.13.1-6b0e9d5c"}

    def get_robots(self, rest: list[str], query: Row, body: Any) -> Answered:
        wanted = dict(each.split("=") for each in query["q"].split(","))
        project = self.projects.get(int(wanted["ProjectID"]))
        if wanted["Level"] != "project" or project is None:
            return 400, _error("BAD_REQUEST")
        return 200, self._robots_of(project)

    def post_robots(self, rest: list[str], query: Row, body: Any) -> Answered:
        if not (NAME.fullmatch(body["name"]) and (body["duration"] == -1 or body["duration"] > 0)):
            return 400, _error("BAD_REQUEST")
        project = self.project(body["permissions"][0]["namespace"])
        if project is None:
            return 404, _error("NOT_FOUND")
        name = f"robot${project['name']}+{body['name']}"
        if any(each["name"] == name for each in self.robots.values()):
            return 409, _error("CONFLICT")
        number = self.number()
        self.robots[number] = {**body, "id": number, "name": name, "editable": True}
        return 201, {"id": number, "name": name, "secret": f"Secret{number}", "expires_at": 0}

    def _robots_of(self, project: Row) -> list[Row]:
        rows = self.robots.values()
        return [each for each in rows if each["permissions"][0]["namespace"] == project["name"]]

    def delete_robots(self, rest: list[str], query: Row, body: Any) -> Answered:
        found = self.robots.pop(int(rest[0]), None)
        return (200, None) if found else (404, _error("NOT_FOUND"))


def _is_limit(storage: int) -> bool:
    return storage == UNLIMITED or 0 < storage <= MOST


def _error(code: str) -> Row:
    return {"errors": [{"code": code, "message": code.lower()}]}


class _Handler(BaseHTTPRequestHandler):
    harbor: Harbor

    def _do(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.harbor.asked.append((self.command, parts.path))
        if self.harbor.is_slow:
            self.harbor.delay.wait(10)
        if self.harbor.broken:
            return self._send(self.harbor.broken, _error("BROKEN"))
        path = parts.path.removeprefix(PREFIX)
        status, found = self._answer(path, query, body)
        total = len(found) if isinstance(found, list) else None
        found = found if total is None else _page(found, query)
        if self.harbor.watch:
            headers = dict(self.headers)
            self.harbor.watch(Exchange(self.command, path, query, headers, body, status, found))
        return self._send(status, found, total)

    def _answer(self, path: str, query: Row, body: Any) -> Answered:
        is_known = self.headers.get("Authorization") == ADMIN
        if "sid=" in self.headers.get("Cookie", "") and self.command != "GET":
            return 403, _error("FORBIDDEN")
        if not (is_known or path in OPEN_TO_ALL):
            return 401, _error("UNAUTHORIZED")
        status, found = self.harbor.answer(self.command, path, query, body)
        if not is_known and path == "systeminfo":
            found.pop("harbor_version")
        return status, found

    def _send(self, status: int, found: Any, total: int | None = None) -> None:
        data = b"" if found is None else json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Set-Cookie", SESSION)
        if total is not None:
            self.send_header("X-Total-Count", str(total))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = _do

    def log_message(self, format: str, *args: Any) -> None:
        """Tests say what went wrong."""


def _page(rows: list[Any], query: Row) -> list[Any]:
    """Of 10 unless more is asked for, and of 100 at most."""
    size, page = min(int(query.get("page_size", 10)), 100), int(query.get("page", 1))
    return rows[(page - 1) * size : page * size]


@contextmanager
def serving(watch: Watch | None = None) -> Iterator[Harbor]:
    """With `watch` told of each answer, but for those that a test had it break."""
    harbor = Harbor(watch)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"harbor": harbor}))
    server.daemon_threads = True
    harbor.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield harbor
    finally:
        harbor.delay.set()
        server.shutdown()
        server.server_close()
        thread.join()
