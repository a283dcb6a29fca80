"""Load the records that come with the portal; loading again changes nothing."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

import stories
from stories.exchange import import_records, read_directory

CATALOGUE = Path(stories.__file__).parent / "catalogue"


class Command(BaseCommand):
    help = "Load the records that come with the portal. Local edits are kept."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401
        report = import_records(
            read_directory(CATALOGUE), by=None, at=timezone.now(), summary="The first catalogue"
        )
        if options["verbosity"]:
            self.stdout.write(
                f"{len(report.created)} records created, {len(report.changed)} changed, "
                f"{len(report.unchanged)} as they were"
            )
