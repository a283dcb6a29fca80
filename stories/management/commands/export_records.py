"""Write all records as files."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from stories.exchange import export_records


class Command(BaseCommand):
    help = "Write every record as a Markdown file below a directory, which may be a Git work tree."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401
        count = export_records(options["directory"])
        self.stdout.write(f"{count} records are in {options['directory']}")
