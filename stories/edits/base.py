"""What all pages that change a record share: finding it, trying, saying how it went."""

from collections.abc import Callable
from datetime import date

from django.contrib import messages
from django.http import Http404, HttpRequest
from django.utils.dateparse import parse_date

from stories.models import Record
from stories.operations import Refused, Stale
from stories.views import find


def writable(ident: str) -> Record:
    record = find(ident)
    if record.merged_into_id or record.is_deleted:
        raise Http404
    return record


def attempt(request: HttpRequest, operation: Callable[[], object], done: str = "") -> bool:
    """Do it, and say how it went."""
    try:
        operation()
    except (Refused, Stale) as refusal:
        sentences = [each.sentence for each in getattr(refusal, "missing", ())] or [str(refusal)]
        for sentence in sentences:
            messages.error(request, sentence)
        return False
    if done:
        messages.success(request, done)
    return True


def day_of(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None
