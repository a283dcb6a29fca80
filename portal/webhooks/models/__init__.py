"""What comes in from forges, and what goes out to programs and people."""

from portal.webhooks.models.incoming import Arrival, Hook, default_branches, new_ident
from portal.webhooks.models.leaving import Delivery, MailChoice, Notice, Subscription

__all__ = [
    "Arrival",
    "Delivery",
    "Hook",
    "MailChoice",
    "Notice",
    "Subscription",
    "default_branches",
    "new_ident",
]
