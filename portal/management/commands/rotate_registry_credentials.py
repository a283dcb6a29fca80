"""Change what builds and webservices sign in to a cluster's Harbor with."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal.clusters.models import Cluster
from portal.clusters.operations import ClusterRefusedChange, rotate_credentials


class Command(BaseCommand):
    help = (
        "Have the credentials of all tools in a cluster's Harbor changed, or of one tool. The "
        "workers do it; the old ones go when nothing needs them any more."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("cluster", help="the name of the cluster")
        parser.add_argument("--tool", default="", help="only this tool")

    def handle(self, *, cluster: str, tool: str, **_options: object) -> None:
        row = Cluster.objects.filter(name=cluster).first()
        if row is None:
            raise CommandError(f"There is no cluster {cluster}.")
        try:
            count = rotate_credentials(row, tool=tool, by=None, at=timezone.now())
        except ClusterRefusedChange as refused:
            raise CommandError(str(refused)) from refused
        self.stdout.write(f"{count} tools get new credentials")
