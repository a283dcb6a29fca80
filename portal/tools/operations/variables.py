"""The variables of a tool: environment for its builds and its webservice."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.encryption import decrypt, encrypt
from portal.redaction import Redactor
from portal.tools.audit import MASK, record_event
from portal.tools.models import EnvVar, Tool
from portal.tools.names import VARIABLE_LENGTH, VARIABLES_AT_MOST, VARIABLES_LENGTH
from portal.tools.operations.refusals import ToolRefused


@dataclass(frozen=True)
class Variable:
    """A variable's value in clear, for the engine that hands it on."""

    name: str
    value: str
    is_secret: bool


def check_variable(name: str, value: str) -> None:
    """Raises ToolRefused for a name or a value that no variable may have."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise ToolRefused(_("A value has to be text."), field="value") from error
    if size > VARIABLE_LENGTH:
        raise ToolRefused(_("A value may have 32 KB at most."), field="value")
    if "\0" in value:
        raise ToolRefused(_("A value cannot contain the NUL character."), field="value")
    try:
        EnvVar(name=name).clean_fields(exclude={"tool", "encrypted"})
    except ValidationError as error:
        raise ToolRefused(" ".join(error.messages), field="name") from error


def set_variable(
    tool: Tool,
    *,
    name: str,
    value: str,
    by: User,
    at: datetime,
    is_secret: bool = True,
    for_build: bool = False,
    for_run: bool = True,
) -> EnvVar:
    """Create or replace a variable. It takes effect with the next build or release."""
    check_variable(name, value)
    flags = {"is_secret": is_secret, "for_build": for_build, "for_run": for_run}
    with transaction.atomic():
        # The tool's row is the lock: the sum of all variables has to stay within the limit.
        Tool.objects.select_for_update().get(pk=tool.pk)
        before = tool.variables.filter(name=name).first()
        is_same = before is not None and before.value == value
        _check_room(tool, Variable(name, value, is_secret), for_build=for_build, for_run=for_run)
        variable, _is_new = EnvVar.objects.update_or_create(
            tool=tool,
            name=name,
            defaults={"encrypted": encrypt(value), "changed_at": at, **flags},
        )
        record_event(
            tool,
            by=by,
            action="variable.set",
            summary=name,
            before=_told(before),
            after={"value_changed": not is_same, **(_told(variable) or {})},
            at=at,
        )
    return variable


def _check_room(tool: Tool, new: Variable, *, for_build: bool, for_run: bool) -> None:
    """Refuse what a program could not be started with."""
    others = list(tool.variables.exclude(name=new.name))
    if len(others) >= VARIABLES_AT_MOST:
        raise ToolRefused(
            _("A tool may have %(most)d variables. Delete one first.") % {"most": VARIABLES_AT_MOST}
        )
    for phase, is_wanted in (("for_build", for_build), ("for_run", for_run)):
        sizes = [_size(each.name, each.value) for each in others if getattr(each, phase)]
        left = VARIABLES_LENGTH - sum(sizes)
        if is_wanted and _size(new.name, new.value) > left:
            raise ToolRefused(
                _(
                    "All variables together may have %(most)d KB, or no program could start. "
                    "%(left)d bytes are left. Put long texts into a file of the repository."
                )
                % {"most": VARIABLES_LENGTH // 1024, "left": max(0, left)},
                field="value",
            )


def _size(name: str, value: str) -> int:
    """Bytes in a program's environment: NAME=value, a zero, and a pointer to it."""
    return len(name) + len(value.encode()) + 10


def _told(variable: EnvVar | None) -> dict[str, Any] | None:
    """What the history says of a variable. No value: one may turn out to be a secret later."""
    if variable is None:
        return None
    flags = {name: getattr(variable, name) for name in ("is_secret", "for_build", "for_run")}
    return {"value": MASK, **flags}


def delete_variable(variable: EnvVar, *, by: User, at: datetime) -> None:
    with transaction.atomic():
        record_event(
            variable.tool,
            by=by,
            action="variable.deleted",
            summary=variable.name,
            before=_told(variable),
            at=at,
        )
        variable.delete()


def secret_in(tool: Tool, *texts: str) -> str:
    """The name of a secret variable whose value is in one of the texts, or ""."""
    for variable in tool.variables.filter(is_secret=True):
        redactor = Redactor([variable.value])
        if any(redactor.text(text) != text for text in texts):
            return variable.name
    return ""


def shows_secret(name: str) -> str:
    text = _("This holds the value of the secret variable %(name)s. Leave it out: others see it.")
    return text % {"name": name}


def seal(variables: Iterable[Variable]) -> bytes:
    """Variables as they are now, encrypted, for work that goes on while they may change."""
    return encrypt(json.dumps([asdict(each) for each in variables]))


def unseal(sealed: bytes) -> list[Variable]:
    return [Variable(**each) for each in json.loads(decrypt(sealed))]


def variables_for(tool: Tool, *, phase: str) -> list[Variable]:
    """The tool's variables in clear; `phase` is "build" or "run"."""
    chosen = tool.variables.filter(**{f"for_{phase}": True})
    return [Variable(each.name, each.value, each.is_secret) for each in chosen]
