"""From a change in a cluster to the rows that have to be looked at."""

from datetime import datetime

from django.db.models import Q, QuerySet

from builds.engines.pipeline import BUILD_LABEL
from builds.models import Build
from builds.tasks import wake as wake_builds
from portal.cluster.base import Manifest
from portal.cluster.home import ROLE_LABEL, TOOL_LABEL
from portal.webservices.models import Release, Webservice
from portal.webservices.states import ReleaseStatus
from portal.webservices.tasks import wake as wake_webservice


def wake(manifest: Manifest, *, cluster_id: int, now: datetime) -> bool:
    """Have the row of this object looked at now; False if it has none that waits.

    Only rows of tools that live on that cluster: another's objects may have the same names.
    """
    labels = manifest["metadata"].get("labels") or {}
    tool, build = labels.get(TOOL_LABEL, ""), labels.get(BUILD_LABEL, "")
    if build:
        number = build.removeprefix(f"{tool}-")
        return number.isdigit() and _wake_build(tool, int(number), cluster_id, now)
    return labels.get(ROLE_LABEL) == "run" and _wake_webservice(tool, cluster_id, now)


def _wake_build(tool: str, number: int, cluster_id: int, now: datetime) -> bool:
    waiting = Build.objects.filter(
        tool__name=tool, cluster=cluster_id, number=number, next_look_at__isnull=False
    )
    ids = list(waiting.values_list("pk", flat=True))
    if ids:
        wake_builds(ids, now=now)
    return bool(ids)


def _coming_to(cluster_id: int) -> QuerySet[Release]:
    """Releases of tools that are being moved there."""
    return Release.objects.filter(status=ReleaseStatus.STARTING, image__build__cluster=cluster_id)


def _wake_webservice(tool: str, cluster_id: int, now: datetime) -> bool:
    waiting = Webservice.objects.filter(
        Q(tool__cluster=cluster_id) | Q(releases__in=_coming_to(cluster_id)),
        tool__name=tool,
        next_look_at__isnull=False,
    )
    found = waiting.first()
    if found:
        wake_webservice(found, now=now)
    return found is not None
