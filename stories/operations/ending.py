"""Merging records, and leaving tombstones."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.accounts.models import User
from stories.guards import Missing
from stories.models import (
    Link,
    Record,
)
from stories.operations.linking import way
from stories.operations.saving import Cause, Change, NotAllowed, follow_up, refuse, save
from stories.roles import may


@transaction.atomic
def merge_into(record: Record, other: Record, *, by: User, at: datetime) -> Record:
    """Make `record` a duplicate of `other`: its address leads there, support and watchers move."""
    if not may(by, "lead"):
        raise NotAllowed(Missing("not-allowed", _("This is for leads.")))
    if record.pk == other.pk or record.kind != other.kind:
        raise refuse("kinds", _("Only two different records of one kind can be merged."))
    if other.merged_into_id or other.is_deleted:
        raise refuse("gone", _("%s is no longer there.") % other.ident)
    for link in list(record.links.select_related("target")):
        _move_link(link, source=other, target=link.target, at=at)
    for link in list(record.backlinks.select_related("source")):
        _move_link(link, source=link.source, target=other, at=at)
    there = other.supports.values("user")
    record.supports.exclude(user__in=there).update(record=other)
    Record.objects.filter(merged_into=record).update(merged_into=other)
    record.merged_into = other
    if "duplicate" in record.kind_of.statuses:
        record.status, record.status_since, record.status_by = "duplicate", at, by
    summary = _("Merged into %s") % other.ident
    revision = save(record, Change(by=by, at=at, cause=Cause.MERGE, summary=summary))
    told = follow_up(record, revision, others=[other.pk])
    record.watches.exclude(user__in=other.watches.values("user")).update(record=other)
    summary = _("Took in %s") % record.ident
    revision = save(other, Change(by=by, at=at, cause=Cause.MERGE, summary=summary))
    follow_up(other, revision, told=told)
    return other


def _move_link(link: Link, *, source: Record, target: Record, at: datetime) -> None:
    """Hang a link on another record; dropped where it would repeat, turn back or close a circle."""
    original, kind = link.source, link.link_type
    link.delete()
    repeats = source.links.filter(type=kind.name, target=target, anchor=link.anchor).exists()
    agreed_twice = link.is_agreed and source.links.filter(is_agreed=True).exists()
    circle = kind.acyclic and source.pk != target.pk and way(kind.name, target, source)
    if source.pk != target.pk and not repeats and not agreed_twice and not circle:
        link.pk, link.source, link.target = None, source, target
        link.save(force_insert=True)
    if original.pk == source.pk:
        change = Change(by=None, at=at, cause=Cause.MERGE, summary=f"→ {target.ident}")
        save(source, change)


@transaction.atomic
def delete_record(record: Record, *, by: User, at: datetime, reason: str) -> None:
    """Leave a tombstone. Refused while other records lead here; the message names them."""
    if not may(by, "lead"):
        raise NotAllowed(Missing("not-allowed", _("This is for leads.")))
    if not reason.strip():
        raise refuse("no-reason", _("Give a reason."), "reason")
    leading = list(record.backlinks.select_related("source")[:50])
    leading_idents = [link.source.ident for link in leading]
    leading_idents += [each.ident for each in record.quoted_by.all()[:50]]
    if leading_idents:
        raise refuse(
            "linked",
            _("These lead here: %s. Retire it, or merge it into another.")
            % ", ".join(sorted(set(leading_idents))),
            "links",
        )
    record.links.all().delete()
    record.is_deleted, record.status_reason = True, reason
    summary = _("Deleted: %s") % reason
    revision = save(record, Change(by=by, at=at, summary=summary))
    follow_up(record, revision)
