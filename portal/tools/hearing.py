"""What accounts tell is written into the history."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from portal.accounts.events import happened
from portal.accounts.models import User
from portal.accounts.origin import Origin
from portal.tools.audit import record_event


@receiver(happened)
def note(sender: None, signal: object = None, **event: Any) -> None:  # noqa: ANN401
    record_event(None, **event)


@receiver(user_logged_in)
def note_sign_in(sender: type[User], request: HttpRequest, user: User, **_kwargs: object) -> None:
    user.origin = Origin.of(request.META)
    record_event(None, by=user, action="account.signed-in", summary="", at=timezone.now())


@receiver(user_logged_out)
def note_sign_out(
    sender: type[User], request: HttpRequest, user: User | None, **_kwargs: object
) -> None:
    """`user` None is somebody whose session had run out."""
    if user:
        user.origin = Origin.of(request.META)
        record_event(None, by=user, action="account.signed-out", summary="", at=timezone.now())
