"""Rebuild what the portal has in a cluster from the database, for example in an empty one."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from builds.models import Build
from builds.tasks import wake as wake_builds
from portal.cluster.base import ClusterError
from portal.clusters.models import Cluster
from portal.webservices.homes import keep_homes
from portal.webservices.models import Webservice
from portal.webservices.tasks import wake as wake_webservice


class Command(BaseCommand):
    help = "Make every tool's home in a cluster, and have its builds and webservices looked at."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("cluster", help="the name of the cluster")

    def handle(self, *, cluster: str, **_options: object) -> None:
        row = Cluster.objects.filter(name=cluster).first()
        if row is None:
            raise CommandError(f"There is no cluster {cluster}.")
        try:
            kept = list(keep_homes(row))
        except ClusterError as error:
            raise CommandError(str(error)) from error
        woken = _wake(row)
        self.stdout.write(f"{len(kept)} homes, {woken} builds and webservices to be looked at")
        failed = [each for each in kept if each.trouble]
        for each in failed:
            self.stderr.write(f"{each.tool}: {each.trouble}")
        if failed:
            raise CommandError(f"{len(failed)} homes could not be made. Run this again.")


def _wake(row: Cluster) -> int:
    now = timezone.now()
    builds = Build.objects.under_way().filter(cluster=row).values_list("pk", flat=True)
    wake_builds(list(builds), now=now)
    webservices = Webservice.objects.filter(tool__cluster=row, is_wanted=True)
    for webservice in webservices:
        wake_webservice(webservice, now=now)
    return len(builds) + len(webservices)
