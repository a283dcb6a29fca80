"""Writing records: the form of a new one, of one that is there, a preview, an older text."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts.permissions import MemberRequest, requires
from stories import forms, operations, presentation
from stories.edits.base import attempt, on_current, writable
from stories.kinds import BY_SLUG, Kind
from stories.models import Record
from stories.operations import Conflict, Origin, Refused, Saved, Stale
from stories.roles import may_create, may_edit
from stories.schema import line_at
from stories.snapshots import TooNew
from stories.text import render as render_markdown
from stories.views import find, head


@requires("member")
@require_http_methods(["GET", "POST"])
def record_new(request: MemberRequest, slug: str) -> HttpResponse:
    """A new record, perhaps from a line of a meeting: `?from=MT-1&line=t4.l7`."""
    kind = BY_SLUG.get(slug)
    if kind is None:
        raise Http404
    if not may_create(request.user, kind.prefix):
        messages.error(
            request, _("This is for members of the workgroup. Anyone may propose a story.")
        )
        return redirect("records", slug)
    meeting, quote, anchor = _line_asked_for(request)
    fields, title, errors = kind.empty_fields(), "", {}
    if request.method == "POST":
        fields, title = forms.read(kind, request.POST), request.POST.get("title", "")
        try:
            origin = Origin(meeting, quote, anchor) if meeting else None
            record = operations.create_record(
                kind.prefix,
                title=title,
                fields=fields,
                by=request.user,
                at=timezone.now(),
                origin=origin,
                summary=request.POST.get("change_summary", ""),
            )
        except Refused as refusal:
            errors = {each.field: each.sentence for each in refusal.missing}
        else:
            messages.success(request, _("%s is there.") % record.ident)
            return redirect(record)
    elif quote:
        title = quote[:300]
    context = {
        "kind": kind,
        "title": title,
        "inputs": forms.inputs_of(kind, fields, errors),
        "errors": errors,
        "source": meeting,
        "quote": quote,
        "anchor": anchor,
        "draft_key": f"new-{kind.prefix}",
    }
    return render(request, "stories/record_form.html", context)


def _line_asked_for(request: HttpRequest) -> tuple[Record | None, str, str]:
    sent = request.POST if request.method == "POST" else request.GET
    meeting = Record.objects.by_ident(sent.get("from", "")).filter(kind="MT").first()
    if meeting is None:
        return None, "", ""
    anchor = sent.get("line", "")
    line = line_at(meeting.fields["notes"], anchor)
    live = next((each for each in meeting.minutes.all() if str(each) == anchor), None)
    text = line["text"] if line else live.text if live else ""
    return meeting, sent.get("quote", "") or text, anchor


@requires("member")
@require_http_methods(["GET", "POST"])
def record_edit(request: MemberRequest, ident: str) -> HttpResponse:
    """The form of a record. What clashes with another edit is shown in three columns."""
    record = writable(ident)
    if not may_edit(request.user, record):
        messages.error(request, _("You may not edit this record. Comment on it instead."))
        return redirect(record)
    if request.method != "POST":
        return _form(request, record, record.title, record.fields, record.version)
    kind, title = record.kind_of, request.POST.get("title", "")
    sent = request.POST.get("base_version", "")
    version = int(sent) if sent.isdecimal() else record.version
    fields = _sent_fields(request, record, version)
    try:
        saved = operations.edit_record(
            record,
            by=request.user,
            at=timezone.now(),
            version=version,
            title=title,
            fields=fields,
            summary=request.POST.get("change_summary", ""),
            is_minor="is_minor" in request.POST,
        )
    except Conflict as conflict:
        merged = dict(conflict.merged)
        title, clashes = merged.pop("title"), _clashes(kind, conflict)
        return _form(request, find(ident), title, merged, conflict.version, clashes=clashes)
    except Refused as refusal:
        errors = {each.field: each.sentence for each in refusal.missing}
        return _form(request, find(ident), title, fields, version, errors=errors)
    except (Stale, TooNew) as error:
        messages.error(request, str(error))
        return _form(request, find(ident), title, fields, version)
    messages.success(request, _saved_words(saved))
    return redirect(record)


def _sent_fields(request: HttpRequest, record: Record, version: int) -> dict[str, Any]:
    """What the form sent; lines of notes keep the numbers that they had in that version."""
    fields = forms.read(record.kind_of, request.POST)
    base = record.revisions.filter(number=version).first()
    if "notes" in fields and record.kind == "MT" and base and not base.unreadable:
        fields["notes"] = _numbered_notes(base.snapshot["fields"]["notes"], fields["notes"])
    return fields


def _saved_words(saved: Saved) -> str:
    if saved.revision is None:
        return _("Nothing was changed.")
    if saved.is_merged:
        return _("Saved, together with what somebody else changed.")
    return _("Saved.")


def _form(
    request: HttpRequest,
    record: Record,
    title: str,
    fields: Mapping[str, Any],
    version: int,
    *,
    errors: Mapping[str, str] | None = None,
    clashes: Sequence[Any] = (),
) -> HttpResponse:
    context = head(request, record, "edit") | {
        "title": title,
        "inputs": forms.inputs_of(record.kind_of, fields, errors),
        "errors": errors,
        "version": version,
        "clashes": clashes,
        "draft_key": f"{record.ident}-v{version}",
    }
    status = 409 if clashes else 200
    return render(request, "stories/record_form.html", context, status=status)


def _numbered_notes(
    before: Sequence[Mapping[str, Any]], after: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Topics keep their numbers by their titles, or their places; lines by what they say."""
    by_title = {topic["title"]: topic for topic in before}
    free = [topic for topic in before if topic["title"] not in {each["title"] for each in after}]
    for topic in after:
        old = by_title.pop(topic["title"], None) or (free.pop(0) if free else None)
        if old:
            topic["number"] = old["number"]
    return operations.edited_notes(before, after)


def _clashes(kind: Kind, conflict: Conflict) -> list[dict[str, Any]]:
    found = []
    for clash in conflict.clashes:
        if clash.field == "title":
            label, lines = kind.title_label, [[clash.base], [clash.theirs], [clash.mine]]
        else:
            field = kind.field(clash.field)
            label = field.label
            lines = [
                presentation.as_lines(field, value)
                for value in (clash.base, clash.theirs, clash.mine)
            ]
        base, theirs, mine = ("\n".join(side) for side in lines)
        found.append(
            {"label": label, "base": base, "theirs": theirs, "mine": mine, "merged": clash.merged}
        )
    return found


@requires("member")
@require_POST
def record_preview(request: MemberRequest) -> HttpResponse:
    """Markdown as it will look: a fragment."""
    text = request.POST.get("text", "")[:200_000]
    return HttpResponse(render_markdown(text))


@requires("member")
@require_POST
@on_current
def record_restore(request: MemberRequest, record: Record, number: int) -> HttpResponse:
    attempt(
        request,
        lambda: operations.restore(record, number, by=request.user, at=timezone.now()),
        _("Version %(number)s is the newest again.") % {"number": number},
    )
    return redirect("record_history", record.ident)
