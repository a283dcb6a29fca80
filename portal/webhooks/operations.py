"""What people and programs may ask of webhooks; HTML and REST call these."""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from builds.operations import BuildRefused, Source, check_source
from portal.accounts.models import User
from portal.encryption import encrypt
from portal.refusals import Refused
from portal.tools.models import Tool
from portal.tools.operations import record_event
from portal.webhooks import intake
from portal.webhooks.models import Arrival, Hook
from portal.webhooks.senders import SECRET_PREFIX

EDITABLE = (
    "is_active", "branches", "include", "exclude", "builds_tags", "subdirectory", "deploy",
)  # fmt: skip
PATTERNS_AT_MOST, PATTERN_LENGTH = 50, 200


class WebhookRefused(Refused):
    """A hook or a subscription stays as it is."""


def new_secret() -> str:
    """Fits as a shared secret anywhere, and as a signing token where one has to look like this."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def create_hook(
    tool: Tool,
    *,
    sender: str,
    by: User,
    at: datetime,
    **fields: Any,  # noqa: ANN401
) -> tuple[Hook, str]:
    """A hook for a forge, and its secret, which cannot be had again; `fields` as in EDITABLE."""
    if sender not in Hook.Sender.values:
        raise WebhookRefused(_("Choose who sends."), field="sender")
    if tool.hooks.count() >= settings.HOOKS_PER_TOOL:
        most = {"most": settings.HOOKS_PER_TOOL}
        raise WebhookRefused(_("A tool has %(most)d hooks at most. Delete one first.") % most)
    fields = _checked(tool, fields)
    secret = new_secret()
    with transaction.atomic():
        hook = tool.hooks.create(
            sender=sender, created_at=at, encrypted_secret=encrypt(secret), **fields
        )
        record_event(tool, by=by, action="hook.created", summary=str(hook), at=at)
    return hook, secret


def edit_hook(hook: Hook, *, by: User, at: datetime, **fields: Any) -> Hook:  # noqa: ANN401
    """Change fields among EDITABLE."""
    fields = _checked(hook.tool, fields)
    before = {name: getattr(hook, name) for name in fields}
    with transaction.atomic():
        Hook.objects.filter(pk=hook.pk).update(**fields)
        record_event(
            hook.tool, by=by, action="hook.edited", summary=str(hook), at=at,
            before=before, after=fields,
        )  # fmt: skip
    for name, value in fields.items():
        setattr(hook, name, value)
    return hook


def _checked(tool: Tool, fields: dict[str, Any]) -> dict[str, Any]:
    fields = dict(fields)
    for name in ("branches", "include", "exclude"):
        if name in fields:
            fields[name] = _checked_patterns(fields[name], field=name)
    if fields.get("subdirectory"):
        try:
            place = Source("https://example.org/any", subdirectory=fields["subdirectory"])
            fields["subdirectory"] = check_source(place).subdirectory
        except BuildRefused as refusal:
            raise WebhookRefused(str(refusal), field=refusal.field) from refusal
    return fields


def _checked_patterns(patterns: Sequence[str], *, field: str) -> list[str]:
    tidy = list(dict.fromkeys(each.strip().lstrip("/") for each in patterns))
    tidy = [each for each in tidy if each]
    if len(tidy) > PATTERNS_AT_MOST:
        most = {"most": PATTERNS_AT_MOST}
        raise WebhookRefused(_("Give %(most)d patterns at most.") % most, field=field)
    if any(len(each) > PATTERN_LENGTH or not each.isprintable() for each in tidy):
        most = {"most": PATTERN_LENGTH}
        raise WebhookRefused(
            _("A pattern is one line of %(most)d characters at most.") % most, field=field
        )
    return tidy


def rotate_secret(hook: Hook, *, by: User, at: datetime) -> str:
    """A new secret, which cannot be had again; the one before fits for a while yet."""
    secret = new_secret()
    until = at + timedelta(hours=settings.HOOK_OVERLAP_HOURS)
    with transaction.atomic():
        Hook.objects.filter(pk=hook.pk).update(
            encrypted_secret=encrypt(secret),
            encrypted_previous=bytes(hook.encrypted_secret),
            previous_until=until,
        )
        record_event(hook.tool, by=by, action="hook.secret-changed", summary=str(hook), at=at)
    hook.refresh_from_db()
    return secret


def delete_hook(hook: Hook, *, by: User, at: datetime) -> None:
    with transaction.atomic():
        record_event(hook.tool, by=by, action="hook.deleted", summary=str(hook), at=at)
        hook.delete()


def decide_again(arrival: Arrival, *, by: User, at: datetime) -> Arrival:
    """Decide anew about a push that came in, with the hook's rules as they are now."""
    if arrival.push is None:
        raise WebhookRefused(_("This was not a push, so there is nothing to decide again."))
    again = intake.decide_again(arrival, by=by, at=at)
    record_event(arrival.hook.tool, by=by, action="hook.redelivered", summary=again.reason, at=at)
    return again
