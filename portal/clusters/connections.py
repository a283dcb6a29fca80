"""From a cluster's row to something that speaks to it."""

from functools import lru_cache

from portal.cluster.base import Access, Cluster, ClusterUnavailable
from portal.cluster.home import Home
from portal.cluster.kubernetes import KubernetesCluster
from portal.cluster.memory import MemoryCluster
from portal.clusters.credentials import credentials_in
from portal.clusters.models import Cluster as ClusterRow


def connect(row: ClusterRow) -> Cluster:
    """The same connection for as long as the row names the same way."""
    return _connected(access_of(row))


def ask(row: ClusterRow) -> Cluster:
    """The same, for work that can wait: one that was just seen to be away is not asked by all.

    Raises ClusterUnavailable.
    """
    if row.is_reachable is False:
        raise ClusterUnavailable(row.trouble)
    return connect(row)


@lru_cache(maxsize=32)
def _connected(access: Access) -> Cluster:
    return MemoryCluster() if access.memory else KubernetesCluster(access)


def access_of(row: ClusterRow) -> Access:
    match row.way:
        case ClusterRow.Way.INSIDE:
            return Access(is_inside=True)
        case ClusterRow.Way.MEMORY:
            return Access(memory=f"{row.pk} {row.name}")
        case ClusterRow.Way.TOKEN:
            return Access(server=row.server, token_file=row.token_file, ca_file=row.ca_file)
    return Access(kubeconfig=row.kubeconfig, context=row.context)


def home_in(row: ClusterRow, tool: str = "") -> Home:
    """A tool's home there. Raises ClusterUnavailable if its credentials cannot be read."""
    credentials = credentials_in(row, tool)
    return Home(
        tool=tool,
        ingress_namespace=row.ingress_namespace,
        push_credentials=credentials.push,
        pull_credentials=credentials.pull,
        open_blocks=tuple(row.open_blocks),
    )
