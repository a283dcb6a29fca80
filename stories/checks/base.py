"""What a check is: a query over records, and a sentence."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from stories.kinds import Label
from stories.models import Record, RecordQuerySet

Found = Iterable[tuple[Record, Label]]
Find = Callable[[RecordQuerySet, datetime], Found]


class Severity(TextChoices):
    """Something is missing; things do not agree; the portal's own memory is not to be trusted."""

    GAP = "gap", _("something is missing")
    CONTRADICTION = "contradiction", _("things do not agree")
    DAMAGE = "damage", _("what is stored was changed behind the portal's back")


@dataclass(frozen=True)
class Check:
    """`label` names the finding, `advice` says what to do."""

    code: str
    label: Label
    advice: Label
    find: Find
    severity: Severity


CHECKS: dict[str, Check] = {}


def check(
    code: str, label: Label, advice: Label, *, severity: Severity = Severity.GAP
) -> Callable[[Find], None]:
    """Register a check under a code that filters and programs refer to."""

    def register(find: Find) -> None:
        CHECKS[code] = Check(code, label, advice, find, severity)

    return register


def of(kind: str, *statuses: str) -> Callable[[RecordQuerySet], RecordQuerySet]:
    def narrow(records: RecordQuerySet) -> RecordQuerySet:
        found = records.undone().filter(kind=kind)
        return found.filter(status__in=statuses) if statuses else found

    return narrow


def plain(records: Iterable[Record]) -> Found:
    return ((record, "") for record in records)
