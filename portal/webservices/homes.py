"""The homes of tools in a cluster, kept as the database has them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from builds.engines.pipeline import place
from portal.cluster.base import MANAGER, OWNER_LABEL, Change, Cluster, ClusterError, Manifest, below
from portal.cluster.drift import is_as_wanted, stamped
from portal.cluster.home import TOOL_LABEL, home_of, running_place
from portal.cluster.kinds import NAMESPACE, key_of
from portal.clusters.connections import connect, home_in
from portal.clusters.models import Cluster as ClusterRow
from portal.tools.models import Tool
from portal.webservices.leaving import is_at_home

# When a namespace that nobody lives in any more will be removed.
REMOVE_AFTER = "portal.example.org/remove-after"
SLICES = 24 * 60


@dataclass(frozen=True)
class Kept:
    """How the keeping of one home went; no trouble means well."""

    tool: str
    trouble: str = ""


def keep_homes(row: ClusterRow, *, slice_number: int | None = None) -> Iterator[Kept]:
    """Have the homes of the cluster's tools be as they should: all, or one slice of many.

    One after the other, so that a home that cannot be made does not keep the others from it.
    Raises ClusterError only if there is no way to begin.
    """
    cluster = connect(row)
    for tool in row.tools.exclude(status=Tool.Status.ARCHIVED).order_by("pk").iterator():
        if slice_number is None or tool.pk % SLICES == slice_number:
            yield _keep(tool, cluster, row)


def keep_home(tool: Tool) -> Kept:
    """Have one tool's home be as it should."""
    row = tool.cluster
    if row is None or tool.status == Tool.Status.ARCHIVED:
        return Kept(tool.name)
    try:
        return _keep(tool, connect(row), row)
    except ClusterError as error:
        return Kept(tool.name, str(error))


def is_disturbed(tool: Tool, change: Change) -> bool:
    """Whether somebody took away or edited a part of the tool's home."""
    row = tool.cluster
    if row is None or tool.status == Tool.Status.ARCHIVED:
        return False
    parts = {key_of(part): part for part in home_of(home_in(row, tool.name))}
    part = parts.get(key_of(change.object))
    if part is None:
        return False
    return change.type == "DELETED" or not is_as_wanted(change.object, stamped(part))


def _keep(tool: Tool, cluster: Cluster, row: ClusterRow) -> Kept:
    try:
        own = home_in(row, tool.name)
        for manifest in running_place(own) + place(own):
            cluster.apply(manifest)
    except ClusterError as error:
        return Kept(tool.name, str(error))
    return Kept(tool.name)


def tidy(row: ClusterRow, *, now: datetime) -> list[str]:
    """Remove what archived and moved tools left behind, once its grace is over; what was removed.

    A namespace of a tool that the database does not know is left alone: the database may be the
    one that is behind, after it was restored from a backup. Raises ClusterError.
    """
    cluster, removed = connect(row), []
    for namespace in cluster.list(NAMESPACE, labels={OWNER_LABEL: MANAGER}).items:
        metadata = namespace["metadata"]
        tool = Tool.objects.filter(name=metadata["labels"].get(TOOL_LABEL, "")).first()
        if tool is None:
            continue
        lives = is_at_home(tool, row)
        due = below(metadata, "annotations").get(REMOVE_AFTER)
        if not lives and due and datetime.fromisoformat(due) <= now:
            cluster.delete(NAMESPACE, metadata["name"])
            removed.append(metadata["name"])
        elif lives == bool(due):
            _mark(cluster, namespace, None if lives else now)
    return removed


def _mark(cluster: Cluster, namespace: Manifest, now: datetime | None) -> None:
    """Set when the namespace goes, or with None take that back."""
    grace = timedelta(days=settings.HOME_GRACE_DAYS)
    at = (now + grace).isoformat() if now else None
    changes = {"metadata": {"annotations": {REMOVE_AFTER: at}}}
    cluster.merge(NAMESPACE, namespace["metadata"]["name"], changes)
