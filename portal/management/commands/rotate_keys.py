"""Encrypt everything again with the first of the installation's keys, so that the others may go."""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from typing import Any

from cryptography.fernet import InvalidToken
from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db.models import BinaryField, Model

from portal.encryption import is_current, rotate

BATCH = 200
# What sign-in stores for asking the wiki again.
SEALED = {"socialaccount.SocialToken": ("token", "token_secret")}


class Command(BaseCommand):
    """May be repeated and stopped at any time, and run beside a portal that knows the same keys:
    a row is only replaced if it still is what was read."""

    help = (
        "Encrypt everything again with the first of PORTAL_ENCRYPTION_KEYS. Afterwards the others "
        "may be taken away. Safe to stop, to repeat, and to run while the portal runs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only say what is left to do")

    def handle(self, *, check: bool, **_options: Any) -> None:  # noqa: ANN401
        counts: Counter[str] = Counter()
        for model, column in encrypted_columns():
            found = _walk(model, column, is_check=check)
            counts += found
            told = ", ".join(f"{number} {word}" for word, number in sorted(found.items()))
            self.stdout.write(f"{model._meta.label}.{column}: {told or 'nothing'}")
        if counts["unreadable"]:
            raise CommandError("No key fits some values. Name the key that made them, then repeat.")
        if counts["old"] or counts["changed meanwhile"]:
            raise CommandError("Some values still need an earlier key. Run rotate_keys.")


def encrypted_columns() -> Iterator[tuple[type[Model], str]]:
    """Columns of bytes that say so by their name, and those of libraries that we seal."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            is_ours = isinstance(field, BinaryField) and field.name.startswith("encrypted")
            if is_ours or field.name in SEALED.get(model._meta.label, ()):
                yield model, field.name


def _walk(model: type[Model], column: str, *, is_check: bool) -> Counter[str]:
    """Every row of a column, by key, so that it costs the same however many there are."""
    counts: Counter[str] = Counter()
    rows = model._base_manager.order_by("pk")
    last: Any = None
    while batch := list((rows if last is None else rows.filter(pk__gt=last))[:BATCH]):
        for row in batch:
            if getattr(row, column):
                counts[_renew(row, column, is_check=is_check)] += 1
        last = batch[-1].pk
    return counts


def _renew(row: Model, column: str, *, is_check: bool) -> str:
    """Encrypt one value again; what became of it in a word or two."""
    stored = getattr(row, column)
    is_binary = isinstance(row._meta.get_field(column), BinaryField)
    token = bytes(stored) if is_binary else stored.encode()
    if is_current(token):
        return "current"
    if is_check:
        return "old"
    try:
        new = rotate(token)
    except InvalidToken:
        return "unreadable"
    same = type(row)._base_manager.filter(pk=row.pk, **{column: stored})
    written = same.update(**{column: new if is_binary else new.decode()})
    return "renewed" if written else "changed meanwhile"
