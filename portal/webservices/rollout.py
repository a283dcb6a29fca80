"""One step towards what the row of a webservice in a cluster asks for.

The cluster does the rolling: new replicas beside the old ones, which go when the new ones are
ready. What is left to decide here is which release the Deployment is to be of. A release that
does not get ready is given up, and the Deployment is put back to the one before.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from portal.cluster.base import ClusterError, ClusterRefused, ForeignObject
from portal.clusters.connections import ask, home_in
from portal.clusters.models import Cluster
from portal.tools.models import Tool
from portal.tools.operations import variables_for
from portal.webservices.engines.base import Phase
from portal.webservices.engines.kubernetes import KubernetesWebservices
from portal.webservices.engines.manifests import ServiceOrder
from portal.webservices.engines.standing import Pod, Rollout
from portal.webservices.models import Current, Release, Replica, Webservice
from portal.webservices.reconcile import CRASHES_AT_MOST, LOG_TAIL, only_scales
from portal.webservices.releases import go_live
from portal.webservices.states import Cause, Reason, ReleaseStatus, Status

# How long until the next look. Where a watcher works a change in the cluster wakes the row, and
# the net below that may be wide.
CHANGING, STEADY = timedelta(seconds=1), timedelta(minutes=5)
STEADY_WATCHED = timedelta(hours=1)


def engine_in(cluster: Cluster, tool: Tool) -> KubernetesWebservices:
    return KubernetesWebservices(ask(cluster), home_in(cluster, tool.name))


def reconcile(webservice: Webservice, *, cluster: Cluster, now: datetime) -> timedelta | None:
    """Take one step; the time until the next is due, or None when it is stopped and clean.

    Raises ClusterError when the cluster cannot be asked; looking again later is right then.
    """
    engine = engine_in(cluster, webservice.tool)
    everywhere = webservice.current()
    here = everywhere.within(cluster)
    starting, running = here.starting, here.newest
    release = running or webservice.releases_in(cluster).first()
    if release is None:
        return None
    order = order_of(webservice, release, cluster)
    if not webservice.is_wanted or webservice.tool.status != Tool.Status.ACTIVE:
        return _stop(webservice, release, order, engine=engine, now=now)
    if running:
        seen = _roll(starting, order, engine=engine, now=now)
        if seen is None:
            return timedelta(0)
    elif everywhere.live:
        # It was moved away a moment ago, and what is here answers until it is cleaned away.
        return None
    else:
        engine.stop(order)
        seen = engine.observe(order)
    _note_pods(webservice, release, seen.pods)
    if starting:
        _judge(starting, everywhere.live, order, seen, engine=engine, now=now)
        everywhere = webservice.current()
    return _settle(webservice, cluster, everywhere, seen, now=now)


def _settle(
    webservice: Webservice, cluster: Cluster, current: Current, seen: Rollout, *, now: datetime
) -> timedelta:
    """Say in the row how it stands; the time until the next look."""
    # Until a move to this cluster has come to its end another place tells how it is.
    if webservice.tool.cluster_id == cluster.pk:
        _move(webservice, current, seen, now=now)
    if current.within(cluster).starting or not seen.is_done:
        return CHANGING
    return STEADY_WATCHED if cluster.is_watched_at(now) else STEADY


def _roll(
    starting: Release | None, order: ServiceOrder, *, engine: KubernetesWebservices, now: datetime
) -> Rollout | None:
    """None if the cluster refuses the new release for good: it is given up then."""
    try:
        return engine.roll(order)
    except (ClusterRefused, ForeignObject) as refused:
        if not starting:
            raise
        _give_up(starting, Reason.REFUSED, str(refused), log="", now=now)
        return None


def order_of(webservice: Webservice, release: Release, cluster: Cluster) -> ServiceOrder:
    tool = webservice.tool
    variables = variables_for(tool, phase="run")
    return ServiceOrder(
        tool=tool.name,
        release=_number_of_pods(release),
        image=release.image.reference,
        process_type=release.process_type,
        replicas=release.replicas,
        max_replicas=release.max_replicas,
        host=cluster.host_of(tool.name),
        environment={each.name: each.value for each in variables},
        secrets=tuple(each.value for each in variables if each.is_secret),
        health_check_path=release.health_check_path,
        memory_bytes=release.memory_bytes,
        cpu_millis=release.cpu_millis,
        user_id=settings.CLUSTER_USER_ID,
        group_id=settings.CLUSTER_GROUP_ID,
        start_limit=settings.WEBSERVICE_START_LIMIT,
        ingress_class=cluster.ingress_class,
        tls_secret=cluster.tls_secret.replace("{tool}", tool.name),
        has_tls=cluster.tools_url.startswith("https"),
    )


def _number_of_pods(release: Release) -> int:
    """Releases that only scale leave the pods of the one before as they are."""
    served = release.webservice.releases.exclude(status=ReleaseStatus.FAILED).order_by("-number")
    while release.cause == Cause.CONFIGURED:
        earlier = served.filter(number__lt=release.number).first()
        if earlier is None or not only_scales(earlier, release):
            break
        release = earlier
    return release.number


def _stop(
    webservice: Webservice,
    release: Release,
    order: ServiceOrder,
    *,
    engine: KubernetesWebservices,
    now: datetime,
) -> timedelta | None:
    for each in webservice.current().releases:
        each.move_to(ReleaseStatus.RETIRED, at=now, reason_code=Reason.STOPPED, ended_at=now)
    engine.stop(order)
    seen = engine.observe(order)
    _note_pods(webservice, release, seen.pods)
    status = Status.STOPPING if seen.pods else Status.STOPPED
    if status != webservice.status and webservice.tool.cluster_id == release.image.build.cluster_id:
        webservice.move_to(status, at=now)
    return CHANGING if seen.pods else None


def _judge(
    starting: Release,
    live: Release | None,
    order: ServiceOrder,
    seen: Rollout,
    *,
    engine: KubernetesWebservices,
    now: datetime,
) -> None:
    """Make the new release live when all its replicas are ready; give it up when it will not be."""
    if seen.is_done and seen.release == order.release:
        if go_live(starting, at=now):
            engine.forget_others(order, kept={order.release})
        return
    crashed, worst = _worst(seen, order.release)
    if crashed or _is_late(starting, seen, now):
        code = Reason.CRASHED if crashed else Reason.NEVER_HEALTHY
        log = _tail(order, worst, engine=engine) if worst else ""
        _give_up(starting, code, _why(worst, crashed, seen, live), log=log, now=now)


def _worst(seen: Rollout, release: int) -> tuple[Pod | None, Pod | None]:
    """The pod of a release that ended too often, and it again or else one that is not healthy."""
    own = [pod for pod in seen.pods if pod.release == release]
    crashed = next((pod for pod in own if pod.restarts >= CRASHES_AT_MOST), None)
    return crashed, crashed or next((pod for pod in own if pod.phase != Phase.HEALTHY), None)


def _is_late(starting: Release, seen: Rollout, now: datetime) -> bool:
    """The cluster's own deadline begins anew with each step forward; ours is the net below it."""
    steps = max(starting.replicas, starting.max_replicas) + 2
    limit = timedelta(seconds=settings.WEBSERVICE_START_LIMIT) * steps
    return seen.is_overdue or now - starting.created_at > limit


def _give_up(starting: Release, code: Reason, why: str, *, log: str, now: datetime) -> None:
    starting.move_to(
        ReleaseStatus.FAILED, at=now, reason_code=code, reason=why, ended_at=now, log_tail=log
    )


def _tail(order: ServiceOrder, pod: Pod, *, engine: KubernetesWebservices) -> str:
    """The end of what the pod's last process printed, also if it ended; "" if nobody can tell."""
    try:
        data = engine.logs(order, pod.name, is_previous=pod.restarts > 0)
        data = data or engine.logs(order, pod.name)
    except ClusterError:
        # A node that is away keeps its output, and must not keep the release from being given up.
        return ""
    return data[-LOG_TAIL:].decode("utf-8", "replace")


def _why(worst: Pod | None, crashed: Pod | None, seen: Rollout, live: Release | None) -> str:
    if crashed:
        parts = [
            _("The process ended %(times)d times, the last time with exit code %(code)s.")
            % {"times": crashed.restarts, "code": crashed.exit_code}
        ]
    else:
        parts = [_("It did not get healthy in the time that it had.")]
    said = (worst.why if worst else "") or seen.trouble
    if said:
        parts.append(_("The cluster says: %(said)s.") % {"said": said.strip().rstrip(".")})
    if live:
        parts.append(_("Release %(number)d goes on serving.") % {"number": live.number})
    return " ".join(parts)


def _note_pods(webservice: Webservice, release: Release, pods: Sequence[Pod]) -> None:
    """Keep a row for each pod, for the pages to show."""
    place = release.image.build.cluster_id
    known = Replica.objects.filter(
        release__webservice=webservice, release__image__build__cluster=place
    )
    numbers = {release.number: release}
    if others := {pod.release for pod in pods} - set(numbers):
        earlier = webservice.releases.filter(number__in=others)
        numbers |= {each.number: each for each in earlier}
    with transaction.atomic():
        rows = {row.name: row for row in known}
        if gone := rows.keys() - {pod.name for pod in pods}:
            known.filter(name__in=gone).delete()
        for pod in pods:
            _note_pod(rows.get(pod.name), numbers.get(pod.release, release), pod)


def _note_pod(row: Replica | None, release: Release, pod: Pod) -> None:
    row = row or Replica(name=pod.name, release=release, index=_free_index(release))
    changes = {
        "phase": str(pod.phase),
        "started_at": pod.started_at,
        "restarts": pod.restarts,
        "exit_code": pod.exit_code,
        "probe_answer": pod.why,
        "probe_ok": pod.phase is Phase.HEALTHY,
    }
    if row.pk and all(getattr(row, name) == value for name, value in changes.items()):
        return
    for name, value in changes.items():
        setattr(row, name, value)
    # Readers count a replica's output at any time.
    row.save(update_fields=changes if row.pk else None)


def _free_index(release: Release) -> int:
    taken = set(release.processes.values_list("index", flat=True))
    return next(index for index in range(len(taken) + 1) if index not in taken)


def _move(webservice: Webservice, current: Current, seen: Rollout, *, now: datetime) -> None:
    if seen.scaling != webservice.scaling:
        webservice.scaling = seen.scaling
        webservice.save(update_fields=["scaling"])
    status, code, reason = _status(webservice, current, seen)
    if status != webservice.status:
        webservice.move_to(status, at=now, reason_code=code, reason=reason)


def _status(webservice: Webservice, current: Current, seen: Rollout) -> tuple[Status, str, str]:
    if current.live:
        return _status_of_live(current.live, seen, is_changing=current.starting is not None)
    failed = None if current.starting else webservice.failed
    if failed:
        return Status.FAILED, failed.reason_code, failed.reason
    return Status.STARTING, "", ""


def _status_of_live(live: Release, seen: Rollout, *, is_changing: bool) -> tuple[Status, str, str]:
    healthy = sum(pod.phase is Phase.HEALTHY for pod in seen.pods)
    if is_changing or healthy >= live.replicas:
        return Status.RUNNING, "", ""
    ill = [pod for pod in seen.pods if pod.phase not in (Phase.HEALTHY, Phase.STOPPING)]
    reason = _("%(ill)d of %(all)d replicas are not healthy. %(answer)s") % {
        "ill": live.replicas - healthy,
        "all": live.replicas,
        "answer": next((pod.why for pod in ill if pod.why), seen.trouble),
    }
    return Status.DEGRADED, Reason.UNHEALTHY, reason
