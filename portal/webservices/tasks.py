"""Alarm clocks for webservices."""

import logging
from datetime import datetime, timedelta
from functools import cache
from typing import Protocol, runtime_checkable

from celery import shared_task
from django.conf import settings
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext as _

from builds.lifecycle.enforcement import CPU_LIMIT, MEMORY_LIMIT, Enforcement, Means
from builds.models import Build
from builds.states import Status
from builds.tasks import (
    AFTER_ERROR,
    LATE,
    LEASE,
    after_error,
    build_finished,
    look_now,
    set_alarm,
    tell,
    tell_of,
)
from builds.tasks import engine as build_engine
from portal.cluster.base import ClusterError
from portal.clusters.models import Cluster, RegistryPlace, Relocation
from portal.clusters.places import mark_places
from portal.tools.models import Tool
from portal.tools.operations import record_event, variables_for
from portal.webservices import homes, output, relocation, rollout
from portal.webservices.engines.base import EngineError, ReplicaOrder, WebserviceEngine
from portal.webservices.engines.local import LocalSettings, LocalWebserviceEngine
from portal.webservices.engines.probe import Answer
from portal.webservices.homes import keep_homes, tidy
from portal.webservices.leaving import Machine
from portal.webservices.models import Replica, Webservice
from portal.webservices.ports import NoPortLeft
from portal.webservices.reconcile import reconcile
from portal.webservices.registries import keep_place, wake_left_over
from portal.webservices.releases import (
    ImageGone,
    NotHere,
    OverQuota,
    builds_to_deploy,
    is_held_back,
    is_to_be_deployed,
    make_release,
    why_not_by_itself,
)
from portal.webservices.retention import remove_old_images, remove_old_unpacked
from portal.webservices.states import Cause

log = logging.getLogger(__name__)
# A build that succeeded longer ago is not deployed by the sweep any more.
FORGOTTEN = timedelta(hours=1)
# A look at a place in a registry is some ten requests at most, each with its limit.
PLACE_LEASE = timedelta(minutes=5)
PLACES_AT_ONCE = 100


@cache
def engine() -> WebserviceEngine:
    """The installation's webservice engine."""
    return LocalWebserviceEngine(
        LocalSettings(
            state=settings.STATE,
            domain=settings.TOOLS_DOMAIN,
            listen=settings.TOOLS_LISTEN,
            connect_ports=tuple(settings.CONNECT_PORTS),
            sandbox=settings.SANDBOX,
            trusts_all=settings.TRUST_ALL_USERS,
        )
    )


@runtime_checkable
class Confines(Protocol):
    """An engine that can say what its machine really enforces."""

    def enforcement(self) -> Enforcement: ...


def limits_that_hold() -> list[Means]:
    """How the limits on memory and processors are enforced; empty where a cluster does it."""
    chosen = engine()
    if not isinstance(chosen, Confines):
        return []
    limits = (MEMORY_LIMIT, CPU_LIMIT)
    return [each for each in chosen.enforcement().means if each.name in limits]


@shared_task
def reconcile_webservice(*, webservice_id: int) -> None:
    """Look at a webservice if a look is due, and set the alarm for the next look."""
    now = timezone.now()
    webservice = Webservice.objects.claim(webservice_id, now=now, lease=LEASE)
    if webservice is None:
        return
    pause = look(webservice, now=now)
    set_alarm(webservice, reconcile_webservice, pause, webservice_id=webservice_id)


def look(webservice: Webservice, *, now: datetime) -> timedelta | None:
    """Take a step in each place where something of it is to run; while it moves these are two.

    The old one comes first: once the new one has taken over it is left as it is. One that is away
    does not keep the tool from moving to another.
    """
    current = webservice.current().releases
    places = list(dict.fromkeys(each.place for each in current)) or [webservice.tool.cluster]
    looks = [_look_in(place, webservice, now=now) for place in places]
    webservice.note_trouble(" ".join(filter(None, (each for _pause, each in looks))), at=now)
    return min((each for each, _trouble in looks if each is not None), default=None)


def _look_in(
    place: Cluster | None, webservice: Webservice, *, now: datetime
) -> tuple[timedelta | None, str]:
    """The time until the next look, and what kept this one from its work; None is this machine."""
    try:
        if place:
            return rollout.reconcile(webservice, cluster=place, now=now), ""
        return reconcile(webservice, engine=engine(), now=now), ""
    except (EngineError, ClusterError, NoPortLeft) as error:
        log.warning("webservice %s: %s", webservice, error)
        return after_error(webservice, now), str(error)


def output_of(replica: Replica, *, since: int, limit: int) -> tuple[bytes, int]:
    """A replica's output from byte `since` on, and where it begins; see WebserviceEngine.logs."""
    cluster = replica.release.place
    if cluster is None:
        return engine().logs(replica.order([]), since=since, limit=limit)
    try:
        return output.output_of(replica, cluster=cluster, since=since, limit=limit)
    except ClusterError as error:
        raise EngineError(str(error)) from error


def output_size(replica: Replica) -> int:
    """How long a replica's output is by now. Raises EngineError."""
    cluster = replica.release.place
    if cluster is None:
        data, start = output_of(replica, since=-1, limit=1)
        return start + len(data)
    try:
        return output.size_of(replica, cluster=cluster)
    except ClusterError as error:
        raise EngineError(str(error)) from error


@shared_task
def reconcile_relocation(*, relocation_id: int) -> None:
    """Look at a tool's move if a look is due, and set the alarm for the next look."""
    now = timezone.now()
    move = Relocation.objects.claim(relocation_id, now=now, lease=LEASE)
    if move is None:
        return
    here = Machine(webservices=engine(), images=build_engine())
    try:
        pause = relocation.reconcile(move, here=here, now=now)
    except (EngineError, ClusterError) as error:
        log.warning("move of %s: %s", move, error)
        pause = relocation.note(move, str(error), AFTER_ERROR)
    set_alarm(move, reconcile_relocation, pause, relocation_id=relocation_id)


@runtime_checkable
class Checks(Protocol):
    """An engine whose replicas can be asked for their health at any time."""

    def check(self, order: ReplicaOrder) -> Answer: ...


def check_replicas(webservice: Webservice) -> list[tuple[Replica, Answer]] | None:
    """Ask each replica for its health now; None where only the cluster can."""
    chosen = engine()
    if webservice.tool.cluster or not isinstance(chosen, Checks):
        return None
    variables = variables_for(webservice.tool, phase="run")
    replicas = Replica.objects.filter(release__webservice=webservice).select_related(
        "release__image", "release__webservice__tool"
    )
    return [(each, chosen.check(each.order(variables))) for each in replicas]


@shared_task
def sweep() -> None:
    """Find the webservices whose time has come, heal the routes, deploy what should have been."""
    now = timezone.now()
    soon = now + rollout.STEADY
    Webservice.objects.unwatched(now).filter(next_look_at__gt=soon).update(next_look_at=soon)
    overdue = Webservice.objects.overdue(now).values_list("pk", flat=True)
    tell_of(overdue, reconcile_webservice, "webservice_id")
    moves = Relocation.objects.overdue(now).values_list("pk", flat=True)
    tell_of(moves, reconcile_relocation, "relocation_id")
    try:
        engine().route(Webservice.objects.routes())
    except EngineError as error:
        log.warning("routes: %s", error)
    for build in builds_to_deploy(finished_after=now - FORGOTTEN, finished_before=now - LATE):
        deploy_build(build)


@shared_task
def clean_up() -> None:
    """Make room: delete images and unpacked releases that nobody needs."""
    freed = remove_old_images(store=build_engine(), now=timezone.now())
    if freed:
        log.info("clean-up freed %d bytes", freed)
    if removed := remove_old_unpacked(engine=engine()):
        log.info("clean-up deleted %d unpacked images", removed)


@shared_task
def keep_cluster_homes() -> None:
    """Have every home in a cluster put right once a day, and what is left over removed."""
    now = timezone.now()
    for row in Cluster.objects.filter(is_reachable=True):
        try:
            kept = list(keep_homes(row, slice_number=now.hour * 60 + now.minute))
            removed = tidy(row, now=now) if now.minute == 0 else []
        except ClusterError as error:
            log.warning("homes in %s: %s", row, error)
            continue
        for home in kept:
            if home.trouble:
                log.warning("home of %s in %s: %s", home.tool, row, home.trouble)
        for namespace in removed:
            log.info("removed namespace %s of %s", namespace, row)


@receiver(post_save, sender=Tool)
def make_home(sender: type[Tool], instance: Tool, created: bool, **_kwargs: object) -> None:
    """Have a new tool's home made at once, so that its first build need not wait for it."""
    if created and instance.cluster_id:
        tell(keep_home, tool_id=instance.pk)


@shared_task
def keep_home(*, tool_id: int) -> None:
    """Put one home right; should this fail or be lost, the daily round does it."""
    tool = Tool.objects.select_related("cluster").get(pk=tool_id)
    kept = homes.keep_home(tool)
    if kept.trouble:
        log.warning("home of %s in %s: %s", tool, tool.cluster, kept.trouble)


@shared_task
def keep_places() -> None:
    """Have the places in registries whose time has come looked at, where the registry answers."""
    now = timezone.now()
    mark_places(now=now)
    wake_left_over(now=now)
    answering = RegistryPlace.objects.filter(cluster__registry_state__is_reachable=True)
    due = answering.filter(next_look_at__lte=now).order_by("next_look_at")
    for place_id in due.values_list("pk", flat=True)[:PLACES_AT_ONCE]:
        keep_registry_place.delay(place_id=place_id)


@shared_task
def keep_registry_place(*, place_id: int) -> None:
    """Look at one place; whoever comes second meanwhile does nothing."""
    now = timezone.now()
    place = RegistryPlace.objects.claim(place_id, now=now, lease=PLACE_LEASE)
    if place is None:
        return
    keep_place(place, now=now)
    if place.trouble:
        log.warning("%s: %s", place, place.trouble)


@receiver(build_finished)
def measure_when_built(sender: type[Build], build: Build, **_kwargs: object) -> None:
    """Have what the tool uses in its registry measured."""
    RegistryPlace.objects.filter(tool=build.tool_id).wake(now=timezone.now())


@receiver(build_finished)
def deploy_when_built(sender: type[Build], build: Build, **_kwargs: object) -> None:
    """Deploy a build whose maintainer asked for it; should this be lost, the sweep does it."""
    if build.status != Status.SUCCEEDED:
        return
    build = Build.objects.select_related("tool__webservice__paused_by__actor").get(pk=build.pk)
    if is_to_be_deployed(build):
        deploy_build(build)
    elif is_held_back(build):
        _not_deployed(build, why_not_by_itself(build))


def deploy_build(build: Build) -> None:
    """Make a release of what the build made, unless its image cannot be run as it is."""
    image = build.image
    process_type = image.default_process
    if not process_type:
        log.info("build %s has no process to deploy", build)
        return
    try:
        release = make_release(
            image,
            process_type=process_type,
            by=build.actor,
            note=f"build {build}",
            cause=Cause.BUILT,
            at=timezone.now(),
        )
    except (ImageGone, NotHere, OverQuota) as refusal:
        _not_deployed(build, str(refusal) or _("its image is gone"))
        return
    wake(release.webservice, now=timezone.now())


def _not_deployed(build: Build, why: str) -> None:
    summary, now = f"{build}: {why}", timezone.now()
    record_event(build.tool, by=None, action="webservice.not-deployed", summary=summary, at=now)


def wake(webservice: Webservice, *, now: datetime) -> None:
    """Have the webservice looked at now."""
    look_now(webservice, reconcile_webservice, now=now, webservice_id=webservice.pk)


def wake_relocation(move: Relocation, *, now: datetime) -> None:
    """Have the move looked at now."""
    look_now(move, reconcile_relocation, now=now, relocation_id=move.pk)
