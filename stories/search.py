"""Full-text search: SQLite's FTS5 or PostgreSQL's tsvector behind two functions.

The migrations make the index; `SearchDocument` rows feed it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from stories.models import Record, SearchDocument

HITS_AT_MOST = 200
# Around the words that were found, in the text of a Hit.
START, END = "\x02", "\x03"

_SQLITE_IDS = "SELECT rowid FROM stories_search WHERE stories_search MATCH %s"
_POSTGRES_IDS = (
    "SELECT record_id FROM stories_searchdocument "
    "WHERE tsv @@ (websearch_to_tsquery('english', %s) || websearch_to_tsquery('simple', %s))"
)
_SQLITE_HITS = f"""
SELECT s.rowid, snippet(stories_search, -1, '{START}', '{END}', '…', 24)
FROM stories_search s JOIN stories_record r ON r.id = s.rowid
WHERE stories_search MATCH %s AND r.merged_into_id IS NULL AND NOT r.is_deleted
  AND (%s = '' OR r.kind = %s)
ORDER BY bm25(stories_search, 10, 5, 3, 1) LIMIT %s
"""
_POSTGRES_HITS = f"""
WITH found AS (
  SELECT d.record_id, d.title, d.body, d.tsv, query,
         ts_rank_cd(d.tsv, query) AS rank
  FROM stories_searchdocument d
  JOIN stories_record r ON r.id = d.record_id,
       (SELECT websearch_to_tsquery('english', %s) || websearch_to_tsquery('simple', %s) AS query) q
  WHERE d.tsv @@ query AND r.merged_into_id IS NULL AND NOT r.is_deleted
    AND (%s = '' OR r.kind = %s)
  ORDER BY rank DESC, d.record_id LIMIT %s
)
SELECT record_id, ts_headline('english', title || ' – ' || body, query,
       'StartSel={START}, StopSel={END}, MaxWords=30, MinWords=12') FROM found
ORDER BY rank DESC, record_id
"""


@dataclass(frozen=True)
class Hit:
    record: Record
    snippet: str


def words_of(text: str) -> str:
    """User text as an FTS5 query: each word quoted, and found also where it begins a longer one."""
    words = text.replace('"', " ").replace("\0", " ").split()
    return " ".join(f'"{word}"{"*" * (sum(map(str.isalnum, word)) > 1)}' for word in words)


def index(record: Record) -> None:
    """Write what search knows of a record; to be called in the transaction that saves it."""
    tags = "\n".join(record.fields.get("tags", []))
    document = SearchDocument(
        record=record, ident=record.ident, title=record.title, tags=tags, body=record.whole_text()
    )
    fields = ("ident", "title", "tags", "body")
    SearchDocument.objects.bulk_create(
        [document], update_conflicts=True, unique_fields=["record"], update_fields=fields
    )


def matching(records: QuerySet[Record], text: str) -> QuerySet[Record]:
    """Those of `records` that the text occurs in; all of them for an empty text."""
    if not text.strip():
        return records
    return records.filter(pk__in=RawSQL(*_ids(text)))  # nosec B611 - the text is bound


def _ids(text: str) -> tuple[str, Sequence[str]]:
    if connection.vendor == "sqlite":
        return _SQLITE_IDS, [words_of(text) or '""']
    cleaned = text.replace("\0", " ")
    return _POSTGRES_IDS, [cleaned, cleaned]


def hits(text: str, *, kind: str = "", limit: int = HITS_AT_MOST) -> list[Hit]:
    """What was found, best first, with the words around it; two queries."""
    if not words_of(text):
        return []
    words: tuple[str, ...]
    if connection.vendor == "sqlite":
        statement, words = _SQLITE_HITS, (words_of(text),)
    else:
        statement, words = _POSTGRES_HITS, (text.replace("\0", " "),) * 2
    with connection.cursor() as cursor:
        cursor.execute(statement, [*words, kind, kind, limit])
        found = cursor.fetchall()
    records = Record.objects.in_bulk([pk for pk, _snippet in found])
    return [Hit(records[pk], snippet) for pk, snippet in found]
