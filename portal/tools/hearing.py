"""What accounts tell is written into the history."""

from typing import Any

from django.dispatch import receiver

from portal.accounts.events import happened
from portal.tools.operations import record_event


@receiver(happened)
def note(sender: None, signal: object = None, **event: Any) -> None:  # noqa: ANN401
    record_event(None, **event)
