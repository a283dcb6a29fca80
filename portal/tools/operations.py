"""What people and programs may ask of tools; HTML and REST call these.

Each writes its row in the tool's history in the same transaction.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.redaction import Redactor
from portal.tools.models import AuditEvent, EnvVar, Membership, Tool
from portal.tools.names import VARIABLE_LENGTH
from portal.tools.secrets import decrypt, encrypt

EDITABLE = ("title", "description", "license", "repository", "keywords")


class ToolRefused(Exception):
    """A sentence for the person who asked; `field` is the input that it is about, if any."""

    def __init__(self, sentence: str, *, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


class StaleVersion(ToolRefused):
    """Somebody else changed the tool since the caller read it."""


@dataclass(frozen=True)
class Variable:
    """A variable's value in clear, for the engine that hands it on."""

    name: str
    value: str
    is_secret: bool


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
    """Add to the history of a tool, its secrets left out; `by` None is the platform itself."""
    redactor = redactor_for(tool) if tool and (summary or before or after) else Redactor(())
    AuditEvent.objects.create(
        tool=tool,
        actor=by,
        action=action,
        summary=redactor.text(summary),
        before=redactor.json(before),
        after=redactor.json(after),
        at=at,
    )


def redactor_for(tool: Tool) -> Redactor:
    """Takes every secret value of a tool out of what is to be kept or shown."""
    return Redactor(each.value for each in tool.variables.filter(is_secret=True))


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


def _refuse_invalid(tool: Tool, fields: Mapping[str, Any]) -> None:
    try:
        tool.full_clean(exclude={"created_by"})
    except ValidationError as error:
        for field, sentences in error.message_dict.items():
            name = field if field in fields else ""
            raise ToolRefused(" ".join(sentences), field=name) from error


def register_tool(name: str, *, by: User, at: datetime, **fields: Any) -> Tool:  # noqa: ANN401
    """A new tool with its first maintainer. `fields` are among EDITABLE; raises ToolRefused."""
    tool = Tool(name=name, created_at=at, created_by=by, cluster=Tool.default_cluster(), **fields)
    _refuse_invalid(tool, {"name": name, **fields})
    try:
        with transaction.atomic():
            tool.save(force_insert=True)
            tool.memberships.create(user=by, role=Membership.Role.MAINTAINER)
            record_event(tool, by=by, action="tool.registered", summary=tool.title, at=at)
    except IntegrityError as error:
        raise ToolRefused(_("This name is taken. Choose another."), field="name") from error
    return tool


def edit_tool(tool: Tool, *, by: User, at: datetime, version: int, **fields: Any) -> Tool:  # noqa: ANN401
    """Change fields among EDITABLE, if `version` is still the tool's; else raises StaleVersion."""
    for name, value in fields.items():
        if isinstance(value, str) and (secret := secret_in(tool, value)):
            raise ToolRefused(shows_secret(secret), field=name)
    before = {name: getattr(tool, name) for name in fields}
    for name, value in fields.items():
        setattr(tool, name, value)
    _refuse_invalid(tool, fields)
    with transaction.atomic():
        same = Tool.objects.filter(pk=tool.pk, version=version)
        if not same.update(**fields, version=version + 1):
            raise StaleVersion(
                _("Somebody else changed this tool. Load it again and repeat your change.")
            )
        record_event(
            tool, by=by, action="tool.edited", summary="", before=before, after=fields, at=at
        )
    tool.version = version + 1
    return tool


def set_status(tool: Tool, status: str, *, by: User, at: datetime) -> None:
    with transaction.atomic():
        Tool.objects.filter(pk=tool.pk).update(status=status)
        record_event(tool, by=by, action=f"tool.{status}", summary="", at=at)


def add_member(tool: Tool, *, username: str, role: str, by: User, at: datetime) -> Membership:
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise ToolRefused(
            _("Nobody of that name has signed in yet. They have to do so once first."),
            field="username",
        )
    with transaction.atomic():
        _keep_a_maintainer(tool, user, role)
        member, _is_new = Membership.objects.update_or_create(
            tool=tool, user=user, defaults={"role": role}
        )
        record_event(tool, by=by, action="member.added", summary=str(member), at=at)
    return member


def remove_member(tool: Tool, *, user: User, by: User, at: datetime) -> None:
    with transaction.atomic():
        _keep_a_maintainer(tool, user, "")
        if tool.memberships.filter(user=user).delete()[0]:
            record_event(tool, by=by, action="member.removed", summary=user.username, at=at)


def _keep_a_maintainer(tool: Tool, user: User, role: str) -> None:
    if role == Membership.Role.MAINTAINER:
        return
    maintainers = tool.memberships.select_for_update().filter(role=Membership.Role.MAINTAINER)
    if [member.user_id for member in maintainers] == [user.pk]:
        raise ToolRefused(_("A tool needs a maintainer. Add another one first."))


def check_variable(name: str, value: str) -> None:
    """Raises ToolRefused for a name or a value that no variable may have."""
    if len(value.encode("utf-8", "surrogatepass")) > VARIABLE_LENGTH:
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
    with transaction.atomic():
        variable, _is_new = EnvVar.objects.update_or_create(
            tool=tool,
            name=name,
            defaults={
                "encrypted": encrypt(value),
                "is_secret": is_secret,
                "for_build": for_build,
                "for_run": for_run,
            },
        )
        record_event(tool, by=by, action="variable.set", summary=name, at=at)
    return variable


def delete_variable(variable: EnvVar, *, by: User, at: datetime) -> None:
    with transaction.atomic():
        record_event(variable.tool, by=by, action="variable.deleted", summary=variable.name, at=at)
        variable.delete()


def seal(variables: Iterable[Variable]) -> bytes:
    """Variables as they are now, encrypted, for work that goes on while they may change."""
    return encrypt(json.dumps([asdict(each) for each in variables]))


def unseal(sealed: bytes) -> list[Variable]:
    return [Variable(**each) for each in json.loads(decrypt(sealed))]


def variables_for(tool: Tool, *, phase: str) -> list[Variable]:
    """The tool's variables in clear; `phase` is "build" or "run"."""
    chosen = tool.variables.filter(**{f"for_{phase}": True})
    return [Variable(each.name, each.value, each.is_secret) for each in chosen]
