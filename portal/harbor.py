"""What the portal keeps in a Harbor for a tool: a project of its own, and robots for that alone.

Nothing here knows the database. Harbor's projects have no labels that could name an owner, and
`owner_name` is whoever made it: a project is ours if the portal's account made it, and a robot if
its description is the portal's. Everything else is left alone. Each call may be repeated.
"""

import base64
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from portal.registry import Look, no_cookies

TIMEOUT = httpx.Timeout(10.0, connect=3.05)
PAGE = 100
# What Harbor takes as a project's quota, in bytes.
LEAST, MOST = 1, 1024**5
MARK = "Made by the portal. Changes by hand are lost."
PULL = ("pull",)
PUSH_AND_PULL = ("pull", "push")


class HarborError(Exception):
    """Harbor did not do it now; asking again may help. A sentence for operators."""


class HarborForeign(Exception):
    """A sentence: somebody else's object has the name that the portal needs."""


@dataclass(frozen=True)
class Account:
    """Where a Harbor is, and as whom the portal speaks to it."""

    address: str
    name: str
    password: str


@dataclass(frozen=True)
class Robot:
    """A robot account with its secret, which Harbor tells once."""

    name: str
    secret: str

    def docker_config(self, host: str) -> str:
        """Docker's config.json that signs it in."""
        word = base64.b64encode(f"{self.name}:{self.secret}".encode()).decode()
        return json.dumps({"auths": {host: {"auth": word}}})


def project_of(tool: str) -> str:
    return f"tool-{tool}"


class Harbor:
    """A Harbor as its API v2.0 shows it. Raises HarborError and HarborForeign, nothing else."""

    def __init__(self, account: Account, *, timeout: httpx.Timeout = TIMEOUT) -> None:
        self._account = account
        self._client = httpx.Client(
            base_url=f"{account.address.rstrip('/')}/api/v2.0/",
            auth=(account.name, account.password),
            timeout=timeout,
            trust_env=False,
            cookies=no_cookies(),
        )

    def __enter__(self) -> "Harbor":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def look(self) -> Look:
        """Its version, and which of its parts it says are ill."""
        health = _object(_good(self._ask("GET", "health")))
        parts = [each for each in health.get("components") or [] if each["status"] != "healthy"]
        ill = ", ".join(f"{each['name']} {each.get('error', '')}".strip() for each in parts)
        found = _object(_good(self._ask("GET", "systeminfo")))
        # Both are answered to anybody; this only to those who may do what the portal has to.
        _good(self._ask("GET", "quotas", params={"page_size": "1"}))
        trouble = f"Harbor says that a part of it is ill: {ill}" if ill else ""
        return Look(str(found.get("harbor_version", "")), trouble)

    def keep_project(self, tool: str, *, storage: int) -> int:
        """Have a private project with this quota, and change only what differs; bytes in use."""
        storage = min(max(storage, LEAST), MOST)
        project = self._project(tool) or self._make_project(tool, storage)
        quota = self._quota(project["project_id"])
        if quota["hard"]["storage"] != storage:
            hard = {"hard": {"storage": storage}}
            _good(self._ask("PUT", f"quotas/{quota['id']}", json=hard))
        return int(quota["used"]["storage"])

    def remove_project(self, tool: str) -> None:
        """Delete the tool's project with its robots and images; one that is gone is fine."""
        if self._project(tool) is None:
            return
        self.remove_robots(tool, but=())
        for repository in list(self._pages(f"projects/{project_of(tool)}/repositories", {})):
            self._delete(_place_of(repository["name"]))
        self._delete(f"projects/{project_of(tool)}")

    def new_robot(self, tool: str, name: str, *, actions: Collection[str], days: int) -> Robot:
        """A robot for the tool's project alone. The name must be new: secrets are told once."""
        body = {
            "name": name,
            "description": MARK,
            "level": "project",
            "duration": days,
            "disable": False,
            "permissions": [_permission(project_of(tool), actions)],
        }
        answer = self._ask("POST", "robots", json=body)
        if answer.status_code == httpx.codes.CONFLICT:
            raise HarborForeign(f"There is a robot {name} in {project_of(tool)} already.")
        made = _object(_good(answer))
        return Robot(str(made["name"]), str(made["secret"]))

    def remove_robots(self, tool: str, *, but: Collection[str], named: str = "") -> None:
        """End our robots in the tool's project whose names begin so; `but` (full names) stay."""
        project = self._project(tool)
        if project is None:
            return
        asked = {"q": f"Level=project,ProjectID={project['project_id']}"}
        for robot in list(self._pages("robots", asked)):
            name = robot["name"].partition("+")[2]
            is_ours = robot.get("description") == MARK and name.startswith(named)
            if is_ours and robot["name"] not in but:
                self._delete(f"robots/{robot['id']}")

    def remove_image(self, repository: str, digest: str) -> None:
        """Delete it with all its tags; one that is gone already is fine."""
        self._delete(f"{_place_of(repository)}/artifacts/{digest}")

    def trim(self, tool: str, name: str, *, newest: int) -> int:
        """Delete all but the newest images of a repository in the tool's project; how many."""
        place = f"{_place_of(f'{project_of(tool)}/{name}')}/artifacts"
        found = sorted(self._pages(place, {}), key=lambda each: each["push_time"], reverse=True)
        for each in found[newest:]:
            self._delete(f"{place}/{each['digest']}")
        return len(found[newest:])

    def _project(self, tool: str) -> Any:  # noqa: ANN401
        """The tool's project, None if there is none. Raises HarborForeign if it is not ours."""
        name = project_of(tool)
        headers = {"X-Is-Resource-Name": "true"}
        answer = self._ask("GET", f"projects/{name}", headers=headers)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        project = _object(_good(answer))
        if project.get("owner_name") != self._account.name:
            owner = project.get("owner_name") or "somebody else"
            raise HarborForeign(
                f"The project {name} belongs to {owner}: the portal leaves it alone. "
                "Rename or remove it in Harbor."
            )
        return project

    def _make_project(self, tool: str, storage: int) -> Any:  # noqa: ANN401
        body = {
            "project_name": project_of(tool),
            "metadata": {"public": "false"},
            "storage_limit": storage,
        }
        answer = self._ask("POST", "projects", json=body)
        # Another worker may have been first.
        if answer.status_code != httpx.codes.CONFLICT:
            _good(answer)
        made = self._project(tool)
        if made is None:
            raise HarborError(f"Harbor does not show the project {project_of(tool)} that it has.")
        return made

    def _quota(self, project_id: int) -> Any:  # noqa: ANN401
        asked = {"reference": "project", "reference_id": str(project_id)}
        quota = next(self._pages("quotas", asked), None)
        if quota is None:
            raise HarborError("Harbor keeps no quotas: have its administrator turn them on.")
        return quota

    def _delete(self, path: str) -> None:
        answer = self._ask("DELETE", path)
        if answer.status_code != httpx.codes.NOT_FOUND:
            _good(answer)

    def _pages(self, path: str, asked: dict[str, str]) -> Iterator[Any]:
        page = 1
        while True:
            params = {**asked, "page": str(page), "page_size": str(PAGE)}
            answer = self._ask("GET", path, params=params)
            if answer.status_code == httpx.codes.NOT_FOUND:
                return
            rows = _json(_good(answer)) or []
            yield from rows
            if len(rows) < PAGE:
                return
            page += 1

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:  # noqa: ANN401
        try:
            return self._client.request(method, path, **more)
        except httpx.TimeoutException as error:
            raise HarborError("Harbor did not answer in time.") from error
        except httpx.HTTPError as error:
            raise HarborError(f"Harbor cannot be reached: {error}") from error


def _place_of(repository: str) -> str:
    """Harbor wants slashes in a repository's name below its project encoded twice."""
    project, _, name = repository.partition("/")
    return f"projects/{project}/repositories/{quote(quote(name, safe=''), safe='')}"


def _permission(project: str, actions: Collection[str]) -> dict[str, Any]:
    access = [{"resource": "repository", "action": action} for action in sorted(actions)]
    return {"kind": "project", "namespace": project, "access": access}


def _good(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise HarborError("Harbor does not accept the portal's name and password.")
    words = f"Harbor answered {answer.status_code}: {answer.text[:200]}"
    if answer.status_code == httpx.codes.FORBIDDEN:
        words += " Is the portal's account an administrator of Harbor?"
    raise HarborError(words)


def _json(answer: httpx.Response) -> Any:  # noqa: ANN401
    try:
        return answer.json()
    except ValueError as error:
        raise HarborError("Harbor's answer was no JSON.") from error


def _object(answer: httpx.Response) -> dict[str, Any]:
    found = _json(answer)
    if not isinstance(found, dict):
        raise HarborError("Harbor's answer was no object.")
    return found
