"""Findings kept as rows, from when they are raised until they are cleared."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from stories.checks.base import CHECKS
from stories.models import Flag, Record


@transaction.atomic
def refresh(now: datetime, pks: Sequence[int] | None = None) -> int:
    """Raise and clear flags for these records, or for all; returns how many are raised."""
    records = Record.objects.all() if pks is None else Record.objects.filter(pk__in=pks)
    open_flags = Flag.objects.filter(cleared_at=None)
    if pks is not None:
        open_flags = open_flags.filter(record__in=pks)
    before = {(flag.record_id, flag.code): flag for flag in open_flags}
    found = {
        (record.pk, check.code): str(sentence)
        for check in CHECKS.values()
        for record, sentence in check.find(records, now)
    }
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
