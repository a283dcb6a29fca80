"""From a change in a cluster to the rows that have to be looked at."""

import logging
from datetime import datetime

from django.db.models import Q, QuerySet

from builds.engines.pipeline import BUILD_LABEL
from builds.models import Build
from builds.tasks import tell
from builds.tasks import wake as wake_builds
from portal.cluster.base import Change, Manifest, named
from portal.cluster.home import ROLE_LABEL, TOOL_LABEL
from portal.tools.models import Tool
from portal.webservices.homes import is_disturbed
from portal.webservices.models import Release, Webservice
from portal.webservices.states import ReleaseStatus
from portal.webservices.tasks import keep_home
from portal.webservices.tasks import wake as wake_webservice

log = logging.getLogger(__name__)


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


def mend(change: Change, *, cluster_id: int, now: datetime) -> bool:
    """Have a tool's home put right of which a part was removed or edited; False if it is well."""
    labels = change.object["metadata"].get("labels") or {}
    tool = Tool.objects.filter(name=labels.get(TOOL_LABEL, ""), cluster=cluster_id).first()
    if tool is None or not is_disturbed(tool, change):
        return False
    log.info("home of %s: %s %s", tool, named(change.object), change.type.lower())
    tell(keep_home, tool_id=tool.pk)
    return True


def wake_all(*, cluster_id: int, now: datetime) -> int:
    """Have every row of a cluster looked at that waits: nobody knows what was missed.

    The sweep takes them up in portions, so that not all ask the cluster in the same second.
    """
    waiting = Q(next_look_at__isnull=False)
    builds = Build.objects.filter(waiting, cluster=cluster_id)
    webservices = Webservice.objects.filter(waiting, tool__cluster=cluster_id)
    return builds.update(next_look_at=now) + webservices.update(next_look_at=now)


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
