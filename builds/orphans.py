"""What is in a cluster for builds that nobody waits for any more.

A cluster that was put back to an old backup has runs again that were removed long ago, and a
database that was put back has no rows for runs that are there.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from builds.engines.pipeline import BUILD_LABEL
from builds.models import Build
from portal.cluster.base import MANAGER, OWNER_LABEL, Manifest
from portal.cluster.base import Cluster as Connection
from portal.cluster.home import TOOL_LABEL
from portal.cluster.kinds import PIPELINE_RUN, SECRET, Kind
from portal.clusters.connections import ask
from portal.clusters.models import Cluster
from portal.tools.models import Tool

# Nothing younger is taken for left over.
GRACE = timedelta(minutes=10)


def prune(row: Cluster, *, now: datetime) -> list[str]:
    """Remove runs that no build waits for, and variables of such builds; what was removed.

    Those of tools that the database does not know are left alone: it may be the one that is
    behind. Raises ClusterError.
    """
    cluster, removed = ask(row), []
    for kind, each in _of_builds(cluster):
        metadata = each["metadata"]
        if _is_old(each, now) and _is_orphan(each, row):
            cluster.delete(kind, metadata["name"], namespace=metadata["namespace"])
            removed.append(f"{kind.name} {metadata['namespace']}/{metadata['name']}")
    return removed


def _of_builds(cluster: Connection) -> Iterator[tuple[Kind, Manifest]]:
    for kind in (PIPELINE_RUN, SECRET):
        for each in cluster.list(kind, labels={OWNER_LABEL: MANAGER}).items:
            if BUILD_LABEL in each["metadata"]["labels"]:
                yield kind, each


def _is_old(manifest: Manifest, now: datetime) -> bool:
    made = manifest["metadata"]["creationTimestamp"]
    return now - datetime.fromisoformat(made) > GRACE


def _is_orphan(manifest: Manifest, row: Cluster) -> bool:
    labels = manifest["metadata"]["labels"]
    tool, name = labels.get(TOOL_LABEL, ""), labels[BUILD_LABEL]
    number = name.removeprefix(f"{tool}-")
    if not number.isdigit() or not Tool.objects.filter(name=tool).exists():
        return False
    build = Build.objects.filter(tool__name=tool, number=int(number), cluster=row).first()
    return build is None or (build.is_final and build.next_look_at is None)
