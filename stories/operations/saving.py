"""How every change of a record is saved: all that follows from it, or nothing.

One transaction holds a conditional update of the record, its next revision, its search document,
the flags that it touches, and notices for those who watch it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from portal.accounts.models import User
from stories import checks, search, snapshots
from stories.guards import Missing
from stories.merging import Clash
from stories.models import (
    Link,
    Record,
    Revision,
    Watch,
)
from stories.operations.telling import owners, tell, watch_by_default
from stories.schema import Invalid

Cause = Revision.Cause


TRIES = 20
# Who watches the status alone is told when one of these changes.
_STATE = {"status", "merged_into", "is_deleted"}
_COLUMNS = (
    "title", "status", "status_since", "status_by", "status_reason", "look_again_on", "fields",
    "owner", "review_by", "decided_on", "superseded_by", "merged_into", "is_deleted", "source",
    "anchor", "quote", "certainty", "last_author", "updated_at", "material_version",
    "imported_digest",
)  # fmt: skip


class Refused(Exception):
    """Everything that is in the way of what was asked, in words."""

    def __init__(self, *missing: Missing) -> None:
        super().__init__(" ".join(each.sentence for each in missing))
        self.missing = missing


class NotAllowed(Refused):
    """The person may not do this."""


class Stale(Exception):
    """Somebody else saved the record since the caller read it."""


class TargetMoved(Stale):
    """What a link leads to says something else than what the caller read."""

    def __init__(self, target: Record) -> None:
        sentence = _("%s says something else than what you read. Read it again.")
        super().__init__(sentence % target.ident)
        self.target = target


class Conflict(Stale):
    """Two edits that do not go together: both texts, and what they began with."""

    def __init__(self, version: int, clashes: Sequence[Clash], merged: Mapping[str, Any]) -> None:
        super().__init__(_("Somebody else changed the same place."))
        self.version, self.clashes, self.merged = version, clashes, merged


def refuse(code: str, sentence: str, field: str = "") -> Refused:
    return Refused(Missing(code, sentence, field))


def invalid(error: Invalid) -> Refused:
    return Refused(*(Missing("invalid", text, path) for path, text in error.errors.items()))


@dataclass
class Change:
    """A save: who, when, why. `by` None is the platform."""

    by: User | None
    at: datetime
    cause: str = Cause.EDIT
    summary: str = ""
    is_minor: bool = False
    base_revision: int | None = None
    restored_from: int | None = None
    columns: dict[str, Any] = field(default_factory=dict)


def save(record: Record, change: Change) -> Revision:
    """Write the record as it stands as its next version. Raises Stale if another save was first.

    To be called in a transaction; everything else about a save follows from it. Raises TooNew where
    a newer portal wrote the version before.
    """
    record.take_columns()
    before = record.revisions.filter(number=record.version).first()
    snapshot = record.snapshot()
    changed = snapshots.differing(before.snapshot if before else {}, snapshot)
    number = record.version + 1 if before else 1
    record.updated_at = change.at
    if not before or (not change.is_minor and _is_material(changed)):
        record.material_version = number
        record.last_author = change.by or record.last_author
    same = Record.objects.filter(pk=record.pk, version=record.version)
    values = {name: getattr(record, name) for name in _COLUMNS}
    if not same.update(**values, version=number):
        raise Stale(_("Somebody else saved this record. Load it again."))
    record.version = number
    revision = Revision.objects.create(
        record=record,
        number=number,
        stored=snapshot,
        schema_version=snapshots.version(),
        changed_fields=changed,
        author=change.by,
        author_name=change.by.username if change.by else "",
        at=change.at,
        summary=change.summary[:500],
        cause=change.cause,
        base_revision=change.base_revision,
        restored_from=change.restored_from,
        is_minor=change.is_minor,
    )
    search.index(record)
    return revision


def _is_material(changed: Iterable[str]) -> bool:
    return any(name == "title" or name.startswith("fields.") for name in changed)


def follow_up(
    record: Record,
    revision: Revision,
    *,
    others: Iterable[int] = (),
    mentioned: Collection[User] = (),
    told: Collection[int] = (),
) -> set[int]:
    """What follows from a save: flags of the record and its neighbours, and notices.

    Returns whom it told; those in `told` know already.
    """
    pks = {record.pk, *others}
    for source, target in Link.objects.filter(Q(source=record) | Q(target=record)).values_list(
        "source_id", "target_id"
    ):
        pks |= {source, target}
    checks.refresh(revision.at, sorted(pks))
    if "fields.owner" in revision.changed_fields:
        watch_by_default(record, owners(record))
    return notify(record, revision, by=revision.author, mentioned=mentioned, told=told)


def notify(
    record: Record,
    revision: Revision,
    *,
    by: User | None,
    mentioned: Collection[User] = (),
    told: Collection[int] = (),
) -> set[int]:
    """Tell those who watch; a slip of the pen is told only to those whom it newly names."""
    levels = [Watch.Level.ALL] if not revision.is_minor else []
    if _STATE.intersection(revision.changed_fields):
        levels = [Watch.Level.ALL, Watch.Level.STATUS]
    text = f"{record}: {revision.summary or revision.get_cause_display()}"
    return tell(record, text, by=by, at=revision.at, levels=levels, mentioned=mentioned, told=told)
