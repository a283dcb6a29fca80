"""A tool's place in a cluster's registry: kept as it should be, one careful step after the other.

In a Harbor that is a project with the tool's quota and two robots for it alone. New robots come
before the old ones end; their secrets are put into the cluster, and only when everything that
began with the old ones is over do those go.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from portal.cluster.base import Absent, ClusterUnavailable
from portal.cluster.home import home_of
from portal.clusters.connections import ask, home_in
from portal.clusters.credentials import opened
from portal.clusters.models import Cluster, RegistryPlace, Relocation
from portal.clusters.models.registries import RegistryPlaceQuerySet
from portal.encryption import encrypt
from portal.harbor import PULL, PUSH_AND_PULL, Harbor, Robot
from portal.tools.models import Quota, Tool
from portal.tools.quotas import Resource, limits_of, usual

ROBOT_DAYS = 30
# A registry or a cluster may be away for so long before anything ends.
ROTATE_BEFORE = timedelta(days=10)
# Beside the time that a build may take, for Secrets to reach what is mounted.
MARGIN = timedelta(minutes=10)


def keep_project(place: RegistryPlace, harbor: Harbor, *, now: datetime) -> None:
    """Have project, quota, robots and Secrets be as they should, and note what is used.

    Raises HarborError, HarborForeign and ClusterError; what was done until then stays done.
    """
    limit = limits_of(place.tool)[Resource.STORAGE]
    used = harbor.keep_project(place.tool.name, storage=limit)
    place.change(used_bytes=used, limit_bytes=limit, measured_at=now)
    if _wants_robots(place, now=now):
        _make_robots(place, harbor, now=now)
    if place.placed_at is None:
        _put_secrets(place, now=now)
    if place.has_old_robots and place.placed_at and now - place.placed_at >= overlap():
        _remove_old_robots(place, harbor)


def overlap() -> timedelta:
    """How long the robots before are still good after the new ones' Secrets are in place."""
    build = settings.BUILD_PENDING_LIMIT + settings.BUILD_RUNNING_LIMIT
    return timedelta(seconds=build) + MARGIN


def _wants_robots(place: RegistryPlace, *, now: datetime) -> bool:
    if place.is_rotating or place.registry != place.cluster.registry:
        return True
    if place.ends_at is None or place.ends_at - now <= ROTATE_BEFORE:
        return True
    try:
        opened(place)
    except ClusterUnavailable:
        return True
    return False


def _make_robots(place: RegistryPlace, harbor: Harbor, *, now: datetime) -> None:
    """Harbor tells their secrets once; robots whose secrets got lost go with the old ones."""

    def made(kind: str, actions: tuple[str, ...]) -> Robot:
        name = f"{_prefix(place)}{kind}-{now:%Y%m%d%H%M%S}"
        return harbor.new_robot(place.tool.name, name, actions=actions, days=ROBOT_DAYS)

    push, pull = made("push", PUSH_AND_PULL), made("pull", PULL)
    host = place.cluster.registry
    place.change(
        encrypted_push=encrypt(push.docker_config(host)),
        encrypted_pull=encrypt(pull.docker_config(host)),
        robots=[push.name, pull.name],
        registry=host,
        ends_at=now + timedelta(days=ROBOT_DAYS),
        is_rotating=False,
        placed_at=None,
        has_old_robots=True,
    )


def _prefix(place: RegistryPlace) -> str:
    """Of the names of its robots: several clusters may have their images in one Harbor."""
    return f"portal-{place.cluster_id}-"


def _put_secrets(place: RegistryPlace, *, now: datetime) -> None:
    """Into both namespaces; one that is not there yet gets them when it is made."""
    cluster = ask(place.cluster)
    for manifest in home_of(home_in(place.cluster, place.tool.name)):
        if manifest["kind"] in ("ServiceAccount", "Secret"):
            try:
                cluster.apply(manifest)
            except Absent:
                continue
    place.change(placed_at=now)


def _remove_old_robots(place: RegistryPlace, harbor: Harbor) -> None:
    harbor.remove_robots(place.tool.name, but=place.robots, named=_prefix(place))
    place.change(has_old_robots=False)


def leave_harbor(place: RegistryPlace, harbor: Harbor) -> None:
    """Remove the project, or while another cluster has it too, this one's robots alone."""
    if place.is_shared:
        harbor.remove_robots(place.tool.name, but=(), named=_prefix(place))
    else:
        harbor.remove_project(place.tool.name)


def mark_places(*, now: datetime) -> None:
    """Make the places that are missing, and wake those that have to change; asks no registry."""
    _make_missing(now=now)
    _mark_leaving(now=now)
    RegistryPlace.objects.filter(remove_after__lte=now, next_look_at=None).wake(now=now)
    _of(_with_another_limit()).filter(next_look_at__gt=now).wake(now=now)


def _make_missing(*, now: datetime) -> None:
    moving = Relocation.objects.under_way()
    for cluster in Cluster.objects.all():
        known = RegistryPlace.objects.filter(cluster=cluster).values("tool")
        here = Q(cluster=cluster) | Q(pk__in=moving.filter(target=cluster).values("tool"))
        living = Tool.objects.filter(here).exclude(status=Tool.Status.ARCHIVED)
        living = living.exclude(pk__in=known)
        RegistryPlace.objects.bulk_create(
            [RegistryPlace(cluster=cluster, tool=tool, next_look_at=now) for tool in living],
            ignore_conflicts=True,
        )


def _mark_leaving(*, now: datetime) -> None:
    """Set when a place goes that nobody lives in any more, or take that back."""
    grace = timedelta(days=settings.HOME_GRACE_DAYS)
    inhabited = RegistryPlace.objects.inhabited().values("pk")
    leaving = RegistryPlace.objects.filter(remove_after=None).exclude(pk__in=inhabited)
    leaving.update(remove_after=now + grace)
    back = RegistryPlace.objects.filter(pk__in=inhabited, remove_after__isnull=False)
    back.update(remove_after=None)


def _with_another_limit() -> QuerySet[RegistryPlace]:
    """Those whose tool may use more or less than its project was last told."""
    decided = Quota.objects.filter(tool=OuterRef("tool")).values("storage_bytes")
    wanted = Coalesce(Subquery(decided), Value(usual()[Resource.STORAGE]))
    told = RegistryPlace.objects.filter(limit_bytes__isnull=False).annotate(wanted=wanted)
    return told.exclude(limit_bytes=F("wanted"))


def _of(places: QuerySet[RegistryPlace]) -> RegistryPlaceQuerySet:
    """The same without joins, which an UPDATE may not have."""
    return RegistryPlace.objects.filter(pk__in=places.values("pk"))
