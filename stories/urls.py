from django.urls import path, re_path

from stories import boards, feeds, views

_IDENT = r"^r/(?P<ident>[A-Z]{2}-[1-9]\d{0,8})"

urlpatterns = [
    path("stories/", boards.home, name="records_home"),
    path("stories/findings/", boards.findings, name="findings"),
    path("stories/questions/", boards.questions, name="questions"),
    path("stories/matrix/", boards.matrix, name="matrix"),
    path("stories/search/", boards.find_records, name="find_records"),
    path("stories/changes/", boards.changes, name="changes"),
    path("stories/changes.atom", feeds.ChangesFeed(), name="changes_feed"),
    path("stories/findings.atom", feeds.FindingsFeed(), name="findings_feed"),
    path("stories/preview/", views.record_preview, name="record_preview"),
    path("stories/notifications/", boards.notifications, name="notifications"),
    path("stories/notifications/read/", boards.notifications_read, name="notifications_read"),
    path("stories/<slug:slug>/", boards.records, name="records"),
    path("stories/<slug:slug>/new/", views.record_new, name="record_new"),
    re_path(rf"{_IDENT}/-/edit$", views.record_edit, name="record_edit"),
    re_path(rf"{_IDENT}/-/history$", views.record_history, name="record_history"),
    re_path(rf"{_IDENT}/-/changes\.atom$", feeds.ChangesFeed(), name="record_feed"),
    re_path(rf"{_IDENT}/-/diff$", views.record_diff, name="record_diff"),
    re_path(rf"{_IDENT}/-/discussion$", views.record_discussion, name="record_discussion"),
    re_path(rf"{_IDENT}/-/trace$", boards.trace, name="trace"),
    re_path(rf"{_IDENT}/-/drop$", views.record_drop, name="record_drop"),
    re_path(rf"{_IDENT}/-/minutes$", views.minutes, name="minutes"),
    re_path(rf"{_IDENT}/-/move$", views.record_move, name="record_move"),
    re_path(rf"{_IDENT}/-/merge$", views.record_merge, name="record_merge"),
    re_path(rf"{_IDENT}/-/delete$", views.record_delete, name="record_delete"),
    re_path(rf"{_IDENT}/-/reconfirm$", views.record_reconfirm, name="record_reconfirm"),
    re_path(rf"{_IDENT}/-/link$", views.link_add, name="link_add"),
    re_path(rf"{_IDENT}/-/link/(?P<pk>\d+)/remove$", views.link_remove, name="link_remove"),
    re_path(rf"{_IDENT}/-/link/(?P<pk>\d+)/confirm$", views.link_confirm, name="link_confirm"),
    re_path(rf"{_IDENT}/-/comment$", views.comment_add, name="comment_add"),
    re_path(
        rf"{_IDENT}/-/comment/(?P<pk>\d+)/resolve$", views.comment_resolve, name="comment_resolve"
    ),
    re_path(rf"{_IDENT}/-/review$", views.review_add, name="review_add"),
    re_path(rf"{_IDENT}/-/support$", views.support_set, name="support_set"),
    re_path(rf"{_IDENT}/-/watch$", views.watch_set, name="watch_set"),
    re_path(rf"{_IDENT}/-/restore/(?P<number>\d+)$", views.record_restore, name="record_restore"),
    re_path(
        rf"{_IDENT}/-/suppress/(?P<number>\d+)$",
        views.revision_suppress,
        name="revision_suppress",
    ),
    re_path(rf"{_IDENT}(?:/(?P<slug>[\w-]+))?$", views.record_page, name="record"),
]
