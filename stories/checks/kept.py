"""Whether what is stored is what the portal wrote."""

from datetime import datetime

from django.utils.translation import gettext_lazy as _

from stories.checks.base import Found, Severity, check
from stories.models import RecordQuerySet


@check(
    "record-differs",
    _("Record that is not what its history says"),
    _("Find out who changed the database; then save the record, or restore a version of it."),
    severity=Severity.DAMAGE,
)
def _differs(records: RecordQuerySet, now: datetime) -> Found:
    """As it was found when the record was compared last; also of drafts and tombstones."""
    for record in records.exclude(mismatch=""):
        yield record, record.mismatch
