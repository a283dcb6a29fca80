from django.urls import path, register_converter

from stories import boards, feeds, listing, presence, viewing, views
from stories.edits import ending, linking, meeting, moving, talking, writing


class IdentConverter:
    """Such as FT-2."""

    regex = r"[A-Z]{2}-[1-9]\d{0,8}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(IdentConverter, "ident")
_RECORD = "r/<ident:ident>"

urlpatterns = [
    path("stories/", boards.home, name="records_home"),
    path("stories/findings/", boards.findings, name="findings"),
    path("stories/questions/", boards.questions, name="questions"),
    path("stories/matrix/", boards.matrix, name="matrix"),
    path("stories/search/", boards.find_records, name="find_records"),
    path("stories/changes/", boards.changes, name="changes"),
    path("stories/changes.atom", feeds.ChangesFeed(), name="changes_feed"),
    path("stories/findings.atom", feeds.FindingsFeed(), name="findings_feed"),
    path("stories/baselines/", boards.baselines, name="baselines"),
    path("stories/baselines/<int:pk>/", boards.baseline, name="baseline"),
    path("stories/preview/", writing.record_preview, name="record_preview"),
    path("stories/notifications/", boards.notifications, name="notifications"),
    path("stories/notifications/read/", boards.notifications_read, name="notifications_read"),
    path("stories/views/", viewing.saved_views, name="saved_views"),
    path("stories/views/<int:pk>/", viewing.view_change, name="view_change"),
    path("stories/views/<int:pk>/delete/", viewing.view_delete, name="view_delete"),
    path("stories/<slug:slug>/", listing.records, name="records"),
    path("stories/<slug:slug>/views/", viewing.view_add, name="view_add"),
    path("stories/<slug:slug>/new/", writing.record_new, name="record_new"),
    path(f"{_RECORD}/-/edit", writing.record_edit, name="record_edit"),
    path(f"{_RECORD}/-/editors", presence.editors, name="record_editors"),
    path(f"{_RECORD}/-/history", views.record_history, name="record_history"),
    path(f"{_RECORD}/-/changes.atom", feeds.ChangesFeed(), name="record_feed"),
    path(f"{_RECORD}/-/diff", views.record_diff, name="record_diff"),
    path(f"{_RECORD}/-/discussion", views.record_discussion, name="record_discussion"),
    path(f"{_RECORD}/-/trace", boards.trace, name="trace"),
    path(f"{_RECORD}/-/madr", boards.decision_text, {"form": "madr"}, name="madr"),
    path(f"{_RECORD}/-/wikitext", boards.decision_text, {"form": "wikitext"}, name="wikitext"),
    path(f"{_RECORD}/-/drop", views.record_drop, name="record_drop"),
    path(f"{_RECORD}/-/minutes", meeting.minutes, name="minutes"),
    path(f"{_RECORD}/-/move", moving.record_move, name="record_move"),
    path(f"{_RECORD}/-/merge", ending.record_merge, name="record_merge"),
    path(f"{_RECORD}/-/delete", ending.record_delete, name="record_delete"),
    path(f"{_RECORD}/-/reconfirm", moving.record_reconfirm, name="record_reconfirm"),
    path(f"{_RECORD}/-/link", linking.link_add, name="link_add"),
    path(f"{_RECORD}/-/link/<int:pk>/remove", linking.link_remove, name="link_remove"),
    path(f"{_RECORD}/-/link/<int:pk>/confirm", linking.link_confirm, name="link_confirm"),
    path(f"{_RECORD}/-/comment", talking.comment_add, name="comment_add"),
    path(f"{_RECORD}/-/comment/<int:pk>/resolve", talking.comment_resolve, name="comment_resolve"),
    path(f"{_RECORD}/-/review", talking.review_add, name="review_add"),
    path(f"{_RECORD}/-/support", talking.support_set, name="support_set"),
    path(f"{_RECORD}/-/watch", talking.watch_set, name="watch_set"),
    path(f"{_RECORD}/-/restore/<int:number>", writing.record_restore, name="record_restore"),
    path(f"{_RECORD}/-/patrol/<int:number>", ending.revision_patrol, name="revision_patrol"),
    path(
        f"{_RECORD}/-/suppress/<int:number>",
        ending.revision_suppress,
        name="revision_suppress",
    ),
    path(_RECORD, views.record_page, name="record"),
    path(f"{_RECORD}/<str:slug>", views.record_page, name="record"),
]
