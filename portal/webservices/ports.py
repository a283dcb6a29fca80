"""Loopback ports for replicas."""

import socket
import zlib
from collections.abc import Iterator

from django.conf import settings
from django.db import IntegrityError, transaction

from portal.webservices.models import Release, Replica


def add_replica(release: Release, index: int) -> Replica:
    """The replica's row, with a port that nobody else has. Raises NoPortLeft."""
    taken = set(Replica.objects.values_list("port", flat=True))
    for port in _candidates():
        if port in taken or not _is_free(port):
            continue
        try:
            with transaction.atomic():
                return Replica.objects.create(
                    release=release, name=f"{release}-{index}", index=index, port=port
                )
        except IntegrityError:
            if existing := release.processes.filter(index=index).first():
                return existing
    raise NoPortLeft("Every port of PORTAL_REPLICA_PORTS is in use.")


class NoPortLeft(Exception):
    """For the operator: widen PORTAL_REPLICA_PORTS."""


def _candidates() -> Iterator[int]:
    """All ports, from a place that differs between two portals on one machine."""
    first, end = settings.REPLICA_PORTS
    size = end - first
    start = zlib.crc32(str(settings.STATE).encode()) % size
    for step in range(size):
        yield first + (start + step) % size


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
