"""A real cluster: the only module that imports the Kubernetes client, and its errors end here."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from portal.cluster.base import (
    MANAGER,
    Absent,
    Access,
    Change,
    ClusterError,
    ClusterRefused,
    ClusterUnavailable,
    Conflict,
    CredentialsRefused,
    ForeignObject,
    Listing,
    Manifest,
    NotAllowed,
    Right,
    WatchExpired,
    is_ours,
    named,
    selector,
)
from portal.cluster.drift import is_as_wanted, stamped
from portal.cluster.kinds import Kind, kind_of

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
# A watch sends a bookmark about every minute; a connection that is silent for longer is dead.
SILENCE = 100.0
# A container that is followed may be silent for longer; then it is asked for again.
SILENCE_OF_CONTAINERS = 300.0
# Seconds of silence until the kernel asks whether the other end is there, and how often it does.
PROBES = {"idle": 30, "interval": 10, "count": 3}
PAGE = 500
# What the API server's own authorizer says; quotas and admission rules are "forbidden", too.
_NOT_ALLOWED = re.compile(r"cannot [a-z]+ resource")
# What a kubelet says, with status 200, of a container that it has cleaned away.
_GONE = b"unable to retrieve container logs for"
_ENDING = "because it is being terminated"


class _Silent(ClusterUnavailable):
    """Nothing was heard for long, on a connection that may be dead."""


class KubernetesCluster:
    """A Cluster; its client is made when it is first needed, since importing it takes a second."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._made: Any = None

    @property
    def _client(self) -> Any:  # noqa: ANN401 - the library is imported lazily
        if self._made is None:
            self._made = _connect(self._access)
        return self._made

    def close(self) -> None:
        """Let the connections go; the next request makes new ones."""
        if self._made:
            self._made.rest_client.pool_manager.clear()
            self._made = None

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: object = None,
        content_type: str = "application/json",
        read_timeout: float | None = None,
    ) -> Any:  # noqa: ANN401 - a response of the library, still open
        """One request. Every error of the library becomes one of ours."""
        import urllib3  # noqa: PLC0415 - comes with the client, which is imported lazily
        from kubernetes.client.exceptions import ApiException  # noqa: PLC0415

        connect, read = self._access.timeouts
        client = self._client
        headers = dict(client.default_headers) | {"Accept": "application/json"}
        if method not in ("GET", "DELETE"):
            headers["Content-Type"] = content_type
        token = client.configuration.get_api_key_with_prefix("BearerToken")
        if token:
            headers["Authorization"] = token
        known = {name: value for name, value in (query or {}).items() if value not in (None, "")}
        address = client.configuration.host + path + (f"?{urlencode(known)}" if known else "")
        try:
            answer = client.rest_client.request(
                method,
                address,
                headers=headers,
                body=body,
                _request_timeout=(connect, read_timeout or read),
            )
        except (urllib3.exceptions.HTTPError, ApiException, OSError) as error:
            raise ClusterUnavailable(_unreachable(client.configuration.host, error)) from error
        if not 200 <= answer.status <= 299:
            raise _error_of(answer.status, self._read(answer))
        return answer

    def _read(self, answer: Any) -> bytes:  # noqa: ANN401
        import urllib3  # noqa: PLC0415

        try:
            return answer.read() or b""
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ClusterUnavailable(f"The cluster's answer broke off: {error}") from error

    def _json(self, method: str, path: str, **how: Any) -> Any:  # noqa: ANN401
        data = self._read(self._ask(method, path, **how))
        try:
            return json.loads(data)
        except ValueError as error:
            raise ClusterUnavailable("What answers is not a Kubernetes API server.") from error

    def version(self) -> str:
        return str(self._json("GET", "/version").get("gitVersion", ""))

    def may(self, right: Right) -> bool:
        resource, _slash, subresource = right.resource.partition("/")
        asked = {
            "verb": right.verb,
            "group": right.group,
            "resource": resource,
            "subresource": subresource,
            "namespace": right.namespace,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {name: text for name, text in asked.items() if text}},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        return bool(self._json("POST", path, body=review)["status"].get("allowed"))

    def get(self, kind: Kind, name: str, *, namespace: str = "") -> Manifest | None:
        try:
            return self._json("GET", kind.path(namespace=namespace, name=name))
        except Absent:
            return None

    def list(
        self, kind: Kind, *, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> Listing:
        query: dict[str, Any] = {"labelSelector": selector(labels), "limit": PAGE}
        items: list[Manifest] = []
        while True:
            page = self._json("GET", kind.path(namespace=namespace), query=query)
            items += page["items"]
            query["continue"] = page["metadata"].get("continue", "")
            if not query["continue"]:
                break
        # Objects in a list do not say what they are.
        same = {"apiVersion": kind.api_version, "kind": kind.name}
        return Listing([{**same, **item} for item in items], page["metadata"]["resourceVersion"])

    def position(self, kind: Kind, *, labels: Mapping[str, str] | None = None) -> str:
        page = self._json("GET", kind.path(), query={"labelSelector": selector(labels), "limit": 1})
        return str(page["metadata"]["resourceVersion"])

    def create(self, manifest: Manifest) -> bool:
        kind, metadata = kind_of(manifest), manifest["metadata"]
        namespace = metadata.get("namespace", "")
        path = kind.path(namespace=namespace)
        try:
            self._json("POST", path, query={"fieldManager": MANAGER}, body=manifest)
        except Conflict:
            there = self.get(kind, metadata["name"], namespace=namespace)
            if there and not is_ours(there):
                raise ForeignObject(_foreign(manifest)) from None
            return False
        return True

    def apply(self, manifest: Manifest, *, there: Manifest | None = None) -> Manifest:
        kind, metadata = kind_of(manifest), manifest["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        if there is None:
            there = self.get(kind, name, namespace=namespace)
        if there and not is_ours(there):
            raise ForeignObject(_foreign(manifest))
        wanted = stamped(manifest)
        if there and is_as_wanted(there, wanted):
            return there
        # In an object of ours, fields that somebody edited by hand are taken back; in one that
        # somebody else makes this very moment, nothing is.
        query = {"fieldManager": MANAGER, "force": "true" if there else "false"}
        path = kind.path(namespace=namespace, name=name)
        return self._json("PATCH", path, query=query, body=wanted, content_type=APPLY)

    def merge(self, kind: Kind, name: str, changes: Manifest, *, namespace: str = "") -> Manifest:
        path = kind.path(namespace=namespace, name=name)
        return self._json(
            "PATCH", path, query={"fieldManager": MANAGER}, body=changes, content_type=MERGE
        )

    def delete(self, kind: Kind, name: str, *, namespace: str = "") -> None:
        path = kind.path(namespace=namespace, name=name)
        try:
            self._read(self._ask("DELETE", path, query={"propagationPolicy": "Background"}))
        except Absent:
            return

    def watch(
        self,
        kind: Kind,
        *,
        since: str,
        namespace: str = "",
        labels: Mapping[str, str] | None = None,
        seconds: int = 300,
    ) -> Iterator[Change]:
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": since,
            "labelSelector": selector(labels),
            "timeoutSeconds": seconds,
        }
        path = kind.path(namespace=namespace)
        answer = self._ask("GET", path, query=query, read_timeout=min(SILENCE, seconds + 10))
        with closing(answer.response) as stream:
            for line in self._whole_lines(stream):
                event = _event(line)
                if event["type"] == "ERROR":
                    raise _error_of(event["object"].get("code", 500), line)
                yield Change(event["type"], event["object"])

    def _whole_lines(self, stream: Any) -> Iterator[bytes]:  # noqa: ANN401
        rest = b""
        for part in self._parts(stream):
            *lines, rest = (rest + part).split(b"\n")
            yield from filter(None, lines)

    def _parts(self, stream: Any) -> Iterator[bytes]:  # noqa: ANN401
        import urllib3  # noqa: PLC0415

        try:
            yield from stream.stream(amt=None)
        except urllib3.exceptions.ReadTimeoutError as error:
            raise _Silent("What was followed fell silent.") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ClusterUnavailable(f"What was followed broke off: {error}") from error

    def logs(
        self,
        pod: str,
        container: str,
        *,
        namespace: str,
        limit: int,
        since: datetime | None = None,
        is_previous: bool = False,
        tail_lines: int | None = None,
        is_stamped: bool = False,
    ) -> bytes:
        query = {
            "container": container,
            "limitBytes": limit,
            "sinceTime": _in_utc(since),
            "previous": "true" if is_previous else None,
            "tailLines": tail_lines,
            "timestamps": "true" if is_stamped else None,
        }
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        try:
            data = self._read(self._ask("GET", path, query=query))
            return b"" if data.startswith(_GONE) else data
        except Absent:
            return b""
        except ClusterRefused as refused:
            # The container waits for its start, or is gone with its log.
            if refused.status == 400:
                return b""
            raise

    def follow(
        self, pod: str, container: str, *, namespace: str, since: datetime | None = None
    ) -> Iterator[bytes]:
        query = {
            "container": container,
            "follow": "true",
            "timestamps": "true",
            "sinceTime": _in_utc(since),
        }
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        answer = self._ask("GET", path, query=query, read_timeout=SILENCE_OF_CONTAINERS)
        with closing(answer.response) as stream, suppress(_Silent):
            yield from self._parts(stream)


def _connect(access: Access) -> Any:  # noqa: ANN401 - the library is imported lazily
    from kubernetes import client, config  # noqa: PLC0415
    from kubernetes.config.config_exception import ConfigException  # noqa: PLC0415
    from kubernetes.utils.keepalive import tcp_keepalive_socket_options  # noqa: PLC0415

    loader: Any = config
    configuration = client.Configuration()
    # The portal asks again by itself, when it knows the answer to be needed.
    configuration.retries = False
    # So many connections are kept for the next request: a watcher has many threads.
    configuration.connection_pool_maxsize = 100
    configuration.socket_options = tcp_keepalive_socket_options(**PROBES)
    try:
        if access.is_inside:
            loader.load_incluster_config(client_configuration=configuration)
        elif access.server:
            _use_token(configuration, access)
        else:
            loader.load_kube_config(
                config_file=access.kubeconfig or None,
                context=access.context or None,
                client_configuration=configuration,
                persist_config=False,
            )
    except (ConfigException, OSError, TypeError, ValueError) as error:
        raise ClusterUnavailable(f"The way to the cluster cannot be read: {error}") from error
    return client.ApiClient(configuration)


def _use_token(configuration: Any, access: Access) -> None:  # noqa: ANN401
    """The token is read from its file at each request: whoever mounts it renews it."""

    def refresh(known: Any) -> None:  # noqa: ANN401
        known.api_key["BearerToken"] = "Bearer " + Path(access.token_file).read_text().strip()

    configuration.host = access.server.rstrip("/")
    configuration.ssl_ca_cert = access.ca_file or None
    if access.token_file:
        configuration.refresh_api_key_hook = refresh
        refresh(configuration)


def _in_utc(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def _error_of(code: int, body: bytes) -> ClusterError:
    message = _message(body) or f"HTTP {code}"
    match code:
        case 401:
            return CredentialsRefused(
                "The cluster does not accept the portal's credentials: they ran out or were "
                "taken away. Renew the token that the cluster's row names."
            )
        case 403 if _NOT_ALLOWED.search(message):
            return NotAllowed(
                "The portal's account lacks a right in the cluster, whose page shows how to give "
                f"it. The cluster said: {message}"
            )
        case 403 if _ENDING in message:
            return ClusterUnavailable(
                "The namespace is being deleted; it is made anew when it is gone. The cluster "
                f"said: {message}"
            )
        case 404:
            return Absent(message)
        case 409:
            # Not every 409 is a stale version: a namespace that is being deleted says so too.
            return Conflict(message)
        case 410:
            return WatchExpired(message)
        case 429 | 500 | 502 | 503 | 504:
            return _own_fault(code, message)
    return ClusterRefused(message, status=code)


def _event(line: bytes) -> Manifest:
    try:
        event: Manifest = json.loads(line)
    except ValueError as error:
        raise ClusterUnavailable("The watch said what is no event.") from error
    return event


def _own_fault(code: int, message: str) -> ClusterError:
    """A fault of the cluster; a webhook that cannot be called names itself."""
    if "failed calling webhook" in message:
        return ClusterUnavailable(
            f"A part of the cluster that checks objects is away. The cluster said: {message}"
        )
    return ClusterUnavailable(f"The cluster answered {code}: {message}")


def _message(body: bytes) -> str:
    try:
        status = json.loads(body)
    except ValueError:
        return body[:300].decode("utf-8", "replace").strip()
    status = status.get("object", status) if isinstance(status, dict) else {}
    return str(status.get("message", "")).strip()


def _unreachable(host: str, error: Exception) -> str:
    return f"The cluster at {host} does not answer: {type(error).__name__}."


def _foreign(manifest: Manifest) -> str:
    return (
        f"{named(manifest)} is there already and is not the portal's, so it was left alone. "
        "Rename or remove it, or label it if the portal shall own it."
    )
