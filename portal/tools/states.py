"""Where invitations stand, and where they can go from there."""

from collections.abc import Mapping
from enum import StrEnum


class InvitationStatus(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


INVITATION_MOVES: Mapping[str, frozenset[str]] = {
    InvitationStatus.OPEN: frozenset(InvitationStatus) - {InvitationStatus.OPEN},
}
