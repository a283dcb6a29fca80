"""Say what does not fit together among records."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from stories import checks, integrity
from stories.models import Flag, Record


class Command(BaseCommand):
    help = "Run every check over all records and print what was found, one finding a line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--code", help="only findings of this kind")
        parser.add_argument("--fail", action="store_true", help="fail if anything is found")

        parser.add_argument(
            "--integrity",
            action="store_true",
            help="first compare every record with its history, not only those whose turn it is",
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ANN401
        now = timezone.now()
        if options["integrity"]:
            integrity.compare(now, Record.objects.count())
        checks.refresh(now)
        found = Flag.objects.filter(cleared_at=None).select_related("record")
        if options["code"]:
            found = found.filter(code=options["code"])
        lines = [_line(flag) for flag in found.order_by("code", "record__kind", "record__number")]
        for line in lines:
            self.stdout.write(line)
        if lines and options["fail"]:
            raise CommandError(f"{len(lines)} findings")


def _line(flag: Flag) -> str:
    check = checks.CHECKS.get(flag.code)
    label = check.label if check else flag.code
    return f"{flag.record.ident}: {label}. {flag.sentence}".strip()
