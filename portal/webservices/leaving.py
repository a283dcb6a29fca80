"""What a tool leaves behind in a place where it does not live: a cluster, or this machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from portal.cluster.base import Cluster, Manifest, is_ours
from portal.cluster.home import build_namespace_of, namespace_of
from portal.cluster.kinds import NAMESPACE
from portal.clusters.connections import access_of, ask
from portal.clusters.models import Cluster as ClusterRow
from portal.tools.models import Tool
from portal.tools.operations import variables_for
from portal.webservices.engines.base import Phase, WebserviceEngine
from portal.webservices.models import Replica, Webservice
from portal.webservices.retention import Store


@dataclass(frozen=True)
class Machine:
    """The engines of the portal's own machine."""

    webservices: WebserviceEngine
    images: Store


def is_at_home(tool: Tool, place: ClusterRow | None) -> bool:
    """Whether it lives there, or is on its way there."""
    target = place.pk if place else None
    lives = Tool.objects.filter(pk=tool.pk, cluster=place).exclude(status=Tool.Status.ARCHIVED)
    return lives.exists() or tool.relocations.under_way().filter(target=target).exists()


def leave(tool: Tool, place: ClusterRow | None, *, here: Machine, now: datetime) -> bool:
    """Have everything of the tool there go; True once it is gone. May be repeated.

    Raises ClusterError or EngineError when the place cannot be asked; later is right then.
    """
    is_gone = _leave_cluster(tool, place) if place else _leave_machine(tool, here=here)
    if is_gone:
        forget(tool, place, now=now)
    return is_gone


def forget(tool: Tool, place: ClusterRow | None, *, now: datetime) -> None:
    """Note that its images and replicas there are of no use any more."""
    images = tool.images.filter(build__cluster=place, removed_at=None)
    images.update(removed_at=now, is_left_over=place is not None)
    _replicas(tool, place).delete()


def _leave_cluster(tool: Tool, place: ClusterRow) -> bool:
    home = Tool.objects.select_related("cluster").get(pk=tool.pk).cluster
    if home and home != place and are_one_for(tool, home, place):
        # Two rows for one cluster: what is there is the tool's home.
        return True
    cluster = ask(place)
    left = [each for each in _namespaces(tool, cluster) if is_ours(each)]
    for each in left:
        if not each["metadata"].get("deletionTimestamp"):
            cluster.delete(NAMESPACE, each["metadata"]["name"])
    return not left


def _namespaces(tool: Tool, cluster: Cluster) -> Iterator[Manifest]:
    for name in (namespace_of(tool.name), build_namespace_of(tool.name)):
        if there := cluster.get(NAMESPACE, name):
            yield there


def are_one_for(tool: Tool, one: ClusterRow, other: ClusterRow) -> bool:
    """Whether two rows lead to the same cluster, as far as the tool's namespaces show."""
    if access_of(one) == access_of(other):
        return True
    known = {each["metadata"]["uid"] for each in _namespaces(tool, ask(one))}
    return any(each["metadata"]["uid"] in known for each in _namespaces(tool, ask(other)))


def is_being_removed(tool: Tool, place: ClusterRow) -> bool:
    """Whether what the tool had there before is just going."""
    there = _namespaces(tool, ask(place))
    return any(each["metadata"].get("deletionTimestamp") for each in there)


def _replicas(tool: Tool, place: ClusterRow | None) -> QuerySet[Replica]:
    return Replica.objects.filter(
        release__webservice__tool=tool, release__image__build__cluster=place
    )


def _leave_machine(tool: Tool, *, here: Machine) -> bool:
    engine, variables = here.webservices, variables_for(tool, phase="run")
    if Webservice.objects.filter(tool=tool).exclude(routed_ports=[]).update(routed_ports=[]):
        engine.route(Webservice.objects.routes())
    rows = _replicas(tool, None)
    for replica in rows.select_related("release__image", "release__webservice__tool"):
        engine.remove(replica.order(variables))
        if engine.observe(replica.order(variables)).phase is Phase.MISSING:
            replica.delete()
    if rows.exists():
        return False
    here.images.keep_images(tool.name, set())
    return True
