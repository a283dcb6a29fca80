"""What a wiki says about a person, and what may go wrong when it is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

# MediaWiki states this for everybody who is not attached to a central account.
NOBODY = "0"
LONGEST_NAME = 255


class WikiError(Exception):
    """A sentence for the person who signs in."""


class WikiUnavailable(WikiError):
    """It does not answer, or not as a wiki does: nothing is known about anybody."""


class WikiUntrusted(WikiError):
    """It answered, and the answer cannot be believed."""


class GrantRevoked(WikiError):
    """The person, or the wiki, took back that the portal may ask about them."""


class PersonBarred(WikiError):
    """The wiki says that the person is locked, blocked or hidden."""


@dataclass(frozen=True)
class Identity:
    """`sub` is the central id, which stays when the name changes; `username` may be empty."""

    sub: str
    username: str
    email: str
    groups: tuple[str, ...]
    is_blocked: bool

    @property
    def bar(self) -> str:
        """Why this person may not sign in; empty if they may."""
        if not self.username:
            return _("This account is hidden on the wiki, so it cannot be used here.")
        if self.is_blocked:
            return _(
                "This account is blocked on the wiki, so it cannot be used here. When the block "
                "ends, sign in again."
            )
        return ""


def read_identity(claims: Mapping[str, Any]) -> Identity:
    """Raises WikiUntrusted for claims that do not say for certain who somebody is."""
    sub, name = claims.get("sub"), claims.get("username", "")
    if not isinstance(sub, str) or not sub.isdigit() or len(sub) > 20:
        raise WikiUntrusted(_("The wiki did not say who you are. Nothing was changed."))
    if sub.strip("0") == "":
        raise WikiUntrusted(
            _("Your account on the wiki is not a unified account. Unify it first, then sign in.")
        )
    groups, blocked = claims.get("groups", []), claims.get("blocked")
    is_sound = isinstance(name, str) and len(name) <= LONGEST_NAME and _is_texts(groups)
    if not is_sound or not isinstance(blocked, bool):
        raise WikiUntrusted(_("The wiki's answer cannot be understood. Nothing was changed."))
    email = claims.get("email") if claims.get("confirmed_email") is True else ""
    return Identity(sub, name, str(email or ""), tuple(groups), blocked)


def _is_texts(value: object) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and all(isinstance(each, str) for each in value)
    )
