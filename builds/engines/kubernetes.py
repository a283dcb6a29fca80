"""Builds in a cluster: a Tekton PipelineRun per build, which runs the upstream lifecycle."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from builds.engines.base import (
    BuiltImage,
    EngineError,
    Observation,
    Order,
    OrderRefused,
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
from builds.engines.verdict import (
    Seen,
    Verdict,
    condition,
    failure,
    hopeless,
    is_done,
    time,
)
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
    is_ours,
)
from portal.cluster.home import build_namespace_of
from portal.cluster.kinds import NAMESPACE, PIPELINE_RUN, POD, SECRET, TASK_RUN
from portal.registry import Registry

Clock = Callable[[], datetime]
STEP = "step-"


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
        # Of containers that ended: how many bytes they printed. (pod's uid, container)
        self._lengths: dict[tuple[str, str], int] = {}
        # Builds that printed more than they may.
        self._too_loud: set[str] = set()
        # The pod of a build as the last look saw it, for the log that is read after it.
        self._pods: dict[str, Manifest] = {}

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
        """The place is made when it turns out to be missing: it is there all but once."""
        try:
            self._create_run(order)
        except Absent:
            for manifest in place(replace(self._settings.home, tool=order.tool)):
                self._cluster.apply(manifest)
            self._create_run(order)

    def _create_run(self, order: Order) -> None:
        name = build_namespace_of(order.tool)
        home = self._cluster.get(NAMESPACE, name)
        if home is None:
            raise Absent(name)
        if not is_ours(home):
            raise ForeignObject(
                f"Namespace {name} is there already and is not the portal's, so nothing was put "
                "into it. Tell the platform's operators."
            )
        for secret in variables(order, self._settings):
            self._cluster.create(secret)
        self._cluster.create(pipeline_run(order, self._settings))

    def observe(self, order: Order) -> Observation:
        try:
            seen = self._look(order)
        except ClusterError as error:
            raise EngineError(str(error)) from error
        if not seen.run:
            return Observation(Phase.RUNNING if seen.pod else Phase.MISSING)
        commit = _result(seen.run, "commit") or _result(seen.task, "commit")
        steps = _steps(seen.task)
        status = condition(seen.run).get("status")
        if status == "True":
            image = self._image(order, _result(seen.run, "digest"))
            return Observation(Phase.SUCCEEDED, commit=commit, steps=steps, image=image)
        verdict = failure(seen) if status == "False" else hopeless(seen)
        if order.name in self._too_loud and not is_done(seen.run):
            verdict = self._loud()
        if verdict is None:
            return Observation(Phase.RUNNING, commit=commit, steps=steps)
        return Observation(
            Phase.FAILED, str(verdict.code), verdict.sentence, commit=commit, steps=steps
        )

    def _loud(self) -> Verdict:
        size = self._settings.log_bytes // 1024**2
        return Verdict(
            Reason.LOG_TOO_LARGE,
            f"A step printed more than {size} MiB. Have the build print less.",
        )

    def _look(self, order: Order) -> Seen:
        namespace = build_namespace_of(order.tool)
        run = self._run(order) or {}
        task: Manifest = {}
        if run:
            labels = {RUN_LABEL: order.name}
            tasks = self._cluster.list(TASK_RUN, namespace=namespace, labels=labels).items
            task = tasks[0] if tasks else {}
        pod = self._pod(order, is_alive=not run) or {}
        self._pods[order.name] = pod
        return Seen(
            run=run,
            task=task,
            pod=pod,
            now=self._clock(),
            pending_limit=self._settings.pending_limit,
        )

    def _run(self, order: Order) -> Manifest | None:
        """Somebody else's of the same name is none."""
        run = self._cluster.get(PIPELINE_RUN, order.name, namespace=build_namespace_of(order.tool))
        return run if run and is_ours(run) else None

    def _pod(self, order: Order, *, is_alive: bool = False) -> Manifest | None:
        """The build's pod; with `is_alive` only one that did not end yet."""
        pods = self._cluster.list(
            POD, namespace=build_namespace_of(order.tool), labels={RUN_LABEL: order.name}
        ).items
        return next((pod for pod in pods if not is_alive or not _has_ended(pod)), None)

    def _image(self, order: Order, digest: str) -> BuiltImage:
        settings = self._settings
        host, _, repository = repository_of(order, settings).partition("/")
        registry = Registry(host, settings.registry_is_insecure, settings.home.push_credentials)
        return describe(registry, repository, digest)

    def logs(self, order: Order, *, since: int, limit: int) -> bytes:
        """The output of the steps, one after the other, as if it were one file."""
        try:
            pod = self._pods.pop(order.name, None) or self._pod(order)
            return self._read(order, pod, since=since, limit=limit) if pod else b""
        except ClusterError as error:
            raise EngineError(str(error)) from error

    def _read(self, order: Order, pod: Manifest, *, since: int, limit: int) -> bytes:
        start, found = 0, bytearray()
        for name, state in _step_states(pod):
            known = self._lengths.get((pod["metadata"]["uid"], name))
            if known is not None and start + known <= since:
                start += known
                continue
            if not state.get("running") and not state.get("terminated"):
                break
            data = self._printed(order, pod, name, has_ended=bool(state.get("terminated")))
            found += data[max(0, since - start) :]
            start += len(data)
            if len(found) >= limit or not state.get("terminated"):
                break
        return bytes(found[:limit])

    def _printed(self, order: Order, pod: Manifest, name: str, *, has_ended: bool) -> bytes:
        """Everything that a step printed so far; a last line that has no end gets one."""
        metadata, most = pod["metadata"], self._settings.log_bytes
        data = self._cluster.logs(
            metadata["name"], name, namespace=metadata["namespace"], limit=most
        )
        if len(data) >= most:
            self._too_loud.add(order.name)
        if has_ended:
            if data and not data.endswith(b"\n"):
                data += b"\n"
            self._lengths[metadata["uid"], name] = len(data)
        return data

    def remove(self, order: Order) -> None:
        """A run under way is cancelled; one that is over goes, with its pods and variables."""
        namespace = build_namespace_of(order.tool)
        try:
            run = self._run(order)
            if run and not is_done(run):
                self._cancel(run)
            elif not self._pod(order, is_alive=True):
                if run:
                    self._cluster.delete(PIPELINE_RUN, order.name, namespace=namespace)
                labels = {OWNER_LABEL: MANAGER, BUILD_LABEL: order.name}
                for secret in self._cluster.list(SECRET, namespace=namespace, labels=labels).items:
                    name = secret["metadata"]["name"]
                    self._cluster.delete(SECRET, name, namespace=namespace)
                self._too_loud.discard(order.name)
                self._pods.pop(order.name, None)
        except Absent:
            return
        except ClusterError as error:
            raise EngineError(str(error)) from error

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


def _has_ended(pod: Manifest) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _result(run: Mapping[str, Any], name: str) -> str:
    results = (run.get("status") or {}).get("results") or []
    return next((str(each["value"]).strip() for each in results if each["name"] == name), "")


def _step_states(pod: Manifest) -> list[tuple[str, Mapping[str, Any]]]:
    """The containers of the steps in their order, and how each stands."""
    statuses = {
        each["name"]: each.get("state") or {}
        for each in (pod.get("status") or {}).get("containerStatuses") or []
    }
    names = [each["name"] for each in pod["spec"]["containers"]]
    return [(name, statuses.get(name, {})) for name in names if name.startswith(STEP)]


def _steps(task: Mapping[str, Any]) -> tuple[Step, ...]:
    """The steps that began; each begins when the one before it ended."""
    steps: list[Step] = []
    begun: datetime | None = None
    for each in (task.get("status") or {}).get("steps") or []:
        running, ended = each.get("running") or {}, each.get("terminated") or {}
        started = ended.get("startedAt") or running.get("startedAt")
        if each.get("terminationReason") == "Skipped" or not started:
            break
        begins = max(filter(None, (begun, time(started))))
        begun = time(ended["finishedAt"]) if ended.get("finishedAt") else None
        name = each["name"]
        if begun is None:
            steps.append(Step(name, begins))
            break
        steps.append(Step(name, min(begins, begun), begun, ended.get("exitCode", 0) == 0))
    return tuple(steps)
