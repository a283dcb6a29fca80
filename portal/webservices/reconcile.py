"""One step towards what a webservice's row asks for, from whatever the engine shows.

A new release starts beside the old one. Once all its replicas are healthy the routes switch to it,
and the old one ends after the requests under way had time to finish. A release that does not get
healthy is taken away, and the old one goes on. One that differs from the live one in the number of
replicas alone takes over the processes that run: scaling is immediate and ends no request.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from portal.redaction import Redactor
from portal.tools.operations import Variable, variables_for
from portal.webservices.engines.base import (
    EngineError,
    Phase,
    ReplicaObservation,
    WebserviceEngine,
)
from portal.webservices.models import Release, Replica, Webservice
from portal.webservices.ports import add_replica
from portal.webservices.releases import go_live
from portal.webservices.states import Cause, Reason, ReleaseStatus, Status

# How long until the next look: while something changes, and while all is as it should be.
CHANGING = timedelta(milliseconds=200)
STEADY = timedelta(seconds=5)
# A new release whose process ended this often is not waited for any longer.
CRASHES_AT_MOST = 3
LOG_TAIL = 16 * 1024


def reconcile(
    webservice: Webservice, *, engine: WebserviceEngine, now: datetime
) -> timedelta | None:
    """Take one step; the time until the next is due, or None when it is stopped and clean.

    Raises EngineError when the engine cannot be asked; looking again later is right then.
    """
    variables = variables_for(webservice.tool, phase="run")
    redactor = Redactor(each.value for each in variables if each.is_secret)
    replicas = list(
        Replica.objects.filter(
            release__webservice=webservice, release__image__build__cluster=None
        ).select_related("release__image")
    )
    for replica in replicas:
        replica.release.webservice = webservice
        _note(replica, engine.observe(replica.order(variables)), redactor)
    if not webservice.is_wanted:
        _end_all(webservice, now)
    everywhere = webservice.current()
    starting = everywhere.within(None).starting
    is_changing = starting is not None
    if starting:
        _judge(webservice, starting, everywhere.live, replicas, variables, engine=engine, now=now)
        everywhere = webservice.current()
    here = everywhere.within(None)
    starting, live = here.starting, here.live
    for release in filter(None, (starting, live)):
        is_changing |= _run(webservice, release, replicas, variables, engine=engine)
    _lead_requests(webservice, live, replicas, engine=engine)
    is_changing |= _remove_unwanted(
        webservice, (starting, live), replicas, variables, engine=engine, now=now
    )
    # Until a move to this machine has come to its end another place tells how it is.
    if webservice.tool.cluster_id is None:
        _move(webservice, starting, live, replicas, now=now)
    if is_changing:
        return CHANGING
    return STEADY if webservice.is_wanted and live else None


def _note(replica: Replica, seen: ReplicaObservation, redactor: Redactor) -> None:
    changes = {
        "phase": str(seen.phase),
        "started_at": seen.started_at,
        "restarts": seen.restarts,
        "exit_code": seen.exit_code,
    }
    if seen.probe:
        changes |= {
            "probe_at": seen.probe.at,
            "probe_ok": seen.probe.ok,
            "probe_answer": redactor.text(seen.probe.answer),
        }
    if any(getattr(replica, name) != value for name, value in changes.items()):
        Replica.objects.filter(pk=replica.pk).update(**changes)
        for name, value in changes.items():
            setattr(replica, name, value)


def _end_all(webservice: Webservice, now: datetime) -> None:
    for release in webservice.current().releases:
        release.move_to(ReleaseStatus.RETIRED, at=now, reason_code=Reason.STOPPED, ended_at=now)


def _of(release: Release | None, replicas: Sequence[Replica]) -> list[Replica]:
    return [each for each in replicas if release and each.release_id == release.pk]


def _judge(
    webservice: Webservice,
    starting: Release,
    live: Release | None,
    replicas: Sequence[Replica],
    variables: Sequence[Variable],
    *,
    engine: WebserviceEngine,
    now: datetime,
) -> None:
    """Make the new release live when it is healthy; give it up when it will not get so."""
    if live and only_scales(live, starting):
        _switch(starting, now=now, handed_on=_of(live, replicas))
        return
    own = _of(starting, replicas)
    phases = [each.phase for each in own[: starting.replicas]]
    if phases == [Phase.HEALTHY] * starting.replicas:
        # Requests are led to it first: whoever sees that it is live finds it answering.
        _lead_requests(webservice, starting, replicas, engine=engine)
        _switch(starting, now=now)
        return
    limit = settings.WEBSERVICE_START_LIMIT
    crashed = next((each for each in own if each.restarts >= CRASHES_AT_MOST), None)
    if crashed is None and now - starting.created_at <= timedelta(seconds=limit):
        return
    starting.move_to(
        ReleaseStatus.FAILED,
        at=now,
        reason_code=Reason.CRASHED if crashed else Reason.NEVER_HEALTHY,
        reason=_why(crashed, own, live),
        ended_at=now,
        log_tail="".join(_tail(each, variables, engine=engine) for each in own[:1]),
    )


def only_scales(live: Release, starting: Release) -> bool:
    """Whether the processes of the live release are just what the new one asks for."""

    def all_but_replicas(release: Release) -> list[object]:
        configured = {**release.configuration, "replicas": 0, "max_replicas": 0}
        return [release.image_id, release.process_type, release.variables, configured]

    is_configured = starting.cause == Cause.CONFIGURED
    return is_configured and all_but_replicas(live) == all_but_replicas(starting)


def _switch(starting: Release, *, now: datetime, handed_on: Sequence[Replica] = ()) -> None:
    with transaction.atomic():
        if not go_live(starting, at=now):
            return
        Replica.objects.filter(pk__in=[each.pk for each in handed_on]).update(release=starting)
    for replica in handed_on:
        replica.release = starting


def _tail(replica: Replica, variables: Sequence[Variable], *, engine: WebserviceEngine) -> str:
    data, _start = engine.logs(replica.order(variables), since=-LOG_TAIL, limit=LOG_TAIL)
    redactor = Redactor(each.value for each in variables if each.is_secret)
    return redactor.clean(data).decode("utf-8", "replace")


def _why(crashed: Replica | None, own: Sequence[Replica], live: Release | None) -> str:
    if crashed:
        parts = [
            _("The process ended %(times)d times, the last time with exit code %(code)s.")
            % {"times": crashed.restarts, "code": crashed.exit_code}
        ]
    else:
        parts = [
            _("It did not get healthy within %(seconds)d s.")
            % {"seconds": settings.WEBSERVICE_START_LIMIT}
        ]
        answers = [each.probe_answer for each in own if each.probe_answer and not each.probe_ok]
        parts += [
            _("Its last health check said: %(answer)s.") % {"answer": answers[0].rstrip(".")}
            for _each in answers[:1]
        ]
    parts.append(_("The end of its output is below."))
    if live:
        parts.append(_("Release %(number)d goes on serving.") % {"number": live.number})
    return " ".join(parts)


def _run(
    webservice: Webservice,
    release: Release,
    replicas: list[Replica],
    variables: Sequence[Variable],
    *,
    engine: WebserviceEngine,
) -> bool:
    """Have every wanted replica of a release run; True if one had to be started."""
    own = {each.index: each for each in _of(release, replicas)}
    has_started = False
    for index in range(release.replicas):
        replica = own.get(index)
        if replica is None:
            replica = add_replica(release, index)
            replicas.append(replica)
        if replica.phase == Phase.MISSING:
            replica.release = release
            release.webservice = webservice
            engine.submit(replica.order(variables))
            has_started = True
    return has_started


def _lead_requests(
    webservice: Webservice,
    live: Release | None,
    replicas: Sequence[Replica],
    *,
    engine: WebserviceEngine,
) -> None:
    """Route to the healthy replicas of the live release; to all of them if none is healthy."""
    wanted = [each for each in _of(live, replicas) if live and each.index < live.replicas]
    healthy = [each for each in wanted if each.phase == Phase.HEALTHY]
    ports = sorted(each.port for each in healthy or wanted if each.port)
    if ports != webservice.routed_ports:
        before, same = webservice.routed_ports, Webservice.objects.filter(pk=webservice.pk)
        same.update(routed_ports=ports)
        try:
            engine.route(Webservice.objects.routes())
        except EngineError:
            same.update(routed_ports=before)
            raise
        webservice.routed_ports = ports


def _remove_unwanted(
    webservice: Webservice,
    wanted_releases: Sequence[Release | None],
    replicas: Sequence[Replica],
    variables: Sequence[Variable],
    *,
    engine: WebserviceEngine,
    now: datetime,
) -> bool:
    """End replicas that nothing asks for, once requests under way had time; True if any is left."""
    wanted = {each.pk: each.replicas for each in wanted_releases if each}
    unwanted = [each for each in replicas if each.index >= wanted.get(each.release_id, 0)]
    # Read again: this look itself may have ended a release.
    releases = Release.objects.in_bulk({each.release_id for each in unwanted})
    for replica in unwanted:
        is_draining = _is_draining(releases[replica.release_id], now)
        if replica.port in webservice.routed_ports or is_draining:
            continue
        engine.remove(replica.order(variables))
        if engine.observe(replica.order(variables)).phase is Phase.MISSING:
            replica.delete()
    return bool(unwanted)


def _is_draining(release: Release, now: datetime) -> bool:
    if release.reason_code != Reason.REPLACED or not release.live_at or not release.ended_at:
        return False
    return now < release.ended_at + timedelta(seconds=settings.WEBSERVICE_DRAIN_SECONDS)


def _move(
    webservice: Webservice,
    starting: Release | None,
    live: Release | None,
    replicas: Sequence[Replica],
    *,
    now: datetime,
) -> None:
    status, code, reason = _status(webservice, starting, live, replicas)
    if status != webservice.status:
        webservice.move_to(status, at=now, reason_code=code, reason=reason)


def _status(
    webservice: Webservice,
    starting: Release | None,
    live: Release | None,
    replicas: Sequence[Replica],
) -> tuple[Status, str, str]:
    if not webservice.is_wanted:
        left = Replica.objects.filter(release__webservice=webservice).exists()
        return (Status.STOPPING if left else Status.STOPPED), "", ""
    if live:
        return _status_of_live(live, _of(live, replicas))
    failed = None if starting else webservice.failed
    if failed:
        return Status.FAILED, failed.reason_code, failed.reason
    return Status.STARTING, "", ""


def _status_of_live(live: Release, replicas: Sequence[Replica]) -> tuple[Status, str, str]:
    ill = [each for each in replicas if each.phase != Phase.HEALTHY]
    if not ill:
        return Status.RUNNING, "", ""
    reason = _("%(ill)d of %(all)d replicas are not healthy. %(answer)s") % {
        "ill": len(ill),
        "all": live.replicas,
        "answer": next((each.probe_answer for each in ill if each.probe_answer), ""),
    }
    return Status.DEGRADED, Reason.UNHEALTHY, reason
