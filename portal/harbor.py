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

TIMEOUT = httpx.Timeout(10.0, connect=3.05)
PAGE = 100
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


@dataclass(frozen=True)
class Storage:
    """Bytes; a limit of -1 is none."""

    used: int
    limit: int


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
        )

    def __enter__(self) -> "Harbor":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def keep_project(self, tool: str, *, storage: int, newest: int) -> None:
        """Have a private project with this quota and retention; change only what differs."""
        project = self._project(tool) or self._make_project(tool, storage)
        self._keep_quota(project["project_id"], storage)
        self._keep_retention(project, newest)

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

    def remove_robots(self, tool: str, *, but: Collection[str]) -> None:
        """End our robots in the tool's project but these (full names); others' stay."""
        project = self._project(tool)
        if project is None:
            return
        asked = {"q": f"Level=project,ProjectID={project['project_id']}"}
        for robot in list(self._pages("robots", asked)):
            if robot.get("description") == MARK and robot["name"] not in but:
                self._delete(f"robots/{robot['id']}")

    def storage_of(self, tool: str) -> Storage | None:
        """None for a tool without a project."""
        project = self._project(tool)
        if project is None:
            return None
        quota = self._quota(project["project_id"])
        return Storage(int(quota["used"]["storage"]), int(quota["hard"]["storage"]))

    def remove_images(self, tool: str, *, needed: Collection[str], newest: int) -> list[str]:
        """Delete what is neither needed (digests) nor among the newest; gives back digests."""
        if self._project(tool) is None:
            return []
        removed: list[str] = []
        for repository in list(self._pages(f"projects/{project_of(tool)}/repositories", {})):
            removed += self._remove_artifacts(repository["name"], set(needed), newest)
        return removed

    def _remove_artifacts(self, repository: str, needed: set[str], newest: int) -> list[str]:
        project, _, name = repository.partition("/")
        # Harbor wants slashes in a repository's name encoded twice.
        place = f"projects/{project}/repositories/{quote(quote(name, safe=''), safe='')}/artifacts"
        found = sorted(self._pages(place, {}), key=lambda each: each["push_time"], reverse=True)
        old = [each["digest"] for each in found[newest:] if each["digest"] not in needed]
        for digest in old:
            self._delete(f"{place}/{digest}")
        return old

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

    def _keep_quota(self, project_id: int, storage: int) -> None:
        quota = self._quota(project_id)
        if quota["hard"]["storage"] != storage:
            hard = {"hard": {"storage": storage}}
            _good(self._ask("PUT", f"quotas/{quota['id']}", json=hard))

    def _keep_retention(self, project: Any, newest: int) -> None:  # noqa: ANN401
        wanted = retention(project["project_id"], newest)
        number = (project.get("metadata") or {}).get("retention_id")
        if not number:
            _good(self._ask("POST", "retentions", json=wanted))
            return
        known = _object(_good(self._ask("GET", f"retentions/{number}")))
        if _kept(known) != newest:
            _good(self._ask("PUT", f"retentions/{number}", json={**wanted, "id": int(number)}))

    def _delete(self, path: str) -> None:
        answer = self._ask("DELETE", path)
        if answer.status_code != httpx.codes.NOT_FOUND:
            _good(answer)

    def _pages(self, path: str, asked: dict[str, str]) -> Iterator[Any]:
        page = 1
        while True:
            params = {**asked, "page": str(page), "page_size": str(PAGE)}
            rows = _json(_good(self._ask("GET", path, params=params))) or []
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


def retention(project_id: int, newest: int) -> dict[str, Any]:
    """Harbor's policy that keeps the newest of each repository; it runs when we say so alone."""
    everything = {"kind": "doublestar", "pattern": "**"}
    rule = {
        "action": "retain",
        "template": "latestPushedK",
        "params": {"latestPushedK": newest},
        "tag_selectors": [{**everything, "decoration": "matches"}],
        "scope_selectors": {"repository": [{**everything, "decoration": "repoMatches"}]},
    }
    return {
        "algorithm": "or",
        "rules": [rule],
        "scope": {"level": "project", "ref": project_id},
        "trigger": {"kind": "Schedule", "settings": {"cron": ""}},
    }


def _kept(policy: Any) -> int | None:  # noqa: ANN401
    rules = policy.get("rules") or []
    return (rules[0].get("params") or {}).get("latestPushedK") if len(rules) == 1 else None


def _permission(project: str, actions: Collection[str]) -> dict[str, Any]:
    access = [{"resource": "repository", "action": action} for action in sorted(actions)]
    return {"kind": "project", "namespace": project, "access": access}


def _good(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise HarborError("Harbor does not accept the portal's name and password.")
    raise HarborError(f"Harbor answered {answer.status_code}: {answer.text[:200]}")


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
