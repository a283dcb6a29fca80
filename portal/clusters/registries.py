"""A cluster's registry, of either kind, and how it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from portal.cluster.base import ClusterUnavailable
from portal.clusters.credentials import credentials_in
from portal.clusters.models import Cluster, RegistryState
from portal.harbor import Account, Harbor, HarborError, HarborForeign
from portal.registry import Distribution, Registry, RegistryError

TROUBLES = (RegistryError, HarborError, HarborForeign, ClusterUnavailable)
LOOK_EVERY = timedelta(seconds=30)
# After failures in a row the pause doubles, up to this.
LOOK_AT_LEAST = timedelta(minutes=5)


@contextmanager
def registry_of(cluster: Cluster) -> Iterator[Harbor | Distribution]:
    """What speaks to it. Raises those of TROUBLES; they are sentences for operators."""
    if cluster.has_harbor:
        with Harbor(_account(cluster)) as harbor:
            yield harbor
        return
    push = credentials_in(cluster).push
    host = cluster.registry.partition("/")[0]
    with Distribution(Registry(host, cluster.registry_is_insecure, push)) as distribution:
        yield distribution


def _account(cluster: Cluster) -> Account:
    try:
        text = Path(cluster.harbor_account_file).read_text()
    except (OSError, ValueError) as error:
        raise HarborError(f"The file with Harbor's account cannot be read: {error}") from error
    name, colon, password = text.strip().partition(":")
    if not (name and colon and password):
        raise HarborError("The file with Harbor's account is not one line name:password.")
    scheme = "http" if cluster.registry_is_insecure else "https"
    return Account(f"{scheme}://{cluster.registry}", name, password)


def look(state: RegistryState, *, now: datetime) -> None:
    """Note whether the registry answers, and what it says of itself."""
    try:
        with registry_of(state.cluster) as registry:
            seen = registry.look()
    except TROUBLES as error:
        state.note(is_reachable=False, trouble=str(error), at=now)
        return
    state.note(is_reachable=True, trouble=seen.trouble, version=seen.version, at=now)


def pause_after(failures: int, *, first: timedelta, most: timedelta) -> timedelta:
    """How long to wait after so many failures in a row: twice as long each time."""
    return min(first * 2 ** min(failures, 20), most)
