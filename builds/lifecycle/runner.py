"""The process of one build: `python -m builds.lifecycle.runner DIRECTORY LOCK`.

It is nobody's child for long: the portal may end and start again while it works. What it has to say
stands in its directory, see builds.lifecycle.work. Killing it ends everything that it started.
"""

import errno
import os
import shutil
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from builds.lifecycle.build import Builder, Built
from builds.lifecycle.buildpack import host_target, load_order
from builds.lifecycle.cache import Cache
from builds.lifecycle.cgroups import Cgroup
from builds.lifecycle.detect import Detected, Detector, Settings
from builds.lifecycle.errors import (
    BUILD_ERROR,
    BUILDPACK_FAILED,
    DETECT_ERROR,
    EXPORT_ERROR,
    NOTHING_DETECTED,
    LifecycleError,
)
from builds.lifecycle.execute import SandboxExecutor, Stopped
from builds.lifecycle.export import Exported, Exporter, Source
from builds.lifecycle.fetch import SOURCE, Fetcher, take_subdirectory
from builds.lifecycle.layout import LAYERS, PLANS, PLATFORM, WORKSPACE, Layout
from builds.lifecycle.oci import ImageStore
from builds.lifecycle.sandbox import DEFAULT_PATH, HOME, Bind, Sandbox, uid_of
from builds.lifecycle.source import SourceRules
from builds.lifecycle.work import Work
from builds.states import Reason

REASONS = {
    NOTHING_DETECTED: Reason.NOTHING_DETECTED,
    DETECT_ERROR: Reason.DETECT_ERROR,
    BUILDPACK_FAILED: Reason.BUILD_FAILED,
    BUILD_ERROR: Reason.INVALID_BUILDPACK_OUTPUT,
    EXPORT_ERROR: Reason.EXPORT_FAILED,
}


class Run:
    """One build, step by step."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.task = work.read_task()
        self.status: dict[str, Any] = {"pid": os.getpid(), "steps": []}
        self.layout = Layout(work.root)
        self.log = open(work.log, "ab", buffering=0)  # noqa: SIM115 - it is open until the end
        limits = self.task.limits
        self.cgroup = Cgroup.of(work.root, memory_bytes=limits.memory_bytes, pids=limits.pids)
        self.uid = uid_of(self.task.tool_id)
        self.order = load_order(Path(self.task.buildpacks))
        self.sandbox = self._sandbox()
        self.execute = self._executor(self.sandbox)
        path = f"{sys.base_prefix}/bin:{DEFAULT_PATH}"
        self.settings = Settings(
            target=host_target(),
            base={"HOME": HOME, "PATH": path, "LANG": "C.UTF-8"},
            user=self.task.environment,
            operator=self.task.operator,
        )

    def _sandbox(self) -> Sandbox:
        binds = [
            Bind(self.layout.workspace, WORKSPACE, is_writable=True),
            Bind(self.layout.layers, LAYERS, is_writable=True),
            Bind(self.layout.plans, PLANS, is_writable=True),
            Bind(self.layout.platform, PLATFORM),
        ]
        buildpacks = {m.buildpack.inside: m.buildpack.path for group in self.order for m in group}
        binds += [Bind(path, inside) for inside, path in buildpacks.items()]
        return Sandbox(
            binds=binds,
            cwd=WORKSPACE,
            uid=self.uid,
            connect=self.task.connect_ports,
            cgroup=self.cgroup,
        )

    def _executor(self, sandbox: Sandbox) -> SandboxExecutor:
        return SandboxExecutor(
            sandbox, log=self.log, watched=self.work.root, limits=self.task.limits
        )

    def say(self, text: str) -> None:
        self.log.write(text.encode("utf-8", "replace") + b"\n")

    def own(self, path: Path) -> None:
        """Give a path to the user that the build's programs run as."""
        if self.uid is not None:
            os.chown(path, self.uid, self.uid, follow_symlinks=False)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Note when a step began and ended, and whether it succeeded."""
        step: dict[str, Any] = {"name": name, "started_at": _now(), "finished_at": None}
        step["succeeded"] = None
        self.status["steps"].append(step)
        self.work.write_status(self.status)
        self.say(f"===> {name.upper()}")
        try:
            yield
        except BaseException:
            step |= {"finished_at": _now(), "succeeded": False}
            raise
        step |= {"finished_at": _now(), "succeeded": True}

    def clone(self) -> None:
        with self.step("clone"):
            self.layout.make()
            source = self.work.root / "source"
            source.mkdir()
            for path in (source, self.layout.workspace, self.layout.layers, self.layout.plans):
                self.own(path)
            ports = (*self.task.connect_ports, *self._trusted_port())
            sandbox = replace(
                self.sandbox,
                binds=[Bind(source, SOURCE, is_writable=True)],
                connect=ports,
            )
            execute = self._executor(sandbox)
            rules = SourceRules(self.task.allowed_hosts, self.task.trusted_prefixes)
            fetcher = Fetcher(
                source, execute=execute, rules=rules, operator=self.task.operator, say=self.say
            )
            commit = fetcher.fetch(self.task.source_url, ref=self.task.ref, commit=self.task.commit)
            self.status["commit"] = commit
            execute.check_disk()
            take_subdirectory(source, self.task.subdirectory, self.layout.workspace)

    def _trusted_port(self) -> list[int]:
        """The port of a repository that the operator trusts; others use 443."""
        host, _slash, _path = self.task.source_url.partition("//")[2].partition("/")
        port = host.rpartition(":")[2]
        is_trusted = SourceRules((), self.task.trusted_prefixes).trusts(self.task.source_url)
        return [int(port)] if is_trusted and port.isdigit() else []

    def detect(self) -> Detected:
        with self.step("detect"):
            for name, value in self.task.environment.items():
                path = self.layout.platform / "env" / name
                path.write_bytes(value.encode("utf-8", "surrogatepass"))
            detector = Detector(self.layout, self.settings, execute=self.execute)
            detected = detector.detect(self.order)
            for buildpack in detected.buildpacks:
                self.say(str(buildpack))
        return detected

    def build(self) -> None:
        """All steps; the result is in the status."""
        self.clone()
        detected = self.detect()
        store, cache = ImageStore(Path(self.task.images)), Cache(Path(self.task.cache))
        with self.step("restore"):
            restored = cache.restore(
                self.layout, detected.buildpacks, previous=store.latest(), own=self.own
            )
            for key in restored:
                self.say(f"Restored {key}")
        with self.step("build"):
            builder = Builder(
                self.layout, self.settings, execute=self.execute, own=self.own, say=self.say
            )
            built = builder.build(detected)
        with self.step("export"):
            exporter = Exporter(self.layout, store, target=self.settings.target, restored=restored)
            source = Source(self.task.source_url, self.status["commit"], self.task.ref)
            exported = exporter.export(built, source, tag=self.task.name, cache=cache)
            self.say(f"Image {exported.digest}, {exported.size} bytes")
        self.status["image"] = _image(self.task.name, built, exported)

    def fail(self, reason: Reason, message: str) -> None:
        self.say(f"===> FAILED: {message}")
        self.status["failure"] = {"reason_code": reason, "reason": message}

    def end(self) -> None:
        """Leave the result; secrets go from the disk."""
        shutil.rmtree(self.layout.platform, ignore_errors=True)
        self.work.write_task(replace(self.task, environment={}))
        if self.cgroup:
            self.cgroup.kill()
        self.work.write_status(self.status)


def _image(name: str, built: Built, exported: Exported) -> dict[str, Any]:
    return {
        "digest": exported.digest,
        "reference": f"oci:{name}",
        "size": exported.size,
        "processes": {kind: each.line for kind, each in exported.processes.items()},
        "default_process": exported.default_process,
        "buildpacks": [str(each) for each in built.buildpacks],
    }


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _failure(run: Run, error: BaseException) -> tuple[Reason, str]:
    if run.cgroup and run.cgroup.had_oom():
        limit = run.task.limits.memory_bytes // 1024**2
        return (
            Reason.OUT_OF_MEMORY,
            f"The build needed more than the {limit} MB of memory it may use.",
        )
    if isinstance(error, Stopped):
        return error.reason, str(error)
    if isinstance(error, LifecycleError):
        return REASONS.get(error.code, Reason.ENGINE_ERROR), str(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Reason.DISK_FULL, "The platform's disk is full. Its operator has to make room."
    run.say("".join(traceback.format_exception(error)))
    return Reason.ENGINE_ERROR, "The platform failed; the end of the log says where. Try again."


def main(folder: str) -> None:
    run = Run(Work(Path(folder)))
    try:
        run.build()
    except Exception as error:  # noqa: BLE001 - whatever happens, the build gets a result
        run.fail(*_failure(run, error))
    run.end()


if __name__ == "__main__":
    main(sys.argv[1])
