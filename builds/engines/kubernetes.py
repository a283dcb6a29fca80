"""Builds in a cluster: a Tekton PipelineRun per build, which runs the upstream lifecycle."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from builds.engines.base import (
    BuiltImage,
    EngineError,
    Observation,
    Order,
    OrderRefused,
    Output,
    Pace,
    Phase,
    Step,
)
from builds.engines.pipeline import (
    BUILD_LABEL,
    RUN_LABEL,
    BuildSettings,
    pipeline_run,
    place,
    repository_of,
    variables,
)
from builds.engines.registry import describe
from builds.engines.verdict import Seen, failure, hopeless, is_done, outcome, time
from builds.lifecycle.source import SourceRefused, SourceRules, check_source_url
from builds.states import Reason
from portal.cluster.base import (
    MANAGER,
    OWNER_LABEL,
    Absent,
    Cluster,
    ClusterError,
    ClusterRefused,
    ForeignObject,
    Manifest,
    below,
    has_ended,
    is_ours,
)
from portal.cluster.home import build_namespace_of
from portal.cluster.kinds import NAMESPACE, PIPELINE_RUN, POD, SECRET, TASK_RUN, kind_of
from portal.cluster.stamps import second_of, stamped_lines
from portal.registry import Registry

Clock = Callable[[], datetime]
STEP = "step-"
# Bytes of a container's output, with the times of its lines, that are read at once: more than a
# kubelet keeps in one file, as installed.
READ_LIMIT = 32 * 1024**2
# Bytes of a line that are held while its end has not come.
HELD = 128 * 1024


@dataclass(frozen=True)
class Source:
    """The container of a step."""

    task: str  # the uid: the same names may come again
    namespace: str
    pod: str
    container: str
    has_ended: bool


def _now() -> datetime:
    return datetime.now(UTC)


class KubernetesBuildEngine:
    """A BuildEngine. What it keeps between calls only saves requests; the cluster has the truth."""

    # A change in the cluster wakes the build's row by itself; these looks fetch its output.
    pace = Pace(
        lively=timedelta(seconds=1), quiet=timedelta(seconds=5), longest=timedelta(seconds=20)
    )

    def __init__(self, cluster: Cluster, settings: BuildSettings, *, clock: Clock = _now) -> None:
        self._cluster = cluster
        self._settings = settings
        self._clock = clock
        # Of containers that ended: the time of the last line. (the task's uid, container)
        self._ends: dict[tuple[str, str], int] = {}
        # The task of a build as the last look saw it, for the log that is read after it.
        self._tasks: dict[str, Manifest] = {}

    @property
    def output_limit(self) -> int:
        return self._settings.log_bytes

    def submit(self, order: Order) -> None:
        rules = SourceRules(self._settings.allowed_hosts, self._settings.trusted_prefixes)
        try:
            check_source_url(order.source_url, rules=rules)
            self._create(order)
        except SourceRefused as refused:
            raise OrderRefused(str(refused), code=Reason.SOURCE_REFUSED) from refused
        except ForeignObject as foreign:
            raise OrderRefused(str(foreign), code=Reason.ENGINE_ERROR) from foreign
        except ClusterRefused as refused:
            raise _refusal(refused) from refused
        except ClusterError as error:
            raise EngineError(str(error)) from error

    def _create(self, order: Order) -> None:
        self._make_place(order)
        for secret in variables(order, self._settings):
            self._cluster.create(secret)
        self._cluster.create(pipeline_run(order, self._settings))

    def _make_place(self, order: Order) -> None:
        """Variables go only where nobody else reads them. Raises ForeignObject."""
        name = build_namespace_of(order.tool)
        parts = place(replace(self._settings.home, tool=order.tool))
        there = self._cluster.get(NAMESPACE, name)
        if there and not is_ours(there):
            raise ForeignObject(
                f"Namespace {name} is there already and is not the portal's, so nothing was put "
                "into it. Tell the platform's operators."
            )
        # The last part is there only if nobody was ended while making the others.
        last = parts[-1]
        if there and self._cluster.get(kind_of(last), last["metadata"]["name"], namespace=name):
            return
        for part in parts:
            self._cluster.apply(part, there=None if there else {})

    def observe(self, order: Order) -> Observation:
        try:
            seen = self._look(order)
        except ClusterError as error:
            raise EngineError(str(error)) from error
        if not seen.run:
            return Observation(Phase.RUNNING if seen.pod else Phase.MISSING)
        commit = _result(seen.run, "commit") or _result(seen.task, "commit")
        steps = _steps(seen.task)
        status = outcome(seen.run).get("status")
        if status == "True":
            image = self._image(order, _result(seen.run, "digest"))
            return Observation(Phase.SUCCEEDED, commit=commit, steps=steps, image=image)
        verdict = failure(seen) if status == "False" else hopeless(seen)
        if verdict is None:
            return Observation(Phase.RUNNING, commit=commit, steps=steps)
        return Observation(
            Phase.FAILED, str(verdict.code), verdict.sentence, commit=commit, steps=steps
        )

    def _look(self, order: Order) -> Seen:
        run = self._run(order) or {}
        task = self._task(run)
        self._tasks[order.name] = task
        return Seen(
            run=run,
            task=task,
            pod=self._pod(order, run, task) or {},
            now=self._clock(),
            pending_limit=self._settings.pending_limit,
        )

    def _task(self, run: Manifest) -> Manifest:
        """The run has one task; {} before it is made."""
        children = below(run, "status").get("childReferences") or []
        name = next((each["name"] for each in children if each["kind"] == TASK_RUN.name), "")
        if not name:
            return {}
        return self._cluster.get(TASK_RUN, name, namespace=run["metadata"]["namespace"]) or {}

    def _pod(self, order: Order, run: Manifest, task: Manifest) -> Manifest | None:
        """Only where it may say more than its task: it waits, it failed, or nothing else is left.

        Without the run, only one that did not end yet.
        """
        if not run:
            return self._living_pod(order)
        name = below(task, "status").get("podName")
        has_failed = outcome(run).get("status") == "False"
        if not name or (_has_begun(task) and not has_failed):
            return None
        return self._cluster.get(POD, name, namespace=build_namespace_of(order.tool))

    def _run(self, order: Order) -> Manifest | None:
        """Somebody else's of the same name is none."""
        run = self._cluster.get(PIPELINE_RUN, order.name, namespace=build_namespace_of(order.tool))
        return run if run and is_ours(run) else None

    def _living_pod(self, order: Order) -> Manifest | None:
        """One that did not end yet. Where the run is gone, its name is not known."""
        pods = self._cluster.list(
            POD, namespace=build_namespace_of(order.tool), labels={RUN_LABEL: order.name}
        ).items
        return next((pod for pod in pods if not has_ended(pod)), None)

    def _image(self, order: Order, digest: str) -> BuiltImage:
        settings = self._settings
        host, _, repository = repository_of(order, settings).partition("/")
        registry = Registry(host, settings.registry_is_insecure, settings.home.push_credentials)
        return describe(registry, repository, digest)

    def logs(self, order: Order, *, since: int, limit: int) -> Output:
        """The lines of the steps, one step after the other, from a time on in nanoseconds.

        A log that was rotated still has the lines after that time that the kubelet keeps.
        """
        found, until = bytearray(), since
        try:
            task = self._tasks.pop(order.name, None) or self._task(self._run(order) or {})
            for time, line in self._lines(order, task, after=since):
                found += line
                until = time
                if len(found) >= limit:
                    break
        except ClusterError as error:
            raise EngineError(str(error)) from error
        return Output(bytes(found), until)

    def _lines(self, order: Order, task: Manifest, *, after: int) -> Iterator[tuple[int, bytes]]:
        for source in self._unread(order, task, after=after):
            raw = self._cluster.logs(
                source.pod,
                source.container,
                namespace=source.namespace,
                limit=READ_LIMIT,
                since=second_of(after),
                is_stamped=True,
            )
            lines = stamped_lines(raw, after=after, with_rest=source.has_ended)
            self._note_end(source, lines[-1][0] if lines else 0)
            yield from lines

    def _unread(self, order: Order, task: Manifest, *, after: int) -> Iterator[Source]:
        """The steps of which something may be new, up to the one that runs."""
        status = below(task, "status")
        for step in status.get("steps") or []:
            source = Source(
                task=str(task["metadata"].get("uid")),
                namespace=build_namespace_of(order.tool),
                pod=status.get("podName", ""),
                container=step.get("container", STEP + step["name"]),
                has_ended=bool(step.get("terminated")),
            )
            is_read = self._ends.get((source.task, source.container), after + 1) <= after
            if is_read or step.get("terminationReason") == "Skipped":
                continue
            if not source.has_ended and not step.get("running"):
                return
            yield source
            if not source.has_ended:
                return

    def _note_end(self, source: Source, time: int) -> None:
        """The last line of a step that ended: whoever goes on after it need not read it again."""
        if source.has_ended:
            self._ends[source.task, source.container] = time

    def follow(self, order: Order, *, since: int) -> Iterator[Output]:
        """Lines as the steps print them, from a time on, until a step ends or a connection does.

        Then ask again; a step that ended is read to its end before the next. Raises EngineError.
        """
        try:
            for source in self._unread(order, self._task(self._run(order) or {}), after=since):
                last = 0
                for output in self._followed(source, after=since):
                    yield output
                    since = last = output.until or 0
                self._note_end(source, last)
        except ClusterError as error:
            raise EngineError(str(error)) from error

    def _followed(self, source: Source, *, after: int) -> Iterator[Output]:
        parts = self._cluster.follow(
            source.pod, source.container, namespace=source.namespace, since=second_of(after)
        )
        rest = b""
        for part in parts:
            whole, newline, rest = (rest + part).rpartition(b"\n")
            # Of a line that does not end the log keeps less.
            rest = rest[:HELD]
            yield from _output(stamped_lines(whole + newline, after=after))
        if source.has_ended:
            yield from _output(stamped_lines(rest, after=after, with_rest=True))

    def remove(self, order: Order) -> bool:
        """A run under way is cancelled; one that is over goes, with its pods and variables."""
        try:
            run = self._run(order)
            if run and not is_done(run):
                self._cancel(run)
                return False
            if self._living_pod(order):
                return False
            self._delete(order, run)
        except Absent:
            return True
        except ClusterError as error:
            raise EngineError(str(error)) from error
        return True

    def _delete(self, order: Order, run: Manifest | None) -> None:
        namespace = build_namespace_of(order.tool)
        if run:
            self._cluster.delete(PIPELINE_RUN, order.name, namespace=namespace)
        labels = {OWNER_LABEL: MANAGER, BUILD_LABEL: order.name}
        for secret in self._cluster.list(SECRET, namespace=namespace, labels=labels).items:
            self._cluster.delete(SECRET, secret["metadata"]["name"], namespace=namespace)
        self._tasks.pop(order.name, None)

    def _cancel(self, run: Manifest) -> None:
        metadata = run["metadata"]
        if run["spec"].get("status") != "Cancelled":
            changes = {"spec": {"status": "Cancelled"}}
            self._cluster.merge(
                PIPELINE_RUN, metadata["name"], changes, namespace=metadata["namespace"]
            )


def _refusal(refused: ClusterRefused) -> EngineError:
    """A quota and an admission rule refuse for good."""
    said = str(refused)
    if "exceeded quota" in said:
        return OrderRefused(
            "The tool's builds use all that they may have in the cluster. Wait for the others to "
            f"end, or ask for more. The cluster said: {said}",
            code=Reason.QUOTA_EXCEEDED,
        )
    return OrderRefused(
        f"The cluster refused the build; tell the platform's operators. It said: {said}",
        code=Reason.ADMISSION_REFUSED,
    )


def _output(lines: Sequence[tuple[int, bytes]]) -> Iterator[Output]:
    if lines:
        yield Output(b"".join(line for _time, line in lines), lines[-1][0])


def _has_begun(task: Manifest) -> bool:
    steps = below(task, "status").get("steps") or []
    return any(each.get("running") or each.get("terminated") for each in steps)


def _result(run: Manifest, name: str) -> str:
    results = below(run, "status").get("results") or []
    return next((str(each["value"]).strip() for each in results if each["name"] == name), "")


def _steps(task: Manifest) -> tuple[Step, ...]:
    """The steps that began; each begins when the one before it ended."""
    steps: list[Step] = []
    ended: datetime | None = None
    for each in below(task, "status").get("steps") or []:
        name, state = each["name"], each.get("terminated") or each.get("running") or {}
        if each.get("terminationReason") == "Skipped" or not state.get("startedAt"):
            break
        begun = max(filter(None, (ended, time(state["startedAt"]))))
        if not state.get("finishedAt"):
            steps.append(Step(name, begun))
            break
        ended = time(state["finishedAt"])
        steps.append(Step(name, min(begun, ended), ended, state.get("exitCode", 0) == 0))
    return tuple(steps)
