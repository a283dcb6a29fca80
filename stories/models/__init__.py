"""Records, their revisions and links, and what people say about them."""

from stories.counters import Counter
from stories.models.discussion import (
    Comment,
    MinuteLine,
    Notification,
    Review,
    ReviewRound,
    Support,
    Watch,
)
from stories.models.findings import Flag, Reading
from stories.models.history import Baseline, Revision, RevisionQuerySet
from stories.models.links import Link
from stories.models.records import Record, RecordQuerySet, SearchDocument
from stories.models.viewing import SavedView, SavedViewQuerySet

__all__ = [
    "Baseline",
    "Comment",
    "Counter",
    "Flag",
    "Link",
    "MinuteLine",
    "Notification",
    "Reading",
    "Record",
    "RecordQuerySet",
    "Review",
    "ReviewRound",
    "Revision",
    "RevisionQuerySet",
    "SavedView",
    "SavedViewQuerySet",
    "SearchDocument",
    "Support",
    "Watch",
]
