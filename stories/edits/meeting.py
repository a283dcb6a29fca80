"""Taking notes of a meeting while it goes on."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from portal.accounts.permissions import MemberRequest, requires
from stories import operations
from stories.edits.base import attempt, writable
from stories.models import MinuteLine, Record
from stories.operations import Stale
from stories.views import head


@requires("workgroup")
@require_http_methods(["GET", "POST"])
def minutes(request: MemberRequest, ident: str) -> HttpResponse:
    """Taking notes while the meeting goes on; several people may write at once."""
    meeting = writable(ident)
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

        try:
            attempt(request, write)
        except Stale as stale:
            messages.error(request, str(stale))
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
