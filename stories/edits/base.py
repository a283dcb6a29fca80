"""What all pages that change a record share: finding it, trying, saying how it went."""

from collections.abc import Callable
from datetime import date
from functools import wraps

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from portal.accounts.permissions import MemberRequest
from stories.kinds import INVERSES, LINK_TYPES
from stories.models import Record
from stories.operations import Refused, Stale, TargetMoved
from stories.snapshots import TooNew
from stories.views import find, head

# What belongs to the form, not to what was written in it.
_OF_THE_FORM = ("csrfmiddlewaretoken", "version", "target_version")


def writable(ident: str) -> Record:
    record = find(ident)
    if record.merged_into_id or record.is_deleted:
        raise Http404
    return record


def on_current(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Give the view the record, if its form was made from what the record is now.

    If not, or if another save is faster, a page says what changed and holds what was sent.
    """

    @wraps(view)
    def checked(request: MemberRequest, ident: str, **named: int) -> HttpResponse:
        record = writable(ident)
        if request.POST.get("version", str(record.version)) != str(record.version):
            return _changed_since(request, record)
        try:
            return view(request, record, **named)
        except TargetMoved as moved:
            return _changed_since(request, record, moved.target)
        except Stale:
            return _changed_since(request, find(ident))

    return checked


def version_read(sent: QueryDict, name: str = "version") -> int:
    """The version that a form was made from; 0 if it does not say."""
    given = sent.get(name, "")
    return int(given) if given.isdecimal() and len(given) < 10 else 0


def _changed_since(
    request: HttpRequest, record: Record, target: Record | None = None
) -> HttpResponse:
    """The record has changed, or the `target` of its link that the form is about."""
    changed = target or record
    read = version_read(request.POST, "target_version" if target else "version")
    context = head(request, record, "record") | {
        "changed": changed,
        "target": target,
        "read": read if 0 < read < changed.version else 0,
        "sent": [(name, value) for name, value in request.POST.items() if name not in _OF_THE_FORM],
        "told": _told(record, request.POST),
    }
    return render(request, "stories/changed_since.html", context, status=409)


def _told(record: Record, sent: QueryDict) -> list[tuple[str, str]]:
    """What was sent, as people read it."""
    labels = {
        "to": _("To"),
        "type": _("Relation"),
        "anchor": _("Line"),
        "quote": _("Words"),
        "note": _("Note"),
        "reason": _("Reason"),
        "override": _("Override because"),
        "look_again_on": _("Look again on"),
        "review_by": _("Next review by"),
        "verdict": _("Verdict"),
        "text": _("Text"),
        "body": _("Text"),
    }
    relations = {name: str(each.label) for name, each in LINK_TYPES.items()}
    relations |= {name: str(each.inverse_label) for name, each in INVERSES.items()}
    called = {**relations, **record.kind_of.statuses}
    given = [(label, sent.get(name, "")) for name, label in labels.items()]
    return [(label, str(called.get(value, value))) for label, value in given if value]


def attempt(request: HttpRequest, operation: Callable[[], object], done: str = "") -> bool:
    """Do it, and say how it went."""
    try:
        operation()
    except Refused as refusal:
        for each in refusal.missing:
            messages.error(request, each.sentence)
        return False
    except TooNew as error:
        messages.error(request, str(error))
        return False
    if done:
        messages.success(request, done)
    return True


def day_of(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None
