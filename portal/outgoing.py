"""The one way by which the portal itself calls an address that somebody gave it.

The address has to be public https, unless the operator trusts it. The host is looked up once, every
address that it has is checked, and the connection goes to one of those: a name that changes its
mind in between leads nowhere else. Redirects are not followed, the whole call has a deadline, and
what goes wrong is told without anything about the inside of the network.
"""

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

import httpx
from django.conf import settings
from django.utils.translation import gettext as _

from portal.addresses import NotPublic, addresses_of, is_private_literal, public_addresses
from portal.connecting import transport_to

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
    transport = transport_to(addresses, _port(parts), seconds=seconds)
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
