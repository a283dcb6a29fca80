"""Taking notes of a meeting, by several people at once."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.accounts.models import User
from stories.guards import Missing
from stories.models import (
    MinuteLine,
    Record,
)
from stories.operations.mentioning import mentioned
from stories.operations.saving import TRIES, NotAllowed, Stale, refuse
from stories.operations.telling import tell
from stories.operations.trail import leave
from stories.operations.writing import edit_record
from stories.roles import may
from stories.schema import keep_numbers, split_line


def fold_minutes(record: Record) -> None:
    """Lines that were written live become part of the notes, with their numbers."""
    notes = {topic["number"]: topic for topic in record.fields["notes"]}
    for line in record.minutes.all():
        topic = notes.setdefault(line.topic, {"number": line.topic, "title": "", "lines": []})
        topic["lines"].append({"number": line.number, "speaker": line.speaker, "text": line.text})
    record.fields["notes"] = [notes[number] for number in sorted(notes)]
    record.minutes.all().delete()


@transaction.atomic
def write_minute(meeting: Record, *, topic: int, text: str, by: User, at: datetime) -> MinuteLine:
    """Add a line while the meeting goes on; any number of people may, none loses a line."""
    if not may(by, "contributor"):
        raise NotAllowed(Missing("not-allowed", _("This is for members of the workgroup.")))
    if meeting.kind != "MT" or meeting.status != "in_progress":
        raise refuse("not-going-on", _("The meeting is not in progress. Begin it first."))
    line = split_line(text.replace("\0", ""))
    if not line["text"]:
        raise refuse("empty", _("Write something first."), "text")
    named = mentioned([line["text"]], field="text")
    minute = _add_minute(meeting, topic, line, by=by, at=at)
    said = f"{meeting.ident}: {by.username}: {minute.text}"
    tell(meeting, said, by=by, at=at, levels=(), mentioned=named)
    told = {"speaker": minute.speaker, "text": minute.text}
    leave(meeting, "noted", by=by, at=at, summary=str(minute), after=told)
    return minute


def _add_minute(
    meeting: Record, topic: int, line: Mapping[str, Any], *, by: User, at: datetime
) -> MinuteLine:
    notes = {each["number"]: each for each in meeting.fields["notes"]}
    written = max((each["number"] for each in notes.get(topic, {}).get("lines", [])), default=0)
    for _attempt in range(TRIES):
        lines = MinuteLine.objects.filter(meeting=meeting, topic=topic)
        last = max([written, *lines.values_list("number", flat=True)])
        try:
            with transaction.atomic():
                return MinuteLine.objects.create(
                    meeting=meeting,
                    topic=topic,
                    number=last + 1,
                    speaker=line["speaker"][:50],
                    text=line["text"],
                    author=by,
                    at=at,
                )
        except IntegrityError:
            continue
    raise Stale(_("Many are writing at once. Try again."))


def open_topic(meeting: Record, *, title: str, by: User, at: datetime) -> int:
    """The number of the topic of that title; begun if it is not there."""
    title = " ".join(title.split())
    for topic in meeting.fields["notes"]:
        if topic["title"].strip().lower() == title.lower():
            return int(topic["number"])
    notes = [*meeting.fields["notes"], {"number": None, "title": title, "lines": []}]
    saved = edit_record(
        meeting, by=by, at=at, version=meeting.version, fields={"notes": notes}, summary=title
    )
    return max(topic["number"] for topic in saved.record.fields["notes"])


def edited_notes(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Notes as a form sends them, with the numbers that lines had before."""
    old = {topic["number"]: topic["lines"] for topic in before}
    return [
        {**topic, "lines": keep_numbers(old.get(topic["number"], []), list(topic["lines"]))}
        for topic in after
    ]


def carried_over(meeting: Record) -> list[Record]:
    """Action items of the series that are still open when a meeting begins."""
    raised = Record.objects.undone().filter(kind="AI", links__type="raised_in")
    in_series = raised.filter(
        links__target__kind="MT", links__target__fields__series=meeting.fields["series"]
    )
    return list(in_series.distinct())
