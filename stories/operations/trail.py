"""What the platform's history tells of acts that leave no revision.

A save of a record is told by its revision: who, when, why, before and after. Everything else that
somebody does to a record is told here.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from portal.accounts.models import User
from portal.tools.audit import record_event
from stories.models import Record


def leave(
    record: Record,
    action: str,
    *,
    by: User | None,
    at: datetime,
    summary: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Add an event to the history; its summary begins with the ident."""
    record_event(
        None,
        by=by,
        action=f"record.{action}",
        summary=f"{record.ident} {summary}".strip(),
        before=before,
        after=after,
        at=at,
    )
