"""Pages about one record: read, write, move, link, discuss, and its history."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.accounts.models import User
from portal.accounts.permissions import MemberRequest, requires
from portal.tools.models import Tool
from stories import evidence, forms, guards, operations, pictures, presentation
from stories.checks import CHECKS, outlooks
from stories.kinds import BY_SLUG, INVERSES, KINDS, LINK_TYPES, Kind, Label
from stories.models import Comment, Flag, Link, MinuteLine, Record, Review, Revision
from stories.operations import Conflict, Origin, Refused, Stale
from stories.roles import may, may_create, may_edit
from stories.schema import line_at
from stories.text import render as render_markdown

PAGE_SIZE = 50
TOOLS_SHOWN = 12


def find(ident: str) -> Record:
    """The record of that ident, 404 if there is none. Tombstones are found too."""
    return get_object_or_404(
        Record.objects.select_related(
            "superseded_by", "merged_into", "source", "status_by", "created_by"
        ).by_ident(ident)
    )


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


# --- reading --------------------------------------------------------------------------------


@requires("public")
@require_GET
def record_page(request: HttpRequest, ident: str, slug: str = "") -> HttpResponse:
    """A record as it is, or as it was at the end of the day `?at=`."""
    record = find(ident)
    if record.merged_into:
        messages.info(request, _("%(old)s was merged into this one.") % {"old": record.ident})
        return redirect(record.merged_into)
    if request.GET.get("at"):
        return _as_of(request, record, request.GET["at"])
    now = timezone.now()
    context = {
        **head(request, record, "record"),
        "sections": presentation.sections(record.kind_of, record.fields),
        "relations": presentation.relations(record),
        "flags": _flags(record),
        "moves": _moves(request, record, now),
        "supports": list(record.supports.select_related("user", "tool")),
        "link_types": _link_types(record),
        "evidence": _evidence(record, now),
        "use": _use(record, now),
        "outlooks": _outlooks(record, now),
        "minutes": list(record.minutes.all()) if record.kind == "MT" else [],
        "cited": _cited_lines(record),
        "my_tools": _tools_of(request),
        "embedded": _embedded(record),
    }
    return render(request, "stories/record.html", context)


def _tools_of(request: HttpRequest) -> list[Tool]:
    return list(evidence.tools_of(request.user)) if isinstance(request.user, User) else []


def _is_watched(request: HttpRequest, record: Record) -> bool:
    user = request.user
    return isinstance(user, User) and record.watches.filter(user=user).exists()


def head(request: HttpRequest, record: Record, tab: str) -> dict[str, Any]:
    """What the head of every page of a record needs."""
    user = request.user
    return {
        "record": record,
        "kind": record.kind_of,
        "tab": tab,
        "can_edit": may_edit(user, record),
        "can_contribute": may(user, "contributor"),
        "can_lead": may(user, "lead"),
        "watched": _is_watched(request, record),
    }


def _as_of(request: HttpRequest, record: Record, day: str) -> HttpResponse:
    try:
        on = parse_date(day)
    except ValueError:
        on = None
    if on is None:
        messages.error(request, _("Write the day as 2026-12-31."))
        return redirect(record)
    end = timezone.make_aware(datetime.combine(on, time.max))
    revision = record.revisions.filter(at__lte=end, suppressed="").first()
    context = head(request, record, "record") | {"on": on, "revision": revision}
    if revision:
        context["sections"] = presentation.sections(record.kind_of, revision.snapshot["fields"])
        context["links"] = revision.snapshot["links"]
    return render(request, "stories/record_as_of.html", context)


def _flags(record: Record) -> list[dict[str, Any]]:
    found = Flag.objects.filter(record=record, cleared_at=None)
    return [{"flag": flag, "check": CHECKS[flag.code]} for flag in found if flag.code in CHECKS]


def _moves(request: HttpRequest, record: Record, now: datetime) -> list[dict[str, Any]]:
    """The moves from here with what is missing for each, so that nobody has to try."""
    found = []
    by = request.user if isinstance(request.user, User) else None
    for move, missing in operations.possible_moves(record, by=by, at=now):
        found.append(
            {
                "move": move,
                "label": record.kind_of.statuses[move.to],
                "missing": missing,
                "is_allowed": guards.may_move(request.user, record, move),
                "can_override": bool(missing)
                and may(request.user, "lead")
                and {each.code for each in missing} <= {"open-concern", "still-used"},
            }
        )
    return found


def _link_types(record: Record) -> list[tuple[str, Label]]:
    """Relations that may lead from this record, by either name."""
    kind = record.kind
    out = [
        (each.name, each.label)
        for each in LINK_TYPES.values()
        if any(each.allows(kind, target) for target in KINDS)
    ]
    back = [
        (each.inverse, each.inverse_label)
        for each in INVERSES.values()
        if any(each.allows(source, kind) for source in KINDS) and not each.any_kinds
    ]
    return out + back


def _evidence(record: Record, now: datetime) -> list[dict[str, Any]]:
    """Each claim of a rationale with the number then, now and the change."""
    if record.kind != "RA":
        return []
    rows = record.fields["evidence"]
    known = evidence.latest(row["metric"] for row in rows)
    found = []
    for row in rows:
        seen = known.get(row["metric"], evidence.UNKNOWN)
        readings = evidence.history(row["metric"], now.date()) if row["metric"] else []
        found.append(
            {
                "row": row,
                "known": seen,
                "change": evidence.change(row["seen_value"], seen.value),
                "metric": evidence.METRICS.get(row["metric"]),
                "spark": pictures.sparkline(
                    [each.value for each in readings], _("The last 90 days")
                ),
            }
        )
    return found


def _use(record: Record, now: datetime) -> dict[str, Any] | None:
    """How much a feature is used, by whom, and how that went lately."""
    name = record.fields.get("metric")
    if not name:
        return None
    known = evidence.latest([name]).get(name, evidence.UNKNOWN)
    readings = evidence.history(name, now.date())
    return {
        "metric": evidence.METRICS.get(name),
        "known": known,
        "tools": known.sample[:TOOLS_SHOWN],
        "spark": pictures.sparkline([each.value for each in readings], _("The last 90 days")),
    }


def _outlooks(record: Record, now: datetime) -> list[dict[str, Any]]:
    if record.kind != "UP":
        return []
    return [
        {
            "cluster": cluster,
            "outlook": seen,
            "picture": pictures.timeline(seen, seen.end),
            "share": round(seen.supported_share * 100),
        }
        for cluster, seen in outlooks(record, now)
    ]


def _cited_lines(record: Record) -> dict[str, list[Record]]:
    """Which records cite which line of a meeting."""
    if record.kind != "MT":
        return {}
    cited: dict[str, list[Record]] = {}
    for quoting in record.quoted_by.exclude(anchor="").order_by("kind", "number"):
        cited.setdefault(quoting.anchor, []).append(quoting)
    return cited


def _embedded(record: Record) -> dict[str, Record]:
    """Records that a design doc shows in its sections."""
    idents = [row["record"] for row in record.fields.get("sections", []) if row.get("record")]
    found = (Record.objects.by_ident(ident).first() for ident in idents[:50])
    return {each.ident: each for each in found if each}


@requires("public")
@require_GET
def record_history(request: HttpRequest, ident: str) -> HttpResponse:
    record = find(ident)
    revisions = record.revisions.select_related("author").defer("snapshot")
    page = Paginator(revisions, PAGE_SIZE).get_page(request.GET.get("page"))
    context = head(request, record, "history") | {"revisions": page}
    context["old_flags"] = [
        {"flag": flag, "check": CHECKS.get(flag.code)}
        for flag in record.flags.order_by("-raised_at")[:PAGE_SIZE]
    ]
    return render(request, "stories/history.html", context)


@requires("public")
@require_GET
def record_diff(request: HttpRequest, ident: str) -> HttpResponse:
    """What changed from one version to another; without numbers, in the newest."""
    record = find(ident)
    numbers = [request.GET.get(name, "") for name in ("from", "to")]
    to = int(numbers[1]) if numbers[1].isdecimal() else record.version
    start = int(numbers[0]) if numbers[0].isdecimal() else to - 1
    found = {each.number: each for each in record.revisions.filter(number__in=[start, to])}
    if to not in found:
        raise Http404
    parts: list[Any] = []
    if not any(each.suppressed for each in found.values()):
        before: Mapping[str, Any] = found[start].snapshot if start in found else {}
        parts = presentation.diff(record.kind_of, before, found[to].snapshot)
    context = head(request, record, "history")
    context |= {"parts": parts, "before": found.get(start), "after": found[to]}
    return render(request, "stories/diff.html", context)


@requires("public")
@require_GET
def record_discussion(request: HttpRequest, ident: str) -> HttpResponse:
    record = find(ident)
    rounds = record.rounds.prefetch_related("reviews__reviewer")
    context = head(request, record, "discussion") | {
        "comments": list(record.comments.select_related("author", "resolved_by")),
        "kinds": Comment.Kind.choices,
        "rounds": list(rounds),
        "verdicts": Review.Verdict.choices,
        "fields": record.kind_of.all_fields,
        "can_review": may(request.user, "reviewer") and record.status == "in_review",
    }
    return render(request, "stories/discussion.html", context)


@requires("public")
@require_GET
def record_drop(request: HttpRequest, ident: str) -> HttpResponse:
    """Whom it would meet if this feature went; as a table, or as CSV for notices."""
    record = find(ident)
    if record.kind != "FT":
        raise Http404
    metric = record.fields["metric"]
    affected = evidence.affected(metric, timezone.now())
    if request.GET.get("format") == "csv":
        lines = ["tool,maintainers"]
        lines += [f"{each.tool.name},{_csv(' '.join(each.maintainers))}" for each in affected]
        response = HttpResponse("\n".join(lines) + "\n", content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{record.ident}-tools.csv"'
        return response
    context = head(request, record, "drop") | {
        "affected": affected,
        "people": sorted({name for each in affected for name in each.maintainers}),
        "relations": presentation.relations(record),
        "metric": evidence.METRICS.get(metric),
    }
    return render(request, "stories/drop.html", context)


def _csv(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    safe = f"'{text}" if text[:1] in "=+-@\t\r" and text else text
    return '"' + safe.replace('"', '""') + '"'


# --- writing --------------------------------------------------------------------------------


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
    kind = record.kind_of
    fields, title = record.fields, record.title
    version = record.version
    errors: dict[str, str] = {}
    clashes: Sequence[Any] = ()
    if request.method == "POST":
        fields, title = forms.read(kind, request.POST), request.POST.get("title", "")
        sent = request.POST.get("base_version", "")
        version = int(sent) if sent.isdecimal() else record.version
        base = record.revisions.filter(number=version).first()
        if "notes" in fields and base:
            before = base.snapshot["fields"]["notes"]
            fields["notes"] = _numbered_notes(before, fields["notes"])
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
            clashes, version = _clashes(kind, conflict), conflict.version
            record.refresh_from_db()
            merged = dict(conflict.merged)
            title = merged.pop("title")
            fields = merged
        except Refused as refusal:
            errors = {each.field: each.sentence for each in refusal.missing}
        except Stale as stale:
            messages.error(request, str(stale))
        else:
            if saved.is_merged and saved.revision:
                messages.success(request, _("Saved, together with what somebody else changed."))
            elif saved.revision:
                messages.success(request, _("Saved."))
            else:
                messages.info(request, _("Nothing was changed."))
            return redirect(record)
    context = head(request, record, "edit") | {
        "title": title,
        "inputs": forms.inputs_of(kind, fields, errors),
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


@requires("admin")
@require_POST
def revision_suppress(request: MemberRequest, ident: str, number: int) -> HttpResponse:
    revision = get_object_or_404(
        Revision.objects.select_related("record"), record=find(ident), number=number
    )
    reason = request.POST.get("reason", "")
    _attempt(request, lambda: operations.suppress(revision, by=request.user, reason=reason))
    return redirect("record_history", ident)


# --- talking --------------------------------------------------------------------------------


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


# --- meetings -------------------------------------------------------------------------------


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
