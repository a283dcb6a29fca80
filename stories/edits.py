"""Pages that change a record: write, move, link, discuss, take notes."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts.permissions import MemberRequest, requires
from portal.tools.models import Tool
from stories import forms, operations, presentation
from stories.kinds import BY_SLUG, Kind
from stories.models import Comment, Link, MinuteLine, Record, Revision
from stories.operations import Conflict, Origin, Refused, Saved, Stale
from stories.roles import may_create, may_edit
from stories.schema import line_at
from stories.text import render as render_markdown
from stories.views import find, head


def _writable(ident: str) -> Record:
    record = find(ident)
    if record.merged_into_id or record.is_deleted:
        raise Http404
    return record


def _attempt(request: HttpRequest, operation: Callable[[], object], done: str = "") -> bool:
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
    record = _writable(ident)
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
    except Stale as stale:
        messages.error(request, str(stale))
        return _form(request, find(ident), title, fields, version)
    messages.success(request, _saved_words(saved))
    return redirect(record)


def _sent_fields(request: HttpRequest, record: Record, version: int) -> dict[str, Any]:
    """What the form sent; lines of notes keep the numbers that they had in that version."""
    fields = forms.read(record.kind_of, request.POST)
    base = record.revisions.filter(number=version).first()
    if "notes" in fields and record.kind == "MT" and base:
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
def record_restore(request: MemberRequest, ident: str, number: int) -> HttpResponse:
    record = _writable(ident)
    _attempt(
        request,
        lambda: operations.restore(record, number, by=request.user, at=timezone.now()),
        _("Version %(number)s is the newest again.") % {"number": number},
    )
    return redirect("record_history", ident)


@requires("member")
@require_POST
def record_move(request: MemberRequest, ident: str) -> HttpResponse:
    record = _writable(ident)
    sent = request.POST
    _attempt(
        request,
        lambda: operations.move(
            record,
            sent.get("to", ""),
            by=request.user,
            at=timezone.now(),
            reason=sent.get("reason", ""),
            look_again_on=_day(sent.get("look_again_on", "")),
            override=sent.get("override", ""),
        ),
    )
    return redirect(record)


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


@requires("workgroup")
@require_POST
def record_reconfirm(request: MemberRequest, ident: str) -> HttpResponse:
    record = _writable(ident)
    review_by = _day(request.POST.get("review_by", "")) or timezone.now().date()
    _attempt(
        request,
        lambda: operations.reconfirm(
            record, by=request.user, at=timezone.now(), review_by=review_by
        ),
        _("Confirmed with today's numbers."),
    )
    return redirect(record)


@requires("member")
@require_POST
def link_add(request: MemberRequest, ident: str) -> HttpResponse:
    record = _writable(ident)
    sent = request.POST
    other = Record.objects.by_ident(sent.get("to", "")).first()
    if other is None:
        messages.error(request, _("There is no record %s.") % sent.get("to", "")[:20])
        return redirect(record)
    _attempt(
        request,
        lambda: operations.add_link(
            record,
            sent.get("type", ""),
            other,
            by=request.user,
            at=timezone.now(),
            anchor=sent.get("anchor", ""),
            quote=sent.get("quote", ""),
            note=sent.get("note", ""),
        ),
    )
    return redirect(record)


def _link_of(record: Record, pk: int) -> Link:
    links = Link.objects.select_related("source", "target")
    link = get_object_or_404(links, pk=pk)
    if record.pk not in (link.source_id, link.target_id):
        raise Http404
    return link


@requires("member")
@require_POST
def link_remove(request: MemberRequest, ident: str, pk: int) -> HttpResponse:
    record = _writable(ident)
    link = _link_of(record, pk)
    _attempt(request, lambda: operations.remove_link(link, by=request.user, at=timezone.now()))
    return redirect(record)


@requires("workgroup")
@require_POST
def link_confirm(request: MemberRequest, ident: str, pk: int) -> HttpResponse:
    record = _writable(ident)
    link = _link_of(record, pk)
    _attempt(request, lambda: operations.confirm_link(link, by=request.user, at=timezone.now()))
    return redirect(record)


@requires("admin")
@require_POST
def record_merge(request: MemberRequest, ident: str) -> HttpResponse:
    record = _writable(ident)
    other = Record.objects.by_ident(request.POST.get("to", "")).first()
    if other is None:
        messages.error(request, _("There is no record of that name."))
    elif _attempt(
        request,
        lambda: operations.merge_into(record, other, by=request.user, at=timezone.now()),
    ):
        return redirect(other)
    return redirect(record)


@requires("admin")
@require_POST
def record_delete(request: MemberRequest, ident: str) -> HttpResponse:
    record = _writable(ident)
    reason = request.POST.get("reason", "")
    _attempt(
        request,
        lambda: operations.delete_record(record, by=request.user, at=timezone.now(), reason=reason),
    )
    return redirect(record)


@requires("workgroup")
@require_POST
def revision_patrol(request: MemberRequest, ident: str, number: int) -> HttpResponse:
    revision = get_object_or_404(find(ident).revisions, number=number)
    _attempt(
        request,
        lambda: operations.patrol(revision, by=request.user, at=timezone.now()),
        _("You have looked at version %(number)s.") % {"number": number},
    )
    return redirect(f"{reverse('record_diff', args=[ident])}?to={number}")


@requires("admin")
@require_POST
def revision_suppress(request: MemberRequest, ident: str, number: int) -> HttpResponse:
    revision = get_object_or_404(
        Revision.objects.select_related("record"), record=find(ident), number=number
    )
    reason = request.POST.get("reason", "")
    _attempt(request, lambda: operations.suppress(revision, by=request.user, reason=reason))
    return redirect("record_history", ident)


@requires("member")
@require_POST
def comment_add(request: MemberRequest, ident: str) -> HttpResponse:
    record = _writable(ident)
    sent = request.POST
    kind = sent.get("kind", "")
    _attempt(
        request,
        lambda: operations.add_comment(
            record,
            by=request.user,
            at=timezone.now(),
            body=sent.get("body", ""),
            kind=kind if kind in Comment.Kind.values else Comment.Kind.COMMENT,
            field=sent.get("field", ""),
            reply_to=record.comments.filter(pk=sent["reply_to"]).first()
            if sent.get("reply_to", "").isdecimal()
            else None,
        ),
    )
    return redirect("record_discussion", ident)


@requires("member")
@require_POST
def comment_resolve(request: MemberRequest, ident: str, pk: int) -> HttpResponse:
    comment = get_object_or_404(_writable(ident).comments.select_related("record"), pk=pk)
    _attempt(
        request, lambda: operations.resolve_comment(comment, by=request.user, at=timezone.now())
    )
    return redirect("record_discussion", ident)


@requires("workgroup")
@require_POST
def review_add(request: MemberRequest, ident: str) -> HttpResponse:
    record = _writable(ident)
    sent = request.POST
    _attempt(
        request,
        lambda: operations.review(
            record,
            by=request.user,
            at=timezone.now(),
            verdict=sent.get("verdict", ""),
            text=sent.get("text", ""),
        ),
    )
    return redirect("record_discussion", ident)


@requires("member")
@require_POST
def support_set(request: MemberRequest, ident: str) -> HttpResponse:
    record = _writable(ident)
    sent = request.POST
    if "withdraw" in sent:
        operations.withdraw_support(record, by=request.user)
        return redirect(record)
    tool = Tool.objects.filter(name=sent.get("tool", "")).first() if sent.get("tool") else None
    weight = sent.get("weight", "1")
    _attempt(
        request,
        lambda: operations.support(
            record,
            by=request.user,
            at=timezone.now(),
            why=sent.get("why", ""),
            weight=int(weight) if weight.isdecimal() else 1,
            tool=tool,
        ),
        _("Thank you. It counts."),
    )
    return redirect(record)


@requires("member")
@require_POST
def watch_set(request: MemberRequest, ident: str) -> HttpResponse:
    record = _writable(ident)
    operations.watch(record, by=request.user, level=request.POST.get("level", ""))
    return redirect(record)


@requires("workgroup")
@require_http_methods(["GET", "POST"])
def minutes(request: MemberRequest, ident: str) -> HttpResponse:
    """Taking notes while the meeting goes on; several people may write at once."""
    meeting = _writable(ident)
    if meeting.kind != "MT":
        raise Http404
    topic = _topic(request, meeting)
    if request.method == "POST":
        sent = request.POST

        def write() -> None:
            number = topic
            if sent.get("title", "").strip():
                number = operations.open_topic(
                    meeting, title=sent["title"], by=request.user, at=timezone.now()
                )
            operations.write_minute(
                meeting, topic=number, text=sent.get("text", ""), by=request.user, at=timezone.now()
            )

        _attempt(request, write)
        if "HX-Request" not in request.headers:
            return redirect(f"{request.path}?topic={topic}")
    context = head(request, meeting, "minutes") | {
        "topics": _live_topics(meeting),
        "topic": topic,
        "carried": operations.carried_over(meeting),
        "agenda": meeting.fields["agenda"],
    }
    template = "_minutes.html" if "HX-Request" in request.headers else "minutes.html"
    return render(request, f"stories/{template}", context)


def _topic(request: HttpRequest, meeting: Record) -> int:
    sent = request.POST if request.method == "POST" else request.GET
    given = sent.get("topic", "")
    if given.isdecimal() and int(given):
        return int(given)
    return max((topic["number"] for topic in meeting.fields["notes"]), default=1)


def _live_topics(meeting: Record) -> list[dict[str, Any]]:
    """Notes and the lines that are being written, in one list."""
    topics = {
        topic["number"]: {**topic, "lines": list(topic["lines"])}
        for topic in meeting.fields["notes"]
    }
    for line in MinuteLine.objects.filter(meeting=meeting).select_related("author"):
        topic = topics.setdefault(line.topic, {"number": line.topic, "title": "", "lines": []})
        topic["lines"].append(
            {"number": line.number, "speaker": line.speaker, "text": line.text, "is_live": True}
        )
    return [topics[number] for number in sorted(topics)]
