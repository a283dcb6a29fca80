"""What a tool's builds use of what it may."""

from datetime import datetime, timedelta

from django.db.models import Count, DurationField, ExpressionWrapper, F, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce

from builds.models import Build, BuildCache, Image
from builds.states import Status
from portal.clusters.models import Cluster, RegistryPlace
from portal.tools.models import Tool
from portal.tools.quotas import Resource, first_excess, limits_of

# Build minutes are counted for so long.
WINDOW = timedelta(days=30)


def _timed(builds: QuerySet[Build, Build], now: datetime) -> QuerySet[Build, Build]:
    """Builds of the window, each with how long it has run."""
    end = Coalesce(F("finished_at"), Value(now))
    ran = ExpressionWrapper(end - F("started_at"), output_field=DurationField())
    recent = Q(finished_at=None) | Q(finished_at__gt=now - WINDOW)
    return builds.exclude(started_at=None).filter(recent).annotate(ran=ran)


def minutes_by_tool(tool_ids: set[int], *, now: datetime) -> dict[int, int]:
    """Build minutes in the window, begun ones as whole; one query."""
    builds = _timed(Build.objects.filter(tool__in=tool_ids), now).order_by()
    sums = builds.values_list("tool").annotate(total=Sum("ran"))
    return {tool_id: _minutes(total) for tool_id, total in sums}


def _minutes(total: timedelta | None) -> int:
    return -(-(total or timedelta()) // timedelta(minutes=1))


def measured_place(tool: Tool) -> RegistryPlace | None:
    """Where its images are, if the registry there counts their bytes."""
    places = RegistryPlace.objects.filter(tool=tool, cluster=tool.cluster_id)
    return (
        places.filter(cluster__registry_kind=Cluster.Kind.HARBOR).exclude(used_bytes=None).first()
    )


def used_by_builds(tool: Tool, *, now: datetime) -> dict[Resource, int]:
    """In five queries, however much there is.

    Where a registry counts what it holds of the tool, and limits it, its word counts.
    """
    images = Image.objects.filter(tool=tool, removed_at=None).aggregate(
        count=Count("pk"), size=Sum("size")
    )
    cache = BuildCache.objects.filter(tool=tool).values_list("size", flat=True).first()
    place = measured_place(tool)
    return {
        Resource.BUILDS_AT_ONCE: Build.objects.filter(tool=tool, status=Status.RUNNING).count(),
        Resource.BUILD_MINUTES: minutes_by_tool({tool.pk}, now=now).get(tool.pk, 0),
        Resource.IMAGES: images["count"],
        Resource.STORAGE: place.used_bytes or 0 if place else (images["size"] or 0) + (cache or 0),
    }


def excess(tool: Tool, *, now: datetime) -> str:
    """Why the tool may start no build now, in words; "" if it may.

    How many run at once is decided when a build's turn comes.
    """
    used = used_by_builds(tool, now=now)
    wanted = (
        (Resource.BUILD_MINUTES, used[Resource.BUILD_MINUTES], 1),
        (Resource.IMAGES, used[Resource.IMAGES], 1),
        (Resource.STORAGE, used[Resource.STORAGE], 1),
    )
    return first_excess(tool, limits_of(tool), wanted)
