"""The search index: FTS5 with triggers on SQLite, a generated tsvector with GIN on PostgreSQL."""

from django.db import migrations

SQLITE = [
    """CREATE VIRTUAL TABLE stories_search USING fts5(
        ident, title, tags, body, content='stories_searchdocument', content_rowid='record_id',
        tokenize='porter unicode61 remove_diacritics 2', prefix='2 3')""",
    """CREATE TRIGGER stories_search_insert AFTER INSERT ON stories_searchdocument BEGIN
        INSERT INTO stories_search(rowid, ident, title, tags, body)
        VALUES (new.record_id, new.ident, new.title, new.tags, new.body); END""",
    """CREATE TRIGGER stories_search_delete AFTER DELETE ON stories_searchdocument BEGIN
        INSERT INTO stories_search(stories_search, rowid, ident, title, tags, body)
        VALUES ('delete', old.record_id, old.ident, old.title, old.tags, old.body); END""",
    """CREATE TRIGGER stories_search_update AFTER UPDATE ON stories_searchdocument BEGIN
        INSERT INTO stories_search(stories_search, rowid, ident, title, tags, body)
        VALUES ('delete', old.record_id, old.ident, old.title, old.tags, old.body);
        INSERT INTO stories_search(rowid, ident, title, tags, body)
        VALUES (new.record_id, new.ident, new.title, new.tags, new.body); END""",
]
POSTGRESQL = [
    """ALTER TABLE stories_searchdocument ADD COLUMN tsv tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('simple', ident), 'A') ||
        setweight(to_tsvector('english', title), 'A') ||
        setweight(to_tsvector('english', tags), 'B') ||
        setweight(to_tsvector('english', left(body, 500000)), 'C')) STORED""",
    "CREATE INDEX stories_search ON stories_searchdocument USING gin (tsv)",
]
UNDO = {
    "sqlite": ["DROP TABLE stories_search"],
    "postgresql": ["ALTER TABLE stories_searchdocument DROP COLUMN tsv"],
}


def make(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    for statement in {"sqlite": SQLITE, "postgresql": POSTGRESQL}[vendor]:
        schema_editor.execute(statement)


def undo(apps, schema_editor):
    for statement in UNDO[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("stories", "0001_initial")]
    operations = [migrations.RunPython(make, undo)]
