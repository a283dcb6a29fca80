"""What a field of records says, as expressions that both databases can compare."""

import re

from django.db import connection
from django.db.models import Expression, F, Func, TextField
from django.db.models.lookups import IContains, IRegex, Lookup

# The only value of a field, and all texts of one that holds a list, one a line.
_VALUE = {
    "sqlite": "JSON_EXTRACT(%(expressions)s, '$.%(key)s')",
    "postgresql": "(%(expressions)s ->> '%(key)s')",
}
_TEXTS = {
    "sqlite": (
        "(SELECT GROUP_CONCAT(leaf.atom, CHAR(10)) "
        "FROM JSON_TREE(%(expressions)s, '$.%(key)s') AS leaf WHERE leaf.type = 'text')"
    ),
    "postgresql": (
        "(SELECT STRING_AGG(leaf #>> '{}', CHR(10)) "
        "FROM JSONB_PATH_QUERY(%(expressions)s, '$.%(key)s.**') AS leaf "
        "WHERE JSONB_TYPEOF(leaf) = 'string')"
    ),
}
_NAME = re.compile(r"[a-z_]+")


def value_of(field: str) -> Expression:
    """As text; NULL where a record has no such field, or nothing in it."""
    return _extract(_VALUE[connection.vendor], field)


def texts_of(field: str) -> Expression:
    return _extract(_TEXTS[connection.vendor], field)


def _extract(template: str, field: str) -> Expression:
    if not _NAME.fullmatch(field):
        raise ValueError(field)
    return Func(F("fields"), template=template, key=field, output_field=TextField())


def contains(texts: Expression | F, words: str) -> Lookup:
    """Whether the words occur, in capitals or not. LIKE knows the capitals of ASCII alone."""
    if words.isascii():
        return IContains(texts, words)
    return IRegex(texts, re.escape(words))
