"""Who may do what to records. Reading is for everyone."""

from typing import Any

from portal.accounts.models import User
from stories.models import Record

# Each role includes those before it. A reviewer is a contributor; guards ask for other eyes.
RANKS = {"reader": 0, "member": 1, "contributor": 2, "reviewer": 2, "lead": 3, "system": 9}


def role_of(user: Any) -> str:  # noqa: ANN401 - a User or an AnonymousUser
    """The highest role: administrators lead, the workgroup contributes."""
    if not getattr(user, "is_authenticated", False):
        return "reader"
    if user.is_admin:
        return "lead"
    return "contributor" if user.is_workgroup else "member"


def may(user: Any, role: str) -> bool:  # noqa: ANN401
    return RANKS[role_of(user)] >= RANKS[role]


def may_create(user: Any, kind: str) -> bool:  # noqa: ANN401
    """Anyone who is signed in may propose a story; the rest is for the workgroup."""
    return may(user, "member" if kind == "US" else "contributor")


def may_edit(user: Any, record: Record) -> bool:  # noqa: ANN401
    if record.merged_into_id or record.is_deleted:
        return False
    return may(user, "contributor") or is_own_draft(user, record)


def is_own_draft(user: Any, record: Record) -> bool:  # noqa: ANN401
    """A story that somebody is still writing."""
    is_theirs = isinstance(user, User) and record.created_by_id == user.pk
    return is_theirs and record.kind == "US" and record.is_draft
