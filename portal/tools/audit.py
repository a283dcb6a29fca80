"""The history: what is written into it, what is hidden in it, and how it leaves the portal."""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from portal.accounts.models import User
from portal.redaction import Redactor
from portal.tools.models import AuditEvent, Tool

MASK = "••••••"
# Names of fields whose values nobody should read later, wherever they stand in what is told.
SECRET_FIELD = re.compile(
    r"(?i)(secret|password|passwd|passphrase|authori[sz]ation|cookie|credential|token|signature"
    r"|(api|access|private|secret|signing|encryption)[ _-]?key)s?$"
)
CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")
# The end of what one value may say; a history is no place for whole files.
TEXT_LENGTH = 4000
COLUMNS = (
    "id", "at", "actor", "via", "token", "address", "action", "tool", "summary", "before", "after",
)  # fmt: skip


def record_event(
    tool: Tool | None,
    *,
    by: User | None,
    action: str,
    summary: str,
    at: datetime,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Add to the history of a tool, or of the platform when `tool` is None.

    `by` None is the platform itself. Through which token and from where `by` acts is its origin's
    to say. Values of secret fields are masked, however deep they stand, and those of the tool's
    secret variables wherever they stand.
    """
    redactor = redactor_for(tool) if tool and (summary or before or after) else Redactor(())
    AuditEvent.objects.create(
        tool=tool,
        actor=by,
        actor_name=by.username if by else "",
        token_prefix=by.origin.token_prefix if by else "",
        address=by.origin.address if by else None,
        action=action,
        summary=redactor.text(masked(summary)),
        before=redactor.json(masked(before)),
        after=redactor.json(masked(after)),
        at=at,
    )


def redactor_for(tool: Tool) -> Redactor:
    """Takes every secret value of a tool out of what is to be kept or shown."""
    return Redactor(each.value for each in tool.variables.filter(is_secret=True))


def masked(value: Any, *, is_secret: bool = False) -> Any:  # noqa: ANN401
    """The value without secrets: by the names of fields, and in addresses with a password."""
    if isinstance(value, Mapping):
        return {
            str(name): masked(each, is_secret=is_secret or bool(SECRET_FIELD.search(str(name))))
            for name, each in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [masked(each, is_secret=is_secret) for each in value]
    if value is None or isinstance(value, bool):
        return value
    if is_secret:
        return MASK
    if isinstance(value, (int, float)):
        return value
    return CREDENTIALS.sub(f"{MASK}@", str(value))[:TEXT_LENGTH]


def as_row(event: AuditEvent, reader: User) -> dict[str, Any]:
    """The event as it is exported; addresses are for administrators and for whom they are of."""
    return {
        "id": event.pk,
        "at": event.at.isoformat(),
        "actor": event.actor_name or None,
        "via": event.via,
        "token": event.token_prefix or None,
        "address": event.address_for(reader),
        "action": event.action,
        "tool": event.tool.name if event.tool else None,
        "summary": event.summary,
        "before": event.before,
        "after": event.after,
    }


def as_json_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def as_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """With a header; no cell is one that a spreadsheet would calculate."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in COLUMNS])
    return file.getvalue()


def _cell(value: Any) -> str:  # noqa: ANN401
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
