"""How much a tool may use, and asking for more. What it does use is counted where that is known."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.conf import settings
from django.db import IntegrityError, transaction
from django.template.defaultfilters import filesizeformat
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.accounts.models import User
from portal.refusals import Refused
from portal.tools.models import Quota, QuotaRequest, Tool
from portal.tools.operations import record_event

REASON_LENGTH = 2000
Amounts = Mapping[str, int]


class Resource(StrEnum):
    """What is limited; the values are the columns of Quota."""

    BUILDS_AT_ONCE = "builds_at_once"
    BUILD_MINUTES = "build_minutes"
    IMAGES = "images"
    STORAGE = "storage_bytes"
    REPLICAS = "replicas"
    MEMORY = "memory_bytes"
    CPU = "cpu_millis"


@dataclass(frozen=True)
class Unit:
    """How people read and write amounts of a resource."""

    label: str | Promise
    # What one unit is in the amounts that are stored, and what it is called.
    size: int = 1
    name: str = ""

    def show(self, amount: int) -> str:
        if self.name in ("MB", "GB"):
            return filesizeformat(amount)
        return f"{amount / self.size:.15g}"


UNITS = {
    Resource.BUILDS_AT_ONCE: Unit(gettext_lazy("Builds at once")),
    Resource.BUILD_MINUTES: Unit(gettext_lazy("Build minutes in 30 days")),
    Resource.IMAGES: Unit(gettext_lazy("Images")),
    Resource.STORAGE: Unit(gettext_lazy("Images and build cache on disk"), 1024**3, "GB"),
    Resource.REPLICAS: Unit(gettext_lazy("Replicas")),
    Resource.MEMORY: Unit(gettext_lazy("Memory of all replicas"), 1024**2, "MB"),
    Resource.CPU: Unit(gettext_lazy("Processors of all replicas"), 1000),
}


class QuotaRefused(Refused):
    """A request for more, or its decision, is refused."""


def usual() -> dict[str, int]:
    """What a tool may use for which nothing else was decided."""
    return {
        Resource.BUILDS_AT_ONCE: settings.BUILDS_AT_ONCE_PER_TOOL,
        Resource.BUILD_MINUTES: settings.QUOTA_BUILD_MINUTES,
        Resource.IMAGES: settings.QUOTA_IMAGES,
        Resource.STORAGE: settings.QUOTA_STORAGE_BYTES,
        Resource.REPLICAS: settings.REPLICAS_AT_MOST,
        Resource.MEMORY: settings.QUOTA_MEMORY_BYTES,
        Resource.CPU: settings.QUOTA_CPU_MILLIS,
    }


def limits_of(tool: Tool) -> dict[str, int]:
    row = Quota.objects.filter(tool=tool).first()
    decided = {name: getattr(row, name) for name in Resource} if row else {}
    return usual() | {name: amount for name, amount in decided.items() if amount is not None}


def limits_on(resource: Resource) -> dict[int, int]:
    """What was decided for single tools, by the tool's id."""
    rows = Quota.objects.exclude(**{resource: None})
    return dict(rows.values_list("tool_id", resource))


def first_excess(tool: Tool, limits: Amounts, wanted: Iterable[tuple[Resource, int, int]]) -> str:
    """The sentence about the first of (resource, used, asked for) that is over, or ""."""
    for resource, used, asked in wanted:
        if used + asked > limits[resource]:
            return _sentence(tool, resource, limit=limits[resource], used=used, asked=asked)
    return ""


def _sentence(tool: Tool, resource: Resource, *, limit: int, used: int, asked: int) -> str:
    unit = UNITS[resource]
    text = (
        _("%(what)s: %(tool)s uses %(used)s of %(limit)s. %(more)s")
        if used
        else _("%(what)s: %(asked)s asked for, %(tool)s may use %(limit)s. %(more)s")
    )
    return text % {
        "what": unit.label,
        "tool": tool.name,
        "used": unit.show(used),
        "asked": unit.show(asked),
        "limit": unit.show(limit),
        "more": _("Ask for more on the tool's page Quotas."),
    }


def ask_for_more(
    tool: Tool, *, by: User, at: datetime, reason: str, wanted: Amounts
) -> QuotaRequest:
    """A request that administrators decide; one at a time."""
    reason = reason.strip()
    if not reason:
        raise QuotaRefused(_("Say what you need it for."), field="reason")
    more = _checked(wanted)
    if not more:
        raise QuotaRefused(_("Say how much of what you need."))
    try:
        with transaction.atomic():
            asked = tool.quota_requests.create(
                wanted=more, reason=reason[:REASON_LENGTH], asked_by=by, asked_at=at
            )
            record_event(tool, by=by, action="quota.asked", summary=reason, after=more, at=at)
    except IntegrityError as error:
        raise QuotaRefused(_("A request of this tool waits for its decision already.")) from error
    return asked


def _checked(amounts: Amounts) -> dict[str, int]:
    known = {str(each) for each in Resource}
    for name, amount in amounts.items():
        if name not in known or not 0 <= amount < 2**63:
            raise QuotaRefused(_("There is no such amount of this."), field=name)
    return dict(amounts)


def grant(
    asked: QuotaRequest, *, by: User, at: datetime, amounts: Amounts, answer: str = ""
) -> None:
    """Give these amounts, which need not be what was asked for."""
    given = _checked(amounts)
    if not given:
        raise QuotaRefused(_("Say how much of what you grant."))
    with transaction.atomic():
        _decide(asked, QuotaRequest.Status.GRANTED, by=by, at=at, answer=answer, granted=given)
        set_quota(asked.tool, by=by, at=at, amounts=given)


def refuse(asked: QuotaRequest, *, by: User, at: datetime, answer: str) -> None:
    if not answer.strip():
        raise QuotaRefused(_("Say why, and what would help."), field="answer")
    with transaction.atomic():
        _decide(asked, QuotaRequest.Status.REFUSED, by=by, at=at, answer=answer, granted={})
        record_event(asked.tool, by=by, action="quota.refused", summary=answer, at=at)


def _decide(
    asked: QuotaRequest, status: str, *, by: User, at: datetime, answer: str, granted: Amounts
) -> None:
    changes = {"status": status, "decided_by": by, "decided_at": at, "granted": granted}
    changes["answer"] = answer.strip()[:REASON_LENGTH]
    open_ones = QuotaRequest.objects.filter(pk=asked.pk, status=QuotaRequest.Status.OPEN)
    if not open_ones.update(**changes):
        raise QuotaRefused(_("Somebody else decided this request already."))
    asked.refresh_from_db()


def set_quota(tool: Tool, *, by: User, at: datetime, amounts: Amounts) -> None:
    """From now on the tool may use these amounts; others stay as they are."""
    before = limits_of(tool)
    with transaction.atomic():
        Quota.objects.update_or_create(tool=tool, defaults=_checked(amounts))
        record_event(
            tool,
            by=by,
            action="quota.set",
            summary="",
            before={name: before[name] for name in amounts},
            after=amounts,
            at=at,
        )
