"""Which network addresses belong to the open internet. Plain Python: sandboxes use it too."""

import ipaddress
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

# Public by their numbers, or so some versions of Python think, and yet not the open internet: the
# metadata services of clouds, and the retired relays from IPv6 to IPv4.
_NOT_OPEN = tuple(map(IPv4Network, ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24")))
_NAT64 = IPv6Network("64:ff9b::/96")
# The only part of IPv6 from which addresses are given to the open internet.
_GIVEN_OUT = IPv6Network("2000::/3")


class NotPublic(Exception):
    """The host is unknown, or leads to an address that is not public; which, is not told."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, also when it is wrapped in IPv6."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address):
        wrapped = parsed.ipv4_mapped or parsed.sixtofour or _behind_nat64(parsed)
        if wrapped:
            return is_public(str(wrapped))
        return parsed in _GIVEN_OUT and parsed.is_global
    if any(parsed in network for network in _NOT_OPEN):
        return False
    return parsed.is_global and not parsed.is_multicast


def _behind_nat64(address: IPv6Address) -> IPv4Address | None:
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


def addresses_of(host: str, port: int) -> list[str]:
    """Every address of a host, as one look-up gives them. Raises NotPublic for an unknown host."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotPublic(host) from error
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def public_addresses(host: str, port: int) -> list[str]:
    """The same, if all of them are public; one that is not is a reason to refuse them all."""
    addresses = addresses_of(host, port)
    if not addresses or not all(map(is_public, addresses)):
        raise NotPublic(host)
    return addresses


def is_private_literal(host: str) -> bool:
    """Whether a host's name alone says that it is not public; nothing is looked up."""
    if host.lower() == "localhost" or host.lower().endswith((".localhost", ".local", ".internal")):
        return True
    try:
        # Also the short and the numeric forms, such as 127.1 and 2130706433.
        address = ipaddress.ip_address(socket.inet_aton(host))
    except (OSError, ValueError):
        return "." not in host or ":" in host
    return not is_public(str(address))
