"""Connections that go to given addresses only, and have one deadline for all that they carry."""

import ssl
import time
from collections.abc import Iterable

import httpcore
import httpx


def transport_to(addresses: list[str], port: int, *, seconds: float) -> httpx.BaseTransport:
    """A transport for httpx to whichever address answers first in their order, for so long."""
    return _Transport(_Network(addresses, port, ends_at=time.monotonic() + seconds))


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
