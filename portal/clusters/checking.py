"""A look at a cluster, and what is remembered of it."""

from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta

from portal.cluster.base import Cluster, ClusterError, NotAllowed
from portal.cluster.inspection import components, missing_rights, uses
from portal.clusters.models import Cluster as ClusterRow

# Asking for the version is one request; asking for everything is about seventy.
INSPECT_EVERY = timedelta(minutes=10)


def check(row: ClusterRow, cluster: Cluster, *, now: datetime) -> None:
    """Note whether the cluster answers, and from time to time what it has and allows."""
    try:
        seen: dict[str, object] = {"version": cluster.version()}
        if _is_inspection_due(row, now):
            seen |= _inspected(cluster) | {"inspected_at": now}
    except ClusterError as error:
        row.note(is_reachable=False, trouble=str(error), at=now)
        return
    row.note(is_reachable=True, trouble="", at=now, **seen)


def _is_inspection_due(row: ClusterRow, now: datetime) -> bool:
    """What is missing is looked for at each look, so that its being given is seen soon."""
    is_old = row.inspected_at is None or now - row.inspected_at >= INSPECT_EVERY
    return is_old or bool(row.missing_rights)


def _inspected(cluster: Cluster) -> dict[str, object]:
    seen: dict[str, object] = {
        "missing_rights": [asdict(each) for each in missing_rights(cluster)],
    }
    # Where a right is missing, the rest stays as it was seen last.
    with suppress(NotAllowed):
        seen["components"] = [asdict(each) for each in components(cluster)]
        seen["uses"] = [[each.api_version, each.kind, each.by] for each in uses(cluster)]
    return seen
