"""All records as a directory of files, and back: what was edited on both sides is merged."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.tools.audit import record_event
from stories import checks
from stories.files import BadFile, Draft, file_name, parse, to_markdown
from stories.kinds import KINDS, split_ident
from stories.merging import merge_fields
from stories.models import Counter, Link, Record, Revision
from stories.operations import Change, Refused, check_quote, make_link, save
from stories.snapshots import TooNew

CHUNK = 500


def export_records(directory: Path) -> int:
    """Write every record below `directory` and remove files of records that are not there.

    Returns how many were written. Files that have not changed are not touched.
    """
    written = set()
    for record, snapshot in snapshots():
        path = directory / file_name(record.ident)
        text = to_markdown(snapshot, record.version).encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != text:
            path.write_bytes(text)
        written.add(path)
    for kind in KINDS.values():
        for path in (directory / kind.slug).glob(f"{kind.prefix}-*.md"):
            if path not in written:
                path.unlink()
    return len(written)


def snapshots() -> Iterable[tuple[Record, dict[str, Any]]]:
    """Every record with its snapshot, in few queries."""
    records = Record.objects.select_related("superseded_by", "merged_into", "source")
    chunk: list[Record] = []
    for record in records.order_by("kind", "number").iterator(chunk_size=CHUNK):
        chunk.append(record)
        if len(chunk) == CHUNK:
            yield from _snapshots(chunk)
            chunk = []
    yield from _snapshots(chunk)


def _snapshots(chunk: list[Record]) -> Iterable[tuple[Record, dict[str, Any]]]:
    links: dict[int, list[Link]] = {}
    for link in Link.objects.filter(source__in=chunk).select_related("target"):
        links.setdefault(link.source_id, []).append(link)
    for record in chunk:
        yield record, record.snapshot(links.get(record.pk, []))


def digest(snapshot: Mapping[str, Any]) -> str:
    """Of a snapshot in canonical form: equal if and only if the record says the same."""
    text = json.dumps(snapshot, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class Report:
    """What an import did, by ident; `kept` are records whose local edits clash with the file."""

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def read_directory(directory: Path) -> list[Draft]:
    """All files below a directory. Raises BadFile for the first that is broken or repeats one."""
    drafts: dict[tuple[str, int], Draft] = {}
    for path in sorted(directory.rglob("*.md")):
        name = str(path.relative_to(directory))
        if ".git/" in f"{name}/" or not re.match(r"[A-Z]{2}-\d+", path.name):
            continue
        draft = parse(name, path.read_bytes())
        if draft.key in drafts:
            other = drafts[draft.key].name
            raise BadFile(
                name,
                2,
                _("%(ident)s is in %(other)s too.") % {"ident": draft.ident, "other": other},
            )
        drafts[draft.key] = draft
    return list(drafts.values())


@transaction.atomic
def import_records(
    drafts: Iterable[Draft], *, by: User | None, at: datetime, summary: str = ""
) -> Report:
    """Bring records up to date with files, all of them or none. Raises BadFile.

    Each is merged with what was edited here since it was last imported or exported; where both
    changed the same place the local text is kept, and the report names the record.
    """
    drafts = sorted(drafts, key=lambda draft: draft.key)
    report = Report()
    touched = _touched(drafts, report, by=by, at=at)
    under_way = _Import(touched, report, by, at, summary)
    for draft in drafts:
        try:
            under_way.take(draft)
        except TooNew as error:
            raise BadFile(draft.name, 1, str(error)) from error
    _agree(touched)
    told = {name: idents for name, idents in vars(report).items() if idents and name != "unchanged"}
    if told:
        record_event(None, by=by, action="records.imported", summary=summary, after=told, at=at)
    checks.refresh(at, [record.pk for record in touched.values()])
    return report


def _touched(
    drafts: Sequence[Draft], report: Report, *, by: User | None, at: datetime
) -> dict[tuple[str, int], Record]:
    """The records of the files, each as it is here; those that are not here are made."""
    touched: dict[tuple[str, int], Record] = {}
    there = _present(draft.key for draft in drafts)
    for draft in drafts:
        known = there.get(draft.key)
        if known is None:
            report.created.append(draft.ident)
        elif draft.front.get("uid", str(known.uid)) != str(known.uid):
            raise BadFile(draft.name, 2, _("%s is another record here.") % draft.ident)
        touched[draft.key] = known or _create(draft, by=by, at=at)
    return touched


def _agree(touched: Mapping[tuple[str, int], Record]) -> None:
    """Repeat on links to rationales what these became after the links were made."""
    for (kind, _number), record in touched.items():
        links = Link.objects.filter(type="justified_by", target=record)
        stale = links.exclude(is_agreed=record.status == "agreed") if kind == "RA" else ()
        for link in stale:
            link.is_agreed = record.status == "agreed"
            try:
                with transaction.atomic():
                    link.save(update_fields=["is_agreed"])
            except IntegrityError as error:
                sentence = _("%s has another agreed rationale.") % link.source.ident
                raise BadFile(record.ident, 1, sentence) from error


def _present(keys: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Record]:
    wanted = set(keys)
    kinds = {kind for kind, _number in wanted}
    records = Record.objects.filter(kind__in=kinds).select_related(
        "superseded_by", "merged_into", "source"
    )
    return {
        (each.kind, each.number): each for each in records if (each.kind, each.number) in wanted
    }


def _create(draft: Draft, *, by: User | None, at: datetime) -> Record:
    """The record without what leads to others; that follows once all are there."""
    kind, number = draft.key
    Counter.reserve(kind, number)
    record = Record(
        kind=kind,
        number=number,
        title=draft.front["title"],
        fields=draft.fields,
        status=KINDS[kind].first_status,
        status_since=at,
        created_at=at,
        updated_at=at,
        created_by=by,
        last_author=by,
    )
    if draft.front.get("uid"):
        record.uid = draft.front["uid"]
    record.take_columns()
    record.save(force_insert=True)
    return record


@dataclass(frozen=True)
class _Import:
    """One import under way: the records of its files, and who brings them."""

    touched: Mapping[tuple[str, int], Record]
    report: Report
    by: User | None
    at: datetime
    summary: str

    def take(self, draft: Draft) -> None:
        """Bring one record up to date with its file."""
        record = self.touched[draft.key]
        wanted = _snapshot(draft, record)
        file_digest = digest(wanted)
        if draft.ident not in self.report.created:
            now = record.snapshot()
            if file_digest in (digest(now), record.imported_digest):
                self.report.unchanged.append(draft.ident)
                Record.objects.filter(pk=record.pk).update(imported_digest=file_digest)
                return
            self._merge(draft, record, now, wanted)
        self._apply(draft, record, wanted)
        record.imported_digest = file_digest
        newest = record.revisions.first()
        if newest is None or digest(newest.snapshot) != digest(record.snapshot()):
            summary = self.summary or _("Imported from %s") % draft.name
            cause = Revision.Cause.IMPORT
            save(record, Change(by=self.by, at=self.at, cause=cause, summary=summary))
        Record.objects.filter(pk=record.pk).update(imported_digest=file_digest)

    def _merge(
        self, draft: Draft, record: Record, now: Mapping[str, Any], wanted: dict[str, Any]
    ) -> None:
        """Merge what was edited here since the file was written into `wanted`."""
        base = _base(draft, record)
        if digest(base) == digest(now):
            self.report.changed.append(draft.ident)
            return
        old, ours, theirs = _flat(base), _flat(now), _flat(wanted)
        result = merge_fields(old, ours, theirs)
        for clash in result.clashes:
            result.values[clash.field] = ours[clash.field]
        (self.report.kept if result.clashes else self.report.merged).append(draft.ident)
        for name in wanted["fields"]:
            wanted["fields"][name] = result.values[f"fields.{name}"]
        for name in wanted.keys() - {"fields"}:
            wanted[name] = result.values[name]

    def _apply(self, draft: Draft, record: Record, wanted: Mapping[str, Any]) -> None:
        """Make the record what `wanted` says; guards bind moves, not loading."""
        record.title, record.fields = wanted["title"], dict(wanted["fields"])
        if record.status != wanted["status"]:
            record.status, record.status_since = wanted["status"], self.at
            record.status_by = self.by
        record.status_reason, record.is_deleted = wanted["status_reason"], wanted["is_deleted"]
        record.look_again_on = _day(draft, wanted["look_again_on"])
        record.superseded_by = self._other(draft, wanted["superseded_by"])
        record.merged_into = self._other(draft, wanted["merged_into"])
        record.source = self._other(draft, wanted["source"])
        record.anchor, record.quote = wanted["anchor"], wanted["quote"]
        record.certainty = wanted["certainty"]
        record.take_columns()
        _refuse_unlawful(draft, record)
        try:
            if record.source:
                check_quote(record.source, record.quote, record.anchor)
            self._link(draft, record, wanted["links"])
        except Refused as refused:
            raise BadFile(draft.name, 1, str(refused)) from refused

    def _other(self, draft: Draft, ident: object) -> Record | None:
        if not ident:
            return None
        found = self.touched.get(split_ident(str(ident)) or ("", 0))
        found = found or Record.objects.by_ident(str(ident)).first()
        if found is None:
            raise BadFile(draft.name, 1, _("%s is not there.") % ident)
        return found

    def _link(self, draft: Draft, record: Record, wanted: Iterable[Mapping[str, str]]) -> None:
        there = {_key(link.snapshot()): link for link in record.outgoing_links()}
        wanted_keys = {_key(link) for link in wanted}
        for key in there.keys() - wanted_keys:
            there[key].delete()
        for link in wanted:
            if _key(link) not in there:
                target = self._other(draft, link["to"])
                assert target is not None
                given = {name: link.get(name, "") for name in ("anchor", "quote", "note")}
                make_link(link["type"], record, target, by=None, at=self.at, **given)


def _key(link: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(link.get(name, "") for name in ("type", "to", "anchor", "quote", "note"))


def _flat(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    fields = {f"fields.{name}": value for name, value in snapshot["fields"].items()}
    return {name: value for name, value in snapshot.items() if name != "fields"} | fields


def _day(draft: Draft, value: object) -> date | None:
    try:
        return date.fromisoformat(str(value)) if value else None
    except ValueError as error:
        raise BadFile(draft.name, 1, f"look_again_on: {error}") from error


def _base(draft: Draft, record: Record) -> dict[str, Any]:
    """What the record was when the file was written, as well as that is known."""
    revisions = record.revisions.all()
    if draft.version:
        written = revisions.filter(number=draft.version).first()
        if written:
            return dict(written.snapshot)
    for revision in revisions:
        # As it was imported, so in the form of that day.
        if digest(revision.stored) == record.imported_digest:
            return dict(revision.snapshot)
    first = revisions.last()
    return dict(first.snapshot) if first else record.snapshot()


def _snapshot(draft: Draft, record: Record) -> dict[str, Any]:
    """What the record would be if it were just as the file says."""
    front = draft.front
    links = [
        {"type": link["type"], "to": str(link["to"])}
        | {name: str(link[name]) for name in ("anchor", "quote", "note") if link.get(name)}
        for link in draft.links
    ]
    links.sort(key=lambda link: (link["type"], split_ident(link["to"]), link.get("anchor", "")))
    return {
        "uid": str(front.get("uid") or record.uid),
        "ident": draft.ident,
        "title": front["title"],
        "status": front["status"],
        "status_reason": str(front.get("status_reason") or ""),
        "look_again_on": front.get("look_again_on"),
        "superseded_by": front.get("superseded_by"),
        "merged_into": front.get("merged_into"),
        "is_deleted": bool(front.get("is_deleted")),
        "source": front.get("source"),
        "anchor": str(front.get("anchor") or ""),
        "quote": str(front.get("quote") or ""),
        "certainty": str(front.get("certainty") or ""),
        "fields": draft.fields,
        "links": links,
    }


def _refuse_unlawful(draft: Draft, record: Record) -> None:
    """What the database insists on, as sentences."""
    if (record.status == "superseded") != (record.superseded_by is not None):
        raise BadFile(draft.name, 1, _("Status “superseded” and “superseded_by” come together."))
    if record.kind == "RA" and record.status == "agreed" and not record.review_by:
        raise BadFile(draft.name, 1, _("An agreed rationale needs its review day."))
    if record.kind == "DR" and record.status == "decided" and not record.decided_on:
        raise BadFile(draft.name, 1, _("A decision that was made needs its day."))
