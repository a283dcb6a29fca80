"""A look at a cluster, and what is remembered of it."""

from dataclasses import asdict
from datetime import datetime, timedelta

from portal.cluster.base import Cluster, ClusterError
from portal.cluster.inspection import components, missing_rights, uses
from portal.clusters.models import Cluster as ClusterRow

# Asking for the version is one request; asking for everything is about seventy.
INSPECT_EVERY = timedelta(minutes=10)


def check(row: ClusterRow, cluster: Cluster, *, now: datetime) -> None:
    """Note whether the cluster answers, and from time to time what it has and allows."""
    try:
        seen: dict[str, object] = {"version": cluster.version()}
        if row.inspected_at is None or now - row.inspected_at >= INSPECT_EVERY:
            seen |= _inspected(cluster) | {"inspected_at": now}
    except ClusterError as error:
        row.note(is_reachable=False, trouble=str(error), at=now)
        return
    row.note(is_reachable=True, trouble="", at=now, **seen)


def _inspected(cluster: Cluster) -> dict[str, object]:
    missing = missing_rights(cluster)
    may_list = not any(each.verb == "list" for each in missing)
    return {
        "components": [asdict(each) for each in components(cluster)] if may_list else [],
        "missing_rights": [asdict(each) for each in missing],
        "uses": [[each.api_version, each.kind, each.by] for each in uses(cluster)]
        if may_list
        else [],
    }
