"""What an image in a registry says of itself: as much of the registry's protocol as that takes."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from builds.engines.base import BuiltImage, EngineError

TIMEOUT = httpx.Timeout(10.0, connect=3.05)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
# A configuration is small; more than this is not one.
LARGEST = 4 * 1024 * 1024
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Registry:
    """A registry's host, and what Docker's config.json says of how to sign in."""

    host: str
    is_insecure: bool = False
    credentials: str = ""

    @property
    def address(self) -> str:
        return f"{'http' if self.is_insecure else 'https'}://{self.host}"

    def basic(self) -> str:
        """The value of an Authorization header, or ""."""
        known = json.loads(self.credentials or "{}").get("auths", {})
        entry = known.get(self.host) or known.get(self.address) or {}
        word = entry.get("auth", "")
        if not word and entry.get("username"):
            pair = f"{entry['username']}:{entry.get('password', '')}"
            word = base64.b64encode(pair.encode()).decode()
        return f"Basic {word}" if word else ""


def describe(registry: Registry, repository: str, digest: str) -> BuiltImage:
    """An image as its manifest and labels tell. Raises EngineError: asking again may help."""
    with httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
        manifest = _get(client, registry, repository, f"manifests/{digest}")
        config = _get(client, registry, repository, f"blobs/{manifest['config']['digest']}")
    labels = (config.get("config") or {}).get("Labels") or {}
    build = json.loads(labels.get("io.buildpacks.build.metadata") or "{}")
    lifecycle = json.loads(labels.get("io.buildpacks.lifecycle.metadata") or "{}")
    size = manifest["config"]["size"] + sum(layer["size"] for layer in manifest["layers"])
    processes = {each["type"]: _command(each) for each in build.get("processes") or []}
    return BuiltImage(
        digest=digest,
        reference=f"{registry.host}/{repository}@{digest}",
        size=size,
        processes=processes,
        default_process=_default(build, config, processes),
        buildpacks=tuple(f"{each['id']}@{each['version']}" for each in build.get("buildpacks", [])),
        run_image=str((lifecycle.get("runImage") or {}).get("reference", "")),
    )


def _command(process: Mapping[str, Any]) -> tuple[str, ...]:
    command = process.get("command") or []
    words = [command] if isinstance(command, str) else list(command)
    return tuple(words + list(process.get("args") or []))


def _default(build: Mapping[str, Any], config: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """The default process is what the entry point names: /cnb/process/<type>."""
    entry = ((config.get("config") or {}).get("Entrypoint") or [""])[0]
    name = str(build.get("buildpack-default-process-type") or entry.rpartition("/process/")[2])
    return name if name in known else ""


def _get(client: httpx.Client, registry: Registry, repository: str, what: str) -> Any:  # noqa: ANN401
    headers = {"Accept": ", ".join(MANIFESTS)}
    address = f"{registry.address}/v2/{repository}/{what}"
    try:
        answer = client.get(address, headers=headers)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            headers["Authorization"] = _sign_in(client, registry, answer)
            answer = client.get(address, headers=headers)
        answer.raise_for_status()
        if len(answer.content) > LARGEST:
            raise EngineError(f"The registry's answer on {what} is too large.")
        return answer.json()
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise EngineError(f"The registry {registry.host} cannot be read: {error}") from error


def _sign_in(client: httpx.Client, registry: Registry, answer: httpx.Response) -> str:
    """The header that the registry's challenge asks for: its own word, or a token got for it."""
    challenge = answer.headers.get("WWW-Authenticate", "")
    basic = registry.basic()
    if not challenge.lower().startswith("bearer"):
        return basic
    asked = dict(_CHALLENGE.findall(challenge))
    token = client.get(
        asked["realm"],
        params={name: asked[name] for name in ("service", "scope") if name in asked},
        headers={"Authorization": basic} if basic else {},
    )
    token.raise_for_status()
    given = token.json()
    return f"Bearer {given.get('token') or given['access_token']}"
