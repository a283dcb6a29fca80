"""Read files of records back."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal.accounts.models import User
from stories.exchange import import_records, read_directory
from stories.files import BadFile


class Command(BaseCommand):
    help = "Bring records up to date with the files of a directory: all of them, or none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path)
        parser.add_argument("--by", help="the user whose edits these are")
        parser.add_argument("--summary", default="", help="for the history")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401
        directory: Path = options["directory"]
        if not directory.is_dir():
            raise CommandError(f"{directory} is not a directory")
        by = User.objects.filter(username=options["by"]).first() if options["by"] else None
        if options["by"] and by is None:
            raise CommandError(f"there is no user {options['by']}")
        try:
            report = import_records(
                read_directory(directory), by=by, at=timezone.now(), summary=options["summary"]
            )
        except BadFile as bad:
            raise CommandError(f"{bad} Nothing was imported.") from bad
        for name, idents in vars(report).items():
            if idents and name != "unchanged":
                self.stdout.write(f"{name}: {' '.join(idents)}")
        self.stdout.write(f"unchanged: {len(report.unchanged)}")
        if report.kept:
            self.stdout.write("Where both sides changed the same place, what was here was kept.")
