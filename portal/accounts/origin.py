"""Through what somebody acts: a browser or a token, and from which address."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any


@dataclass(frozen=True)
class Origin:
    """Rides on the `User` that a request made, so that whoever is `by` also says by what means.

    A user read from the database has none: nobody was there, the platform acts for them.
    """

    # What a token may be recognised by; empty for a browser.
    token_prefix: str = ""
    address: str | None = None

    @classmethod
    def of(cls, meta: Mapping[str, Any], token: object = None) -> "Origin":
        """From a request's META and the token that it came with, if any."""
        return cls(getattr(token, "prefix", ""), _address(meta.get("REMOTE_ADDR", "")))


def _address(text: str) -> str | None:
    """The address if it is one; a server on a socket file has none to tell."""
    try:
        return str(ip_address(text))
    except ValueError:
        return None
