"""What the portal keeps of tools in the registries of clusters, and what it deletes there."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from builds.models import Build, Image
from portal.cluster.base import ClusterError
from portal.clusters.models import RegistryPlace
from portal.clusters.places import keep_project, leave_harbor
from portal.clusters.registries import TROUBLES, pause_after, registry_of
from portal.harbor import Harbor
from portal.registry import Distribution
from portal.tools.operations import record_event
from portal.webservices.models import Release, Webservice
from portal.webservices.states import ReleaseStatus

LOOK_EVERY = timedelta(hours=1)
# While a build is under way nothing is deleted: it may push what is to go.
BUSY = timedelta(minutes=1)
AFTER_FAILURE = timedelta(minutes=1)
# A look ends after so many, so that it does not last.
REMOVED_AT_ONCE = 50
# Caches are written anew by each build.
CACHES_KEPT = 1


def wake_left_over(*, now: datetime) -> None:
    """Have places looked at that have images to delete, whatever gave those up."""
    left_over = Image.objects.filter(
        tool=OuterRef("tool"), build__cluster=OuterRef("cluster"), is_left_over=True
    )
    RegistryPlace.objects.filter(Exists(left_over), next_look_at=None).wake(now=now)


def keep_place(place: RegistryPlace, *, now: datetime) -> None:
    """Have it be as it should; trouble is noted with since when, and tried again ever later."""
    try:
        with registry_of(place.cluster) as registry:
            pause = _keep(place, registry, now=now)
    except (*TROUBLES, ClusterError) as error:
        pause = pause_after(place.failures, first=AFTER_FAILURE, most=LOOK_EVERY)
        place.note(str(error), at=now, again=now + pause)
        return
    place.note("", at=now, again=None if pause is None else now + pause)


def _keep(
    place: RegistryPlace, registry: Harbor | Distribution, *, now: datetime
) -> timedelta | None:
    """How long until the next look, None if nothing is left to do."""
    if place.is_over(now) and _give_up_images(place, now=now):
        return _leave(place, registry, now=now)
    if isinstance(registry, Harbor) and not place.remove_after:
        keep_project(place, registry, now=now)
    usual = LOOK_EVERY if place.cluster.has_harbor or place.remove_after else None
    if Build.objects.under_way().filter(tool=place.tool).exists():
        return BUSY
    if isinstance(registry, Harbor):
        registry.trim(place.tool.name, f"{place.tool.name}-cache", newest=CACHES_KEPT)
    return usual if _remove_images(place, registry) else timedelta(0)


def _images_of(place: RegistryPlace) -> QuerySet[Image]:
    begin = place.cluster.repositories_of(place.tool.name)
    return Image.objects.filter(tool=place.tool, reference__startswith=begin)


def _remove_images(place: RegistryPlace, registry: Harbor | Distribution) -> bool:
    """Delete what the verdict dropped; False if there is more than one look does."""
    for image in _images_of(place).filter(is_left_over=True)[:REMOVED_AT_ONCE]:
        # A later build may have made the very same image, which is needed then.
        same = _images_of(place).filter(reference=image.reference)
        if not same.filter(removed_at=None).exists():
            repository, _, digest = image.reference.partition("/")[2].partition("@")
            registry.remove_image(repository, digest)
        same.update(is_left_over=False)
    # What is in a registry that the cluster had before is out of reach.
    there = Image.objects.filter(tool=place.tool, build__cluster=place.cluster, is_left_over=True)
    there.exclude(pk__in=_images_of(place)).update(is_left_over=False)
    return not _images_of(place).filter(is_left_over=True).exists()


def _give_up_images(place: RegistryPlace, *, now: datetime) -> bool:
    """Have nothing that is here be released any more; False if something runs it now."""
    current = Q(status__in=[ReleaseStatus.STARTING, ReleaseStatus.LIVE])
    with transaction.atomic():
        # As for a clean-up: a release that is made at this moment waits.
        list(Webservice.objects.select_for_update().filter(tool=place.tool))
        images = _images_of(place)
        if place.is_shared:
            images = images.filter(build__cluster=place.cluster)
        if Release.objects.filter(current, image__in=images).exists():
            return False
        images.filter(removed_at=None).update(removed_at=now, is_left_over=True)
    return True


def _leave(
    place: RegistryPlace, registry: Harbor | Distribution, *, now: datetime
) -> timedelta | None:
    """The tool is archived or lives elsewhere, and its grace is over: everything goes."""
    if isinstance(registry, Harbor):
        leave_harbor(place, registry)
    if not place.is_shared:
        if isinstance(registry, Harbor):
            _images_of(place).update(is_left_over=False)
        elif not _remove_images(place, registry):
            return timedelta(0)
    record_event(place.tool, by=None, action="registry.left", summary=str(place.cluster), at=now)
    place.delete()
    return None
