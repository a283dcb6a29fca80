"""What builds and webservices sign in to a cluster's registry with."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import InvalidToken

from portal.cluster.base import ClusterUnavailable
from portal.clusters.models import Cluster, RegistryPlace
from portal.encryption import decrypt


@dataclass(frozen=True)
class Credentials:
    """Docker's config.json of each; "" where there are none."""

    push: str = ""
    pull: str = ""


def credentials_in(cluster: Cluster, tool: str = "") -> Credentials:
    """Those of the cluster, or in a Harbor the tool's own; none before its place is made.

    Raises ClusterUnavailable if they cannot be read.
    """
    if not cluster.has_harbor:
        return Credentials(
            _text(cluster.push_credentials_file), _text(cluster.pull_credentials_file)
        )
    place = RegistryPlace.objects.ready().filter(cluster=cluster, tool__name=tool).first()
    return opened(place) if place else Credentials()


def opened(place: RegistryPlace) -> Credentials:
    """Raises ClusterUnavailable when none of the installation's keys fits."""
    try:
        return Credentials(
            decrypt(bytes(place.encrypted_push)), decrypt(bytes(place.encrypted_pull))
        )
    except InvalidToken as error:
        raise ClusterUnavailable(
            "The key that the registry's credentials were encrypted with is missing. "
            "Bring it back, or change the credentials."
        ) from error


def _text(path: str) -> str:
    try:
        return Path(path).read_text() if path else ""
    except OSError as error:
        raise ClusterUnavailable(f"The registry's credentials cannot be read: {error}") from error
