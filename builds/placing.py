"""Builds in clusters: the engine that a cluster's row asks for."""

from django.conf import settings
from django.db.models.signals import pre_delete
from django.dispatch import receiver
from django.utils import timezone

from builds.engines.kubernetes import KubernetesBuildEngine
from builds.engines.pipeline import BuildSettings
from builds.models import Image
from portal.cluster.base import Cluster as Connection
from portal.clusters.connections import ask, home_in
from portal.clusters.models import Cluster

# What an engine remembers saves requests, so one is kept for as long as its settings hold, and the
# way to its cluster.
_engines: dict[tuple[int, str], tuple[BuildSettings, Connection, KubernetesBuildEngine]] = {}


def engine_in(cluster: Cluster, tool: str) -> KubernetesBuildEngine:
    """Raises ClusterUnavailable if it is away, or the registry's credentials cannot be read."""
    wanted, connection = _settings(cluster, tool), ask(cluster)
    match _engines.get((cluster.pk, tool)):
        case (settings_then, connection_then, engine) if (
            settings_then == wanted and connection_then is connection
        ):
            return engine
    engine = KubernetesBuildEngine(connection, wanted)
    _engines[cluster.pk, tool] = wanted, connection, engine
    return engine


def _settings(cluster: Cluster, tool: str) -> BuildSettings:
    return BuildSettings(
        registry=cluster.registry,
        registry_is_insecure=cluster.registry_is_insecure,
        builder=cluster.builder,
        run_image=cluster.run_image,
        git_image=cluster.git_image,
        memory_bytes=settings.BUILD_MEMORY_BYTES,
        running_limit=settings.BUILD_RUNNING_LIMIT,
        pending_limit=settings.BUILD_PENDING_LIMIT,
        log_bytes=min(settings.BUILD_LOG_BYTES, BuildSettings.log_bytes),
        user_id=settings.CLUSTER_USER_ID,
        group_id=settings.CLUSTER_GROUP_ID,
        operator=settings.BUILD_ENVIRONMENT,
        allowed_hosts=tuple(settings.GIT_HOSTS),
        trusted_prefixes=tuple(settings.GIT_TRUSTED_PREFIXES),
        home=home_in(cluster, tool),
    )


@receiver(pre_delete, sender=Cluster)
def give_up_images(sender: type[Cluster], instance: Cluster, **_kwargs: object) -> None:
    """Images of a cluster that is forgotten are out of reach."""
    there = Image.objects.filter(build__cluster=instance, removed_at=None)
    there.update(removed_at=timezone.now())
