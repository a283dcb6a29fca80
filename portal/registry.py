"""A registry as the OCI distribution protocol shows it: as much of it as the portal needs."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

TIMEOUT = httpx.Timeout(10.0, connect=3.05)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
# Manifests and configurations are small; more than this is neither.
LARGEST = 4 * 1024 * 1024
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class RegistryError(Exception):
    """The registry did not do it now; asking again may help. A sentence for operators."""


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


@dataclass(frozen=True)
class Look:
    """What a registry that answers says of itself; `trouble` is a sentence, or ""."""

    version: str
    trouble: str = ""


class Distribution:
    """Speaks to one registry, from `with` to its end. Raises RegistryError, nothing else."""

    def __init__(self, registry: Registry, *, timeout: httpx.Timeout = TIMEOUT) -> None:
        self._registry = registry
        self._client = httpx.Client(timeout=timeout, follow_redirects=True, cookies=no_cookies())

    def __enter__(self) -> "Distribution":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def look(self) -> Look:
        """What it speaks, such as registry/2.0: the protocol does not tell more."""
        answer = _good(self._ask("GET", ""))
        return Look(answer.headers.get("Docker-Distribution-Api-Version", "v2"))

    def read(self, repository: str, what: str) -> Any:  # noqa: ANN401
        """A manifest or a configuration, such as manifests/sha256:… or blobs/sha256:…"""
        answer = _good(self._ask("GET", f"{repository}/{what}"))
        if len(answer.content) > LARGEST:
            raise RegistryError(f"The registry's answer on {what} is too large.")
        try:
            return answer.json()
        except ValueError as error:
            raise RegistryError(f"The registry's answer on {what} is no JSON.") from error

    def remove_image(self, repository: str, digest: str) -> None:
        """Delete it with all its tags; one that is gone already is fine."""
        answer = self._ask("DELETE", f"{repository}/manifests/{digest}")
        if answer.status_code == httpx.codes.METHOD_NOT_ALLOWED:
            raise RegistryError(
                "The registry does not delete: turn that on (REGISTRY_STORAGE_DELETE_ENABLED)."
            )
        if answer.status_code != httpx.codes.NOT_FOUND:
            _good(answer)

    def _ask(self, method: str, what: str) -> httpx.Response:
        headers = {"Accept": ", ".join(MANIFESTS)}
        address = f"{self._registry.address}/v2/{what}"
        try:
            answer = self._client.request(method, address, headers=headers)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                headers["Authorization"] = self._sign_in(answer)
                answer = self._client.request(method, address, headers=headers)
        except httpx.TimeoutException as error:
            raise RegistryError("The registry did not answer in time.") from error
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise RegistryError(f"The registry cannot be reached: {error}") from error
        return answer

    def _sign_in(self, answer: httpx.Response) -> str:
        """The header that the challenge asks for: the registry's own word, or a token for it."""
        challenge = answer.headers.get("WWW-Authenticate", "")
        basic = self._registry.basic()
        if not challenge.lower().startswith("bearer"):
            return basic
        asked = dict(_CHALLENGE.findall(challenge))
        token = self._client.get(
            asked["realm"],
            params={name: asked[name] for name in ("service", "scope") if name in asked},
            headers={"Authorization": basic} if basic else {},
        )
        token.raise_for_status()
        given: Mapping[str, Any] = token.json()
        return f"Bearer {given.get('token') or given['access_token']}"


def no_cookies() -> CookieJar:
    """Stays empty: a Harbor takes whoever shows the session that it gave for a browser.

    From a browser it wants a token with every change.
    """
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


def _good(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise RegistryError("The registry does not accept the portal's credentials.")
    raise RegistryError(f"The registry answered {answer.status_code}: {answer.text[:200]}")
