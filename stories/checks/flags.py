"""Findings kept as rows, from when they are raised until they are cleared."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction

from stories.checks.base import CHECKS
from stories.models import Flag, Record, RecordQuerySet

log = logging.getLogger(__name__)
# A record's primary key, and the code of a check.
Key = tuple[int, str]


@transaction.atomic
def refresh(now: datetime, pks: Sequence[int] | None = None) -> int:
    """Raise and clear flags for these records, or for all; returns how many are raised."""
    records, open_flags = Record.objects.all(), Flag.objects.filter(cleared_at=None)
    if pks is not None:
        records, open_flags = records.filter(pk__in=pks), open_flags.filter(record__in=pks)
    before = {(flag.record_id, flag.code): flag for flag in open_flags}
    found = _found(records, before, now)
    gone = [flag.pk for key, flag in before.items() if key not in found]
    Flag.objects.filter(pk__in=gone).update(cleared_at=now)
    changed = [
        flag for key, flag in before.items() if found.get(key, flag.sentence) != flag.sentence
    ]
    for flag in changed:
        flag.sentence = found[flag.record_id, flag.code]
    Flag.objects.bulk_update(changed, ["sentence"], batch_size=500)
    Flag.objects.bulk_create(
        Flag(record_id=pk, code=code, sentence=sentence, raised_at=now)
        for (pk, code), sentence in found.items()
        if (pk, code) not in before
    )
    return len(found)


def _found(records: RecordQuerySet, before: Mapping[Key, Flag], now: datetime) -> dict[Key, str]:
    """The sentence of each finding; a check that cannot read some record finds what it did."""
    found: dict[Key, str] = {}
    for check in CHECKS.values():
        try:
            found |= {(one.pk, check.code): str(told) for one, told in check.find(records, now)}
        except (AttributeError, KeyError, TypeError, ValueError):
            # A row that was changed by hand has any shape; other findings do not wait for it.
            log.exception("the check %s cannot read some record", check.code)
            found |= {key: flag.sentence for key, flag in before.items() if key[1] == check.code}
    return found
