"""REST: records by ident, with all that belongs to them; boards over all of them."""

from django.urls import path

from stories.api.boards import (
    BaselineChanges,
    BaselineList,
    Export,
    FeatureUse,
    FeatureWhy,
    FindingList,
    Integrity,
    Matrix,
    ReadingList,
    RecordExport,
)
from stories.api.ending import (
    LinkConfirm,
    RecordDelete,
    RecordMerge,
    RecordReconfirm,
    RevisionSuppress,
)
from stories.api.meeting import Minutes
from stories.api.patrolling import ChangeList, RevisionPatrol
from stories.api.records import (
    RecordDetail,
    RecordDiff,
    RecordLink,
    RecordLinks,
    RecordList,
    RecordMoves,
    RevisionDetail,
    RevisionList,
    RevisionRestore,
)
from stories.api.showing import (
    DecisionMadr,
    DecisionWikitext,
    PolicyOutlook,
    Preview,
    RecordAsOf,
    RecordTrace,
)
from stories.api.talking import (
    CommentList,
    CommentResolve,
    NotificationList,
    RecordWatch,
    ReviewAdd,
    SupportList,
)
from stories.api.viewing import SavedViewDetail, SavedViewList

_RECORD = "records/<str:ident>/"
urlpatterns = [
    path("records/", RecordList.as_view(), name="api_records"),
    path("records.md", Export.as_view(), name="api_records_export"),
    path(_RECORD, RecordDetail.as_view(), name="api_record"),
    path(f"{_RECORD}moves/", RecordMoves.as_view(), name="api_record_moves"),
    path(f"{_RECORD}links/", RecordLinks.as_view(), name="api_record_links"),
    path(f"{_RECORD}links/<int:pk>/", RecordLink.as_view(), name="api_record_link"),
    path(f"{_RECORD}revisions/", RevisionList.as_view(), name="api_revisions"),
    path(f"{_RECORD}revisions/<int:number>/", RevisionDetail.as_view(), name="api_revision"),
    path(
        f"{_RECORD}revisions/<int:number>/restore/",
        RevisionRestore.as_view(),
        name="api_revision_restore",
    ),
    path(f"{_RECORD}diff/", RecordDiff.as_view(), name="api_record_diff"),
    path(f"{_RECORD}comments/", CommentList.as_view(), name="api_comments"),
    path(
        f"{_RECORD}comments/<int:pk>/resolve/",
        CommentResolve.as_view(),
        name="api_comment_resolve",
    ),
    path(f"{_RECORD}reviews/", ReviewAdd.as_view(), name="api_reviews"),
    path(f"{_RECORD}support/", SupportList.as_view(), name="api_support"),
    path(f"{_RECORD}export/", RecordExport.as_view(), name="api_record_export"),
    path(f"{_RECORD}links/<int:pk>/confirm/", LinkConfirm.as_view(), name="api_link_confirm"),
    path(
        f"{_RECORD}revisions/<int:number>/suppress/",
        RevisionSuppress.as_view(),
        name="api_revision_suppress",
    ),
    path(
        f"{_RECORD}revisions/<int:number>/patrol/",
        RevisionPatrol.as_view(),
        name="api_revision_patrol",
    ),
    path("changes/", ChangeList.as_view(), name="api_changes"),
    path(f"{_RECORD}delete/", RecordDelete.as_view(), name="api_record_delete"),
    path(f"{_RECORD}merge/", RecordMerge.as_view(), name="api_record_merge"),
    path(f"{_RECORD}reconfirm/", RecordReconfirm.as_view(), name="api_record_reconfirm"),
    path(f"{_RECORD}watch/", RecordWatch.as_view(), name="api_record_watch"),
    path(f"{_RECORD}minutes/", Minutes.as_view(), name="api_minutes"),
    path(f"{_RECORD}trace/", RecordTrace.as_view(), name="api_trace"),
    path(f"{_RECORD}as-of/", RecordAsOf.as_view(), name="api_record_as_of"),
    path(f"{_RECORD}outlook/", PolicyOutlook.as_view(), name="api_outlook"),
    path(f"{_RECORD}madr/", DecisionMadr.as_view(), name="api_madr"),
    path(f"{_RECORD}wikitext/", DecisionWikitext.as_view(), name="api_wikitext"),
    path("preview/", Preview.as_view(), name="api_preview"),
    path("notifications/", NotificationList.as_view(), name="api_notifications"),
    path("baselines/", BaselineList.as_view(), name="api_baselines"),
    path("baselines/<int:pk>/changes/", BaselineChanges.as_view(), name="api_baseline_changes"),
    path("matrix/", Matrix.as_view(), name="api_matrix"),
    path("features/<str:ident>/use/", FeatureUse.as_view(), name="api_feature_use"),
    path("features/<str:ident>/why/", FeatureWhy.as_view(), name="api_why"),
    path("findings/", FindingList.as_view(), name="api_findings"),
    path("findings/integrity/", Integrity.as_view(), name="api_integrity"),
    path("views/", SavedViewList.as_view(), name="api_saved_views"),
    path("views/<int:pk>/", SavedViewDetail.as_view(), name="api_saved_view"),
    path("readings/", ReadingList.as_view(), name="api_readings"),
]
