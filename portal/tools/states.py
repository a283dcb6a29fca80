"""Where invitations and adoptions stand, and where they can go from there."""

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


class AdoptionStatus(StrEnum):
    # For an answer of those who keep the tool, or for the time to be over.
    WAITING = "waiting"
    AGREED = "agreed"
    OBJECTED = "objected"
    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


ADOPTION_ENDS = frozenset({
    AdoptionStatus.GRANTED, AdoptionStatus.REFUSED, AdoptionStatus.WITHDRAWN
})  # fmt: skip
ADOPTION_MOVES: Mapping[str, frozenset[str]] = {
    AdoptionStatus.WAITING: ADOPTION_ENDS | {AdoptionStatus.AGREED, AdoptionStatus.OBJECTED},
    AdoptionStatus.AGREED: ADOPTION_ENDS | {AdoptionStatus.OBJECTED},
    # Whoever objects is there, so the tool is not abandoned, unless they think better of it.
    AdoptionStatus.OBJECTED: ADOPTION_ENDS - {AdoptionStatus.GRANTED} | {AdoptionStatus.AGREED},
}
