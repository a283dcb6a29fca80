"""From a cluster's row to something that speaks to it."""

from functools import lru_cache
from pathlib import Path

from portal.cluster.base import Access, Cluster, ClusterUnavailable
from portal.cluster.home import Home
from portal.cluster.kubernetes import KubernetesCluster
from portal.cluster.memory import MemoryCluster
from portal.clusters.models import Cluster as ClusterRow


def connect(row: ClusterRow) -> Cluster:
    """The same connection for as long as the row names the same way."""
    return _connected(access_of(row))


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
    """A tool's home in this cluster. Raises ClusterUnavailable if a file cannot be read."""
    return Home(
        tool=tool,
        ingress_namespace=row.ingress_namespace,
        push_credentials=_text(row.push_credentials_file),
        pull_credentials=_text(row.pull_credentials_file),
        open_blocks=tuple(row.open_blocks),
    )


def _text(path: str) -> str:
    try:
        return Path(path).read_text() if path else ""
    except OSError as error:
        raise ClusterUnavailable(f"The registry's credentials cannot be read: {error}") from error
