"""Relating records to each other."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.accounts.models import User
from stories import checks
from stories.guards import Missing
from stories.kinds import INVERSES, LINK_TYPES, LinkType
from stories.models import (
    Link,
    Record,
)
from stories.operations.moving import supersede_by, tell_superseded
from stories.operations.saving import (
    Cause,
    Change,
    NotAllowed,
    TargetMoved,
    follow_up,
    refuse,
    save,
)
from stories.operations.trail import leave
from stories.operations.writing import check_quote
from stories.roles import is_own_draft, may


def link_type(name: str) -> tuple[LinkType, bool]:
    """A type by its own or its inverse name, and whether that was the inverse."""
    if name in LINK_TYPES:
        return LINK_TYPES[name], False
    if name in INVERSES:
        return INVERSES[name], True
    raise refuse("no-such-link", _("There is no such relation: %s.") % name, "type")


@transaction.atomic
def add_link(
    record: Record,
    type_name: str,
    other: Record,
    *,
    by: User | None,
    at: datetime,
    anchor: str = "",
    quote: str = "",
    note: str = "",
    cause: str = Cause.LINK,
) -> Link:
    """Relate two records; the inverse name of a relation may be used. Again is no change."""
    kind, is_inverse = link_type(type_name)
    source, target = (other, record) if is_inverse else (record, other)
    there = source.links.filter(type=kind.name, target=target, anchor=anchor).first()
    if there:
        return there
    link = make_link(kind.name, source, target, by=by, at=at, anchor=anchor, quote=quote, note=note)
    summary = f"+ {kind.label} {target.ident}"
    revision = save(source, Change(by=by, at=at, cause=cause, summary=summary))
    is_effective = kind.name == "supersedes" and source.status in source.kind_of.effective
    superseded = supersede_by(source, at=at) if is_effective else []
    others = [target.pk, *(each.record_id for each in superseded)]
    told = follow_up(source, revision, others=others)
    tell_superseded(superseded, by=by, told=told)
    return link


def make_link(
    type_name: str,
    source: Record,
    target: Record,
    *,
    by: User | None,
    at: datetime,
    anchor: str = "",
    quote: str = "",
    note: str = "",
) -> Link:
    """The link's row alone, if it is allowed; the caller saves its source. Raises Refused."""
    kind = LINK_TYPES[type_name]
    _refuse_link(kind, source, target, by)
    if quote:
        check_quote(target, quote, anchor)
    try:
        with transaction.atomic():
            return Link.objects.create(
                source=source,
                type=kind.name,
                target=target,
                source_kind=source.kind,
                target_kind=target.kind,
                anchor=anchor,
                quote=quote,
                note=note[:500],
                target_version_seen=target.material_version,
                is_agreed=kind.name == "justified_by" and target.status == "agreed",
                created_by=by,
                created_at=at,
            )
    except IntegrityError as error:
        raise refuse(
            "link-refused",
            _("%(feature)s already has an agreed rationale. Supersede that one first.")
            % {"feature": source.ident},
        ) from error


def _refuse_link(kind: LinkType, source: Record, target: Record, by: User | None) -> None:
    _refuse_person(kind, source, by, _("You may not link this record."))
    if source.pk == target.pk:
        raise refuse("self-link", _("A record cannot be linked to itself."), "target")
    for end in (source, target):
        if end.merged_into_id or end.is_deleted:
            raise refuse("gone", _("%s is no longer there.") % end.ident, "target")
    if not kind.allows(source.kind, target.kind):
        names = {
            "type": kind.label,
            "source": source.kind_of.name,
            "target": target.kind_of.name,
        }
        sentence = _("“%(type)s” does not lead from a %(source)s to a %(target)s.")
        raise refuse("kinds", sentence % names, "type")
    if kind.acyclic and (circle := way(kind.name, target, source)):
        idents = " → ".join(each.ident for each in [source, *circle])
        raise refuse("circle", _("That would be a circle: %s.") % idents, "target")


def _refuse_person(kind: LinkType, source: Record, by: User | None, sentence: str) -> None:
    """`by` None is the platform, or an import."""
    if by is None:
        return
    if not may(by, "contributor") and not is_own_draft(by, source):
        raise NotAllowed(Missing("not-allowed", sentence))
    if kind.name == "planned_for" and source.status == "released" and not may(by, "lead"):
        raise NotAllowed(Missing("not-allowed", _("A lead moves a released story.")))


def way(type_name: str, start: Record, goal: Record) -> list[Record]:
    """Records from `start` to `goal` along links of a type; empty if there is no way."""
    before: dict[int, Record | None] = {start.pk: None}
    front = [start]
    while front:
        links = Link.objects.filter(type=type_name, source__in=front).select_related("target")
        parents = {each.pk: each for each in front}
        front = []
        for link in links:
            if link.target_id not in before:
                before[link.target_id] = parents[link.source_id]
                front.append(link.target)
            if link.target_id == goal.pk:
                way, at = [link.target], parents[link.source_id]
                while at is not None:
                    way.insert(0, at)
                    at = before[at.pk]  # type: ignore[assignment]
                return way
    return []


@transaction.atomic
def remove_link(link: Link, *, by: User | None, at: datetime, cause: str = Cause.LINK) -> None:
    """Take a relation back. Raises Refused where a status rests on it."""
    source, target = link.source, link.target
    _refuse_person(link.link_type, source, by, _("You may not unlink this record."))
    alone = not source.links.filter(type=link.type).exclude(pk=link.pk).exists()
    if link.type == "implemented_by" and source.status == "released" and alone:
        raise refuse("last-feature", _("A released story keeps its last feature."))
    if link.type == "supersedes" and target.superseded_by_id == source.pk:
        raise refuse("superseded", _("%s is superseded by it already.") % target.ident)
    label = link.link_type.label
    link.delete()
    summary = f"- {label} {target.ident}"
    revision = save(source, Change(by=by, at=at, cause=cause, summary=summary))
    follow_up(source, revision, others=[target.pk])


@transaction.atomic
def confirm_link(link: Link, *, by: User, at: datetime, version: int) -> None:
    """Somebody read the target at that version: the link is not suspect any more.

    Raises TargetMoved if the target says something else by now.
    """
    if not may(by, "contributor"):
        raise NotAllowed(Missing("not-allowed", _("This is for members of the workgroup.")))
    target = Record.objects.select_for_update().get(pk=link.target_id)
    if not target.material_version <= version <= target.version:
        raise TargetMoved(target)
    before = {"version": link.target_version_seen}
    Link.objects.filter(pk=link.pk).update(target_version_seen=target.material_version)
    after = {"version": target.material_version}
    summary = f"{link.type} {target.ident}"
    leave(link.source, "link-confirmed", by=by, at=at, summary=summary, before=before, after=after)
    checks.refresh(at, [link.source_id])
