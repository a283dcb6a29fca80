"""Keeping the filter of a list under a name, for oneself or for everybody."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.tools.audit import record_event
from stories import filtering
from stories.guards import Missing
from stories.kinds import KINDS
from stories.models import SavedView
from stories.operations.saving import NotAllowed, Refused, refuse
from stories.roles import may

VIEWS_AT_MOST = 50
NAME_LENGTH = 100


@transaction.atomic
def save_view(
    kind: str,
    *,
    name: str,
    filters: Mapping[str, Sequence[str]],
    by: User,
    at: datetime,
    is_shared: bool = False,
) -> SavedView:
    """Keep a filter; only members of the workgroup share theirs. Raises Refused."""
    view = SavedView(owner=by, kind=kind, created_at=at)
    _take(view, name=name, filters=filters, is_shared=is_shared, by=by)
    # Whoever saves two at once waits, so that the limit holds.
    User.objects.select_for_update().get(pk=by.pk)
    if SavedView.objects.filter(owner=by).count() >= VIEWS_AT_MOST:
        sentence = _("You keep %(count)d views, as many as there may be. Delete one first.")
        raise refuse("too-many", sentence % {"count": VIEWS_AT_MOST})
    _write(view, at=at)
    record_event(
        None, by=by, action="record_view.saved", summary=view.name, after=_told(view), at=at
    )
    return view


@transaction.atomic
def change_view(
    view: SavedView,
    *,
    by: User,
    at: datetime,
    name: str | None = None,
    filters: Mapping[str, Sequence[str]] | None = None,
    is_shared: bool | None = None,
) -> SavedView:
    """Rename a view, share it, or give it another filter; what is not given stays."""
    _refuse_others(view, by)
    before = _told(view)
    _take(
        view,
        name=view.name if name is None else name,
        filters=view.filters if filters is None else filters,
        is_shared=view.is_shared if is_shared is None else is_shared,
        by=by,
    )
    if (after := _told(view)) != before:
        _write(view, at=at)
        record_event(
            None,
            by=by,
            action="record_view.changed",
            summary=view.name,
            before=before,
            after=after,
            at=at,
        )
    return view


@transaction.atomic
def delete_view(view: SavedView, *, by: User, at: datetime) -> None:
    _refuse_others(view, by)
    record_event(
        None, by=by, action="record_view.deleted", summary=view.name, before=_told(view), at=at
    )
    view.delete()


def _refuse_others(view: SavedView, by: User) -> None:
    if not SavedView.objects.kept_by(by).filter(pk=view.pk).exists():
        raise NotAllowed(Missing("not-allowed", _("This view is somebody else's.")))


def _take(
    view: SavedView, *, name: str, filters: Mapping[str, Sequence[str]], is_shared: bool, by: User
) -> None:
    """Put what is asked for on the row, if it may be there."""
    if is_shared and not view.is_shared and not may(by, "contributor"):
        raise NotAllowed(
            Missing("not-allowed", _("Only members of the workgroup share views."), "is_shared")
        )
    view.name, view.is_shared = _clean_name(name), is_shared
    # What was kept once stays, also when the kind does not know it any more.
    if filters != view.filters:
        view.filters = _clean_filters(view.kind, filters)
    if not view.filters:
        raise refuse("no-filter", _("Set a filter first, then save it."), "filters")


def _clean_name(name: str) -> str:
    cleaned = " ".join(name.split())
    if not cleaned or len(cleaned) > NAME_LENGTH or not cleaned.isprintable():
        sentence = _("Give it a name of at most %(length)d plain characters.")
        raise refuse("name", sentence % {"length": NAME_LENGTH}, "name")
    return cleaned


def _clean_filters(kind: str, filters: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    kept, wrong = filtering.read(KINDS[kind], filters)
    if wrong:
        raise Refused(*wrong)
    return kept


def _write(view: SavedView, *, at: datetime) -> None:
    view.updated_at = at
    changed = ["name", "filters", "is_shared", "updated_at"]
    try:
        with transaction.atomic():
            view.save(update_fields=changed if view.pk else None)
    except IntegrityError as error:
        sentence = _("There is a view “%s” already. Give this one another name.") % view.name
        raise refuse("name-taken", sentence, "name") from error


def _told(view: SavedView) -> dict[str, Any]:
    """What the history tells of a view."""
    return {
        "name": view.name,
        "kind": view.kind,
        "filters": view.query,
        "is_shared": view.is_shared,
    }
