"""Write the catalogue as a static site."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from stories.site import export_site


class Command(BaseCommand):
    help = "Write all records as HTML pages that need no server, with links and graphs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401
        count = export_site(options["directory"])
        self.stdout.write(f"{count} pages are in {options['directory']}")
