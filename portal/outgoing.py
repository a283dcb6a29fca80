"""The one way by which the portal itself calls an address that somebody gave it.

The address has to be public https, unless the operator trusts it. The host is looked up once, every
address that it has is checked, and the connection goes to one of those: a name that changes its
mind in between leads nowhere else. Redirects are not followed, the whole call has a deadline, and
what goes wrong is told without anything about the inside of the network.
"""

import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

import httpcore
import httpx
from django.conf import settings
from django.utils.translation import gettext as _

from portal.addresses import NotPublic, addresses_of, is_private_literal, public_addresses

URL_LENGTH = 1000
_PORTS = {"https": 443, "http": 80}


class CallRefused(Exception):
    """A sentence for the person who gave the address: the portal does not call it."""


class CallFailed(Exception):
    """A sentence about a call that got no answer; holds nothing about the inside of the network."""


@dataclass(frozen=True)
class Rules:
    """What may be called. Below a trusted prefix neither scheme, port nor address is checked."""

    trusted_prefixes: tuple[str, ...] = ()
    ports: tuple[int, ...] = (80, 443)

    def trusts(self, url: str) -> bool:
        is_straight = ".." not in unquote(url)
        return is_straight and any(_is_below(url, each) for each in self.trusted_prefixes)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    # There was more than the caller wanted to have.
    is_cut: bool
    # False for an address that only the operator's trust makes callable: keep its words inside.
    is_public: bool


def rules() -> Rules:
    """The installation's."""
    return Rules(tuple(settings.OUTGOING_TRUSTED_PREFIXES), tuple(settings.OUTGOING_PORTS))


def check_url(url: str) -> str:
    """The address, if its form is right; nothing is looked up. Raises CallRefused."""
    if not url or len(url) > URL_LENGTH or not url.isprintable() or " " in url or "\\" in url:
        raise CallRefused(_("This is not an address. Example: https://example.org/hook"))
    parts = _split(url)
    if "@" in parts.netloc:
        raise CallRefused(_("Leave user name and password out of the address."))
    if not rules().trusts(url):
        _check_parts(parts)
    return url


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_complete = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL) as error:
        raise CallRefused(_("This is not an address. Example: https://example.org/hook")) from error
    if not is_complete:
        raise CallRefused(_("Use an https address."))
    return parts


def _check_parts(parts: SplitResult) -> None:
    if parts.scheme != "https":
        raise CallRefused(_("Use an https address."))
    if _port(parts) not in rules().ports:
        raise CallRefused(_("Use https on its usual port."))
    if is_private_literal((parts.hostname or "").rstrip(".")):
        raise CallRefused(_("The address must name a public host."))


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]


def _is_below(url: str, prefix: str) -> bool:
    try:
        ours, theirs = urlsplit(prefix), urlsplit(url)
        is_same = (ours.scheme, ours.hostname, ours.port) == (
            theirs.scheme,
            theirs.hostname,
            theirs.port,
        )
    except ValueError:
        return False
    return is_same and theirs.path.startswith(ours.path) and "@" not in theirs.netloc


def call(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes = b"",
    seconds: float = 10,
    limit: int = 64 * 1024,
) -> Answer:
    """Call an address and give back what it said, at most `limit` bytes of it.

    Raises CallRefused when it may not be called, CallFailed when no whole answer came in time.
    """
    parts = _split(check_url(url))
    is_public = not rules().trusts(url)
    addresses = _look_up(parts, is_public=is_public)
    sent = {"User-Agent": "community-hosting-portal", **(headers or {})}
    # Unpacked as it comes, a small answer could become a very large one.
    sent |= {"Accept-Encoding": "identity", "Connection": "close"}
    network = _Network(addresses, _port(parts), ends_at=time.monotonic() + seconds)
    transport = _Transport(network)
    try:
        with (
            httpx.Client(transport=transport, trust_env=False, timeout=seconds) as client,
            client.stream(method, url, headers=sent, content=content) as response,
        ):
            body, is_cut = _read(response.iter_raw(), limit)
    except httpx.HTTPError as error:
        raise CallFailed(_why(error, seconds)) from error
    return Answer(response.status_code, dict(response.headers), body, is_cut, is_public)


def _look_up(parts: SplitResult, *, is_public: bool) -> list[str]:
    look_up = public_addresses if is_public else addresses_of
    try:
        return look_up(parts.hostname or "", _port(parts))
    except NotPublic as error:
        raise CallRefused(
            _("The host %(host)s cannot be found, or it is not public.") % {"host": parts.hostname}
        ) from error


def _read(pieces: Iterable[bytes], limit: int) -> tuple[bytes, bool]:
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > limit:
            return bytes(body[:limit]), True
    return bytes(body), False


def _why(error: BaseException, seconds: float) -> str:
    """What went wrong, in words that tell nothing about the inside of the network."""
    causes = list(_causes(error))
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in causes):
        return _("The server's certificate is not valid for this address.")
    if any(isinstance(each, ssl.SSLError) for each in causes):
        return _("The server does not speak https as it should.")
    if isinstance(error, httpx.TimeoutException):
        return _("The server did not answer within %(seconds)d s.") % {"seconds": seconds}
    if isinstance(error, httpx.ConnectError):
        return _("The server could not be reached.")
    return _("The server broke the connection off, or its answer was no HTTP.")


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class _Transport(httpx.HTTPTransport):
    """httpx's own, over a network that goes to given addresses only."""

    def __init__(self, network: httpcore.NetworkBackend) -> None:
        context = httpx.create_ssl_context()
        super().__init__(verify=context)
        self._pool = httpcore.ConnectionPool(ssl_context=context, network_backend=network)


def _left(ends_at: float, timeout: float | None) -> float:
    left = ends_at - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left if timeout is None else min(left, timeout)


class _Network(httpcore.NetworkBackend):
    """Connects to the addresses that were checked, whatever the name leads to by now."""

    def __init__(self, addresses: list[str], port: int, *, ends_at: float) -> None:
        self._addresses, self._port = addresses, port
        self._ends_at = ends_at
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        for address in self._addresses[:-1]:
            try:
                return self._connect(address, timeout)
            except httpcore.ConnectError:
                continue
        return self._connect(self._addresses[-1], timeout)

    def _connect(self, address: str, timeout: float | None) -> httpcore.NetworkStream:
        left = _left(self._ends_at, timeout)
        return _Stream(self._inner.connect_tcp(address, self._port, left), self._ends_at)


class _Stream(httpcore.NetworkStream):
    """A connection with one deadline for all that is read and written, however slowly it drips."""

    def __init__(self, inner: httpcore.NetworkStream, ends_at: float) -> None:
        self._inner = inner
        self._ends_at = ends_at

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(self._ends_at, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(self._ends_at, timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(self._ends_at, timeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._ends_at)

    def get_extra_info(self, info: str) -> object:
        return self._inner.get_extra_info(info)
