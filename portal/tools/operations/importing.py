"""Taking over what a toolinfo record says about a tool, after looking at what would change."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.outgoing import CallFailed, CallRefused, call
from portal.tools.models import Tool
from portal.tools.operations.refusals import ToolRefused
from portal.tools.operations.tools import check_fields, edit_tool
from portal.tools.toolinfo import NotToolinfo, read

TOOLINFO_LIMIT = 1024 * 1024


@dataclass(frozen=True)
class Preview:
    """What an import would change, field by field."""

    changes: list[tuple[str, Any, Any]]
    ignored: list[str]

    @property
    def fields(self) -> Mapping[str, Any]:
        return {field: after for field, _before, after in self.changes}


def fetch_toolinfo(url: str) -> str:
    """The text at an address that anybody could read. Raises ToolRefused."""
    try:
        answer = call("GET", url.strip(), limit=TOOLINFO_LIMIT)
        if answer.status != 200:
            raise CallFailed(_("The server answered %(status)d.") % {"status": answer.status})
        if answer.is_cut:
            raise CallFailed(_("The file is larger than 1 MB."))
        return answer.body.decode()
    except (CallRefused, CallFailed) as error:
        raise ToolRefused(str(error), field="url") from error
    except UnicodeDecodeError as error:
        raise ToolRefused(_("The file is no text in UTF-8."), field="url") from error


def preview_import(tool: Tool, text: str) -> Preview:
    """What would change. Raises ToolRefused for what is no toolinfo or does not fit."""
    if len(text) > TOOLINFO_LIMIT:
        raise ToolRefused(_("The file is larger than 1 MB."), field="toolinfo")
    try:
        reading = read(text, name=tool.name)
    except NotToolinfo as error:
        raise ToolRefused(str(error), field="toolinfo") from error
    changes = [
        (field, getattr(tool, field), value)
        for field, value in reading.fields.items()
        if getattr(tool, field) != value
    ]
    preview = Preview(changes, reading.ignored)
    check_fields(tool, preview.fields, field="toolinfo")
    return preview


def import_toolinfo(tool: Tool, text: str, *, by: User, at: datetime, version: int) -> Tool:
    """Take it over, if `version` is still the tool's. Raises ToolRefused, StaleVersion."""
    preview = preview_import(tool, text)
    if not preview.changes:
        return tool
    return edit_tool(tool, by=by, at=at, version=version, **preview.fields)
