"""The process of one build: `python -m builds.lifecycle.runner DIRECTORY LOCK`.

It is nobody's child for long: the portal may end and start again while it works. What it has to say
stands in its directory, see builds.lifecycle.work. Killing it ends everything that it started. The
maintainer's variables come by standard input, as JSON: they may be secret.
"""

import errno
import json
import os
import shutil
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from builds.lifecycle.build import Builder, Built
from builds.lifecycle.buildpack import load_order, target_of
from builds.lifecycle.cache import Cache, Restored, previous_image
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
from builds.lifecycle.fetch import Fetcher, take_subdirectory
from builds.lifecycle.layout import Inside, Layout
from builds.lifecycle.oci import ImageStore, StoredImage
from builds.lifecycle.sandbox import Bind, Mode, Sandbox, uid_of
from builds.lifecycle.source import SourceRules, size_of
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

    def __init__(self, work: Work, environment: Mapping[str, str]) -> None:
        self.work = work
        self.environment = environment
        self.task = work.read_task()
        self.status: dict[str, Any] = {"pid": os.getpid(), "steps": []}
        self.mode = Mode(self.task.mode)
        self.layout = self._layout()
        self.base = Path(self.task.base) if self.task.base else None
        self.log = open(work.log, "ab", buffering=0)  # noqa: SIM115 - it is open until the end
        limits = self.task.limits
        self.cgroup = Cgroup.of(work.root, memory_bytes=limits.memory_bytes, pids=limits.pids)
        self.uid = uid_of(self.task.tool_id)
        self.order = load_order(Path(self.task.buildpacks))
        self.sandbox = self._sandbox()
        self.execute = self._executor(self.sandbox)
        sandbox = self.sandbox
        self.settings = Settings(
            target=target_of(self.base),
            base={"HOME": sandbox.home, "PATH": sandbox.path, "LANG": "C.UTF-8"},
            user=environment,
            operator=self.task.operator,
        )

    def _layout(self) -> Layout:
        """Without namespaces nothing can be mounted: the directories have one name everywhere."""
        if self.mode is Mode.NAMESPACES:
            return Layout(self.work.root)
        place = Path(self.task.place)
        place.parent.mkdir(mode=0o711, exist_ok=True)
        place.mkdir(mode=0o711, exist_ok=True)
        return Layout(place, Inside(str(place)))

    def _sandbox(self) -> Sandbox:
        layout, inside, limits = self.layout, self.layout.inside, self.task.limits
        binds = [
            Bind(layout.workspace, inside.workspace, is_writable=True),
            Bind(layout.layers, inside.layers, is_writable=True),
            Bind(layout.plans, inside.plans, is_writable=True),
            Bind(layout.platform, inside.platform),
        ]
        buildpacks = {m.buildpack.seen(inside): m.buildpack.path for g in self.order for m in g}
        binds += [Bind(path, name) for name, path in buildpacks.items()]
        return Sandbox(
            binds=binds,
            cwd=inside.workspace,
            uid=self.uid,
            connect=self.task.connect_ports,
            cgroup=self.cgroup,
            readable=_package_folders(self.task.operator),
            memory_bytes=limits.memory_bytes,
            pids=limits.pids,
            mode=self.mode,
            scratch=None if self.mode is Mode.NAMESPACES else layout.root / "scratch",
            base=self.base,
        )

    def _executor(self, sandbox: Sandbox) -> SandboxExecutor:
        return SandboxExecutor(
            sandbox, log=self.log, watched=self.layout.root, limits=self.task.limits
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
            source = self.layout.source
            source.mkdir()
            for path in (source, self.layout.workspace, self.layout.layers, self.layout.plans):
                self.own(path)
            ports = (*self.task.connect_ports, *self._trusted_port())
            sandbox = replace(
                self.sandbox,
                binds=[Bind(source, self.layout.inside.source, is_writable=True)],
                connect=ports,
                # The machine's own git: another system may have none.
                base=None,
            )
            execute = self._executor(sandbox)
            rules = SourceRules(self.task.allowed_hosts, self.task.trusted_prefixes)
            fetcher = Fetcher(
                source,
                seen=self.layout.inside.source,
                home=sandbox.home,
                execute=execute,
                rules=rules,
                operator=self.task.operator,
                say=self.say,
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
            for name, value in self.environment.items():
                path = self.layout.platform / "env" / name
                path.write_bytes(value.encode("utf-8", "surrogatepass"))
            detector = Detector(self.layout, self.settings, execute=self.execute)
            detected = detector.detect(self.order)
            for buildpack in detected.buildpacks:
                self.say(str(buildpack))
        return detected

    def cache(self) -> Cache | None:
        """None without namespaces: layers hold paths, and there each build has others."""
        return Cache(Path(self.task.cache)) if self.mode is Mode.NAMESPACES else None

    def restore(self, detected: Detected, previous: StoredImage | None) -> dict[str, Restored]:
        with self.step("restore"):
            cache = self.cache()
            if cache is None:
                self.say("Nothing is kept from build to build without namespaces.")
                return {}
            restored = cache.restore(
                self.layout, detected.buildpacks, previous=previous, own=self.own
            )
            for key in restored:
                self.say(f"Restored {key}")
        return restored

    def build(self) -> None:
        """All steps; the result is in the status."""
        self.clone()
        detected = self.detect()
        store = ImageStore(Path(self.task.images))
        previous = previous_image(store, self.layout.inside, base=self.task.base_name)
        restored = self.restore(detected, previous)
        with self.step("build"):
            builder = Builder(
                self.layout, self.settings, execute=self.execute, own=self.own, say=self.say
            )
            built = builder.build(detected)
        with self.step("export"):
            exporter = Exporter(
                self.layout,
                store,
                target=self.settings.target,
                restored=restored,
                previous=previous,
                base=self.task.base_name,
            )
            source = Source(self.task.source_url, self.status["commit"], self.task.ref)
            exported = exporter.export(built, source, tag=self.task.name, cache=self.cache())
            self.say(f"Image {exported.digest}, {exported.size} bytes")
        self.status["image"] = {
            **_image(self.task.name, built, exported),
            "cache_size": size_of(Path(self.task.cache)).bytes,
        }

    def fail(self, reason: Reason, message: str) -> None:
        self.say(f"===> FAILED: {message}")
        self.status["failure"] = {"reason_code": reason, "reason": message}

    def end(self) -> None:
        """Leave the result; secrets go from the disk."""
        if self.status.get("failure", {}).get("reason_code") == Reason.DISK_FULL:
            # Else there may be no room for the reason either.
            shutil.rmtree(self.layout.workspace, ignore_errors=True)
            shutil.rmtree(self.layout.layers, ignore_errors=True)
        unneeded = self.layout.platform if self.mode is Mode.NAMESPACES else self.layout.root
        shutil.rmtree(unneeded, ignore_errors=True)
        if self.cgroup:
            self.cgroup.kill()
        self.work.write_status(self.status)


def _package_folders(operator: Mapping[str, str]) -> list[Path]:
    """Directories of this machine from which the operator has packages installed."""
    named = (operator.get(name, "") for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS"))
    paths = [Path(word) for words in named for word in words.split()]
    return [path for path in paths if path.is_absolute() and path.is_dir()]


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
    run = Run(Work(Path(folder)), json.load(sys.stdin))
    try:
        run.build()
    except Exception as error:  # noqa: BLE001 - whatever happens, the build gets a result
        run.fail(*_failure(run, error))
    run.end()


if __name__ == "__main__":
    main(sys.argv[1])
