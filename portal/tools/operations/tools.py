"""Tools themselves: a name is taken, a description changes, a tool is put away."""

from collections.abc import Mapping
from copy import copy
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.tools.audit import record_event
from portal.tools.models import Membership, Tool
from portal.tools.operations.refusals import StaleVersion, ToolRefused
from portal.tools.operations.variables import secret_in, shows_secret

EDITABLE = ("title", "description", "license", "repository", "keywords", "links")


def _refuse_invalid(tool: Tool, fields: Mapping[str, Any]) -> None:
    try:
        tool.full_clean(exclude={"created_by"})
    except ValidationError as error:
        for field, sentences in error.message_dict.items():
            name = field if field in fields else ""
            raise ToolRefused(" ".join(sentences), field=name) from error


def check_fields(tool: Tool, fields: Mapping[str, Any], *, field: str) -> None:
    """Raises ToolRefused, about `field`, if the tool could not have these; changes nothing."""
    trial = copy(tool)
    for name, value in fields.items():
        setattr(trial, name, value)
    try:
        trial.clean_fields(exclude={"created_by"})
    except ValidationError as error:
        told = [f"{name}: {' '.join(each)}" for name, each in error.message_dict.items()]
        raise ToolRefused(" ".join(told), field=field) from error


def register_tool(name: str, *, by: User, at: datetime, **fields: Any) -> Tool:  # noqa: ANN401
    """A new tool with its first maintainer. `fields` are among EDITABLE; raises ToolRefused."""
    tool = Tool(name=name, created_at=at, created_by=by, cluster=Tool.default_cluster(), **fields)
    _refuse_invalid(tool, {"name": name, **fields})
    try:
        with transaction.atomic():
            tool.save(force_insert=True)
            tool.memberships.create(user=by, role=Membership.Role.MAINTAINER)
            record_event(
                tool,
                by=by,
                action="tool.registered",
                summary=tool.title,
                after={"name": name, **fields},
                at=at,
            )
    except IntegrityError as error:
        raise ToolRefused(_("This name is taken. Choose another."), field="name") from error
    return tool


def edit_tool(tool: Tool, *, by: User, at: datetime, version: int, **fields: Any) -> Tool:  # noqa: ANN401
    """Change fields among EDITABLE, if `version` is still the tool's; else raises StaleVersion."""
    for name, value in fields.items():
        if isinstance(value, str) and (secret := secret_in(tool, value)):
            raise ToolRefused(shows_secret(secret), field=name)
        setattr(tool, name, value)
    _refuse_invalid(tool, fields)
    with transaction.atomic():
        same = Tool.objects.filter(pk=tool.pk, version=version)
        # From the row: a form may have changed `tool` already.
        before = same.values(*fields).first()
        if before is None or not same.update(**fields, version=version + 1):
            raise StaleVersion(
                _("Somebody else changed this tool. Load it again and repeat your change.")
            )
        tool.touch(at)
        _record_edit(tool, before, fields, by=by, at=at)
    tool.version = version + 1
    return tool


def _record_edit(
    tool: Tool, before: Mapping[str, Any], after: Mapping[str, Any], *, by: User, at: datetime
) -> None:
    changed = [name for name in after if before[name] != after[name]]
    record_event(
        tool,
        by=by,
        action="tool.edited",
        summary=", ".join(changed),
        before={name: before[name] for name in changed},
        after={name: after[name] for name in changed},
        at=at,
    )


def set_status(tool: Tool, status: str, *, by: User, at: datetime) -> None:
    """Put the tool away or take it up again; saying what is so already changes nothing."""
    with transaction.atomic():
        same = Tool.objects.filter(pk=tool.pk).exclude(status=status)
        before = same.values("status").first()
        if before is None or not same.update(status=status):
            return
        tool.touch(at)
        record_event(
            tool,
            by=by,
            action=f"tool.{status}",
            summary="",
            before=before,
            after={"status": str(status)},
            at=at,
        )
    tool.status = status
