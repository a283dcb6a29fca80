"""Take an unpacked system, or an OCI layout, as the base of builds."""

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from builds.lifecycle.bases import BaseRefused, import_base


class Command(BaseCommand):
    help = (
        "Copy a root file system, or unpack an OCI layout (as `skopeo copy` writes it), so that "
        "builds and webservices run on it: set PORTAL_BUILD_BASE to its name afterwards."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="a name for it, such as debian-12-2026-11")
        parser.add_argument("directory", type=Path)

    def handle(self, *, name: str, directory: Path, **_options: object) -> None:
        try:
            target = import_base(directory, settings.STATE / "bases", name)
        except BaseRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"{target}; use it with PORTAL_BUILD_BASE={name}")
