"""One step towards what a build's row asks for, from whatever the engine shows.

Each call looks once, makes at most one move and says when to look again. Calling it again at any
time, from anywhere, is safe; nothing is remembered between calls but the rows.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from builds import logs
from builds.admission import admit, waits_since
from builds.engines.base import (
    BuildEngine,
    BuiltImage,
    Observation,
    Order,
    OrderRefused,
    Phase,
    Step,
)
from builds.models import Build, BuildCache, Image
from builds.states import Reason, Status
from portal.redaction import Redactor
from portal.tools.operations import Variable, record_event, seal, unseal, variables_for

# How long until the next look while it waits for its turn; the engine says how long otherwise.
QUEUED = timedelta(seconds=2)
# Looks at one call, so that a flood of output is taken over quickly but the task stays short.
READS_AT_ONCE = 8
# How Harbor refuses what is more than a project may hold, and within how many bytes from the end.
FULL, LAST_WORDS = b"will exceed the configured upper limit", 4096
# How long until the next look at a build that a watcher follows: it tells of every change.
FOLLOWED = timedelta(minutes=5)


def reconcile(build: Build, *, engine: BuildEngine, now: datetime) -> timedelta | None:
    """Take one step; the time until the next is due, or None when nothing is left to do.

    Raises EngineError when the engine cannot be asked; looking again later is right then.
    """
    variables = _variables(build)
    order = build.order({each.name: each.value for each in variables})
    if build.is_final:
        return _clean_up(build, order, engine=engine)
    if build.status == Status.QUEUED and not build.stop_as:
        return _start(build, order, variables, engine=engine, now=now)
    secrets = _secrets(build, variables)
    if build.stop_as:
        return _stop(build, order, secrets, engine=engine, now=now)
    return _follow(build, order, secrets, engine=engine, now=now)


def secrets_of(build: Build) -> list[str]:
    """What is not to be seen in its log."""
    return _secrets(build, _variables(build))


def _secrets(build: Build, variables: Sequence[Variable]) -> list[str]:
    return [*(each.value for each in variables if each.is_secret), *build.own_variables.values()]


def _variables(build: Build) -> list[Variable]:
    """Those that the build was started with, or those of today while it has not started."""
    if build.sealed_variables:
        return unseal(bytes(build.sealed_variables))
    return variables_for(build.tool, phase="build")


def _start(
    build: Build,
    order: Order,
    variables: Sequence[Variable],
    *,
    engine: BuildEngine,
    now: datetime,
) -> timedelta | None:
    limit = timedelta(seconds=settings.BUILD_QUEUED_LIMIT)
    if now - build.created_at > limit and now - waits_since(build, now=now) > limit:
        reason = _("It waited longer than %(seconds)d s for its turn. Start it again later.")
        build.ask_to_stop(
            Status.TIMED_OUT,
            reason_code=Reason.QUEUE_TIMED_OUT,
            reason=reason % {"seconds": settings.BUILD_QUEUED_LIMIT},
            at=now,
        )
        return timedelta(0)
    if not admit(build, now=now, sealed_variables=seal(variables)):
        return QUEUED
    return _submit(build, order, engine=engine, now=now)


def _submit(build: Build, order: Order, *, engine: BuildEngine, now: datetime) -> timedelta:
    try:
        engine.submit(order)
    except OrderRefused as refused:
        end_build(build, Status.FAILED, now=now, reason_code=refused.code, reason=refused.reason)
        return timedelta(0)
    return engine.pace.lively


def _follow(
    build: Build, order: Order, secrets: Sequence[str], *, engine: BuildEngine, now: datetime
) -> timedelta | None:
    seen = engine.observe(order)
    if seen.phase is Phase.MISSING:
        # Whatever it printed is gone as well: it begins again.
        Build.objects.filter(pk=build.pk).update(log_source_offset=0, log_cut=False)
        return _submit(build, order, engine=engine, now=now)
    is_over = seen.phase is not Phase.RUNNING
    is_followed = build.is_followed_at(now) and not is_over
    has_more = not is_followed and _take_logs(
        build, order, secrets, engine=engine, now=now, is_last=is_over
    )
    _note_progress(build, seen)
    if has_more:
        return timedelta(0)
    if is_over:
        return _finish(build, _redacted(seen, secrets), now=now)
    if _is_past_deadline(build, now) or _is_too_loud(build, engine.output_limit, now):
        return timedelta(0)
    return _pause(build, seen, is_followed=is_followed, engine=engine, now=now)


def _pause(
    build: Build, seen: Observation, *, is_followed: bool, engine: BuildEngine, now: datetime
) -> timedelta:
    """Until the next look: where a watcher tells of changes only limits have to be noticed."""
    if is_followed and seen.steps:
        return min(FOLLOWED, *(limit for limit, _code, _text in _limits(build, now)))
    if engine.pace.longest and not seen.steps and build.is_watched_at(now):
        return engine.pace.longest
    heard = build.last_output_at or build.started_at or now
    return engine.pace.after(now - heard)


def _take_logs(
    build: Build,
    order: Order,
    secrets: Sequence[str],
    *,
    engine: BuildEngine,
    now: datetime,
    is_last: bool,
) -> bool:
    """Take over new output; True when there is more than one look takes."""
    for _number in range(READS_AT_ONCE):
        output = engine.logs(order, since=build.log_source_offset, limit=logs.READ_LIMIT)
        raw, until = output.data, output.until
        is_rest = len(raw) < logs.READ_LIMIT
        ends = is_last and is_rest
        if not logs.append(build, raw, secrets=secrets, at=now, is_last=ends, until=until):
            return bool(raw) and logs.was_overtaken(build)
        if is_rest:
            return False
    return True


def _note_progress(build: Build, seen: Observation) -> None:
    changes: dict[str, object] = {}
    steps = [_step_as_json(step) for step in seen.steps]
    if steps != build.steps:
        changes["steps"] = steps
    if seen.commit and not build.commit:
        changes["commit"] = seen.commit
    if changes:
        Build.objects.filter(pk=build.pk).update(**changes)
        for name, value in changes.items():
            setattr(build, name, value)


def _step_as_json(step: Step) -> dict[str, object]:
    return {
        "name": step.name,
        "started_at": step.started_at.isoformat(),
        "finished_at": step.finished_at.isoformat() if step.finished_at else None,
        "succeeded": step.succeeded,
    }


def _finish(build: Build, seen: Observation, *, now: datetime) -> timedelta:
    if seen.phase is Phase.SUCCEEDED and seen.image:
        _succeed(build, seen.image, now=now)
    elif seen.phase is Phase.LOST:
        reason = _(
            "The build's process ended without a result: the machine restarted, or it was killed. "
            "Nothing is wrong with your code; start the build again."
        )
        end_build(build, Status.FAILED, now=now, reason_code=Reason.ENGINE_LOST, reason=reason)
    elif seen.reason_code == Reason.EXPORT_FAILED and _is_full(build):
        reason = _(
            "The tool's place in the registry is full. Let go of releases whose images are kept, "
            "or ask for more storage on the tool's page Quotas; then start the build again."
        )
        end_build(build, Status.FAILED, now=now, reason_code=Reason.REGISTRY_FULL, reason=reason)
    else:
        code = seen.reason_code or Reason.ENGINE_ERROR
        status = Status.TIMED_OUT if code == Reason.TIMED_OUT else Status.FAILED
        end_build(build, status, now=now, reason_code=code, reason=seen.reason)
    return timedelta(0)


def _is_full(build: Build) -> bool:
    return FULL in logs.read(build, offset=max(0, build.log_size - LAST_WORDS), limit=LAST_WORDS)


def _succeed(build: Build, made: BuiltImage, *, now: datetime) -> None:
    with transaction.atomic():
        if not end_build(build, Status.SUCCEEDED, now=now):
            return
        Image.objects.create(
            tool=build.tool,
            build=build,
            digest=made.digest,
            reference=made.reference,
            size=made.size,
            processes={name: list(command) for name, command in made.processes.items()},
            default_process=made.default_process,
            buildpacks=list(made.buildpacks),
            run_image=made.run_image,
            created_at=now,
        )
        BuildCache.objects.update_or_create(
            tool=build.tool, defaults={"size": made.cache_size, "measured_at": now}
        )


def _redacted(seen: Observation, secrets: Sequence[str]) -> Observation:
    """Reasons and command lines may quote what a buildpack wrote."""
    redactor = Redactor(secrets)
    image = seen.image
    if image:
        processes = {
            kind: tuple(map(redactor.text, line)) for kind, line in image.processes.items()
        }
        image = replace(image, processes=processes)
    return replace(seen, reason=redactor.text(seen.reason), image=image)


def _limits(build: Build, now: datetime) -> list[tuple[timedelta, Reason, str]]:
    """How much time is left of each limit, and why it ends when none is."""
    started = build.started_at or build.created_at
    heard = build.last_output_at or started
    running, silent = settings.BUILD_RUNNING_LIMIT, settings.BUILD_SILENT_LIMIT
    long = _("It ran longer than %(seconds)d s. See in the log what took so long.")
    stuck = _("It printed nothing for %(seconds)d s, so it was taken for stuck.")
    return [
        (started + timedelta(seconds=running) - now, Reason.TIMED_OUT, long % {"seconds": running}),
        (heard + timedelta(seconds=silent) - now, Reason.SILENT, stuck % {"seconds": silent}),
    ]


def _is_past_deadline(build: Build, now: datetime) -> bool:
    """Ask an overdue build to stop, with the reason; True if it is overdue."""
    for left, code, reason in _limits(build, now):
        if left < timedelta(0):
            build.ask_to_stop(Status.TIMED_OUT, reason_code=code, reason=reason, at=now)
            return True
    return False


def _is_too_loud(build: Build, limit: int | None, now: datetime) -> bool:
    """Ask a build that printed too much to stop; True if it did."""
    if limit is None or build.log_size < limit:
        return False
    reason = _("It printed more than %(size)d MiB. Have the build print less.")
    build.ask_to_stop(
        Status.FAILED,
        reason_code=Reason.LOG_TOO_LARGE,
        reason=reason % {"size": limit // 1024**2},
        at=now,
    )
    return True


def _stop(
    build: Build, order: Order, secrets: Sequence[str], *, engine: BuildEngine, now: datetime
) -> timedelta:
    """Keep the output, have the processes ended, and move only when they are gone."""
    seen = engine.observe(order)
    if seen.phase is not Phase.MISSING:
        _take_logs(build, order, secrets, engine=engine, now=now, is_last=True)
        _note_progress(build, seen)
        if not engine.remove(order):
            return engine.pace.lively
    end_build(
        build,
        Status(build.stop_as),
        now=now,
        reason_code=build.stop_reason_code,
        reason=build.stop_reason,
    )
    return timedelta(0)


def end_build(
    build: Build, status: Status, *, now: datetime, reason_code: str = "", reason: str = ""
) -> bool:
    """End the build, with a row in the tool's history."""
    actor = build.stop_asked_by if status == Status.CANCELLED else None
    with transaction.atomic():
        moved = build.move_to(
            status, at=now, by=actor, reason_code=reason_code, reason=reason, finished_at=now
        )
        if moved:
            record_event(
                build.tool,
                by=actor,
                action=f"build.{status}",
                summary=f"{build.name}: {reason}" if reason else build.name,
                after={"status": str(status), "reason_code": str(reason_code)},
                at=now,
            )
    return moved


def _clean_up(build: Build, order: Order, *, engine: BuildEngine) -> timedelta | None:
    logs.archive(build)
    if not engine.remove(order):
        return engine.pace.quiet
    Build.objects.filter(pk=build.pk).update(sealed_variables=None)
    return None
