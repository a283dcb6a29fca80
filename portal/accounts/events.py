"""What happens to accounts and tokens, told to whoever keeps the history.

Accounts stand below the history, so they send a signal instead of calling it. Receivers run at
once, in the sender's transaction.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.dispatch import Signal

from portal.accounts.models import User

happened = Signal()


def tell(
    *,
    by: User | None,
    action: str,
    summary: str,
    at: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Have it written into the history; `by` None is the platform itself."""
    happened.send(
        sender=None, by=by, action=action, summary=summary, at=at, before=before, after=after
    )
