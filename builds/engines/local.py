"""Builds on this machine: one process per build, its directory the only thing that is shared."""

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from builds.engines.base import (
    BuiltImage,
    EngineError,
    Observation,
    Order,
    Output,
    Pace,
    Phase,
    Step,
)
from builds.lifecycle import detached, enforcement
from builds.lifecycle.cgroups import Cgroup
from builds.lifecycle.oci import ImageStore
from builds.lifecycle.sandbox import Mode
from builds.lifecycle.work import Limits, Task, Work


@dataclass(frozen=True)
class LocalSettings:
    """What the installation decides."""

    state: Path
    buildpacks: Path = detached.PROJECT / "builds" / "buildpacks"
    operator: Mapping[str, str] = field(default_factory=dict)
    allowed_hosts: tuple[str, ...] = ()
    trusted_prefixes: tuple[str, ...] = ()
    connect_ports: tuple[int, ...] = (80, 443)
    limits: Limits = field(default_factory=Limits)
    # Which means to use, or "auto"; and whether to build where none works.
    sandbox: str = enforcement.AUTO
    trusts_all: bool = False
    # The name of an unpacked system below `state`/bases; empty for the machine's own.
    base: str = ""


class LocalEngine:
    """A BuildEngine; see builds.lifecycle.work for what stands in a build's directory."""

    # Looking costs the reading of a small file.
    pace = Pace(lively=timedelta(milliseconds=50), quiet=timedelta(milliseconds=250))
    output_limit = None

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        self._builds = settings.state / "builds"

    def _work(self, order: Order) -> Work:
        return Work(self._builds / order.name)

    def enforcement(self) -> enforcement.Enforcement:
        """What keeps builds in on this machine."""
        return enforcement.probe(self._settings.sandbox, trusts_all=self._settings.trusts_all)

    def submit(self, order: Order) -> None:
        mode = self.enforcement().mode
        if mode is Mode.NONE:
            raise EngineError("No sandbox works on this machine; see the status page.")
        if self._settings.base and mode is not Mode.NAMESPACES:
            raise EngineError("Another system than the machine's own needs namespaces.")
        work = self._work(order)
        try:
            self._prepare(order, work)
            lock = work.lock()
            if lock is None:
                return
            with lock:
                if not work.read_status():
                    self._start(work, lock.fileno(), order.environment)
        except OSError as error:
            raise EngineError(f"The build cannot be started: {error}") from error

    def _prepare(self, order: Order, work: Work) -> None:
        """The directory appears with everything in it, once, whoever makes it."""
        if work.root.is_dir():
            return
        self._builds.mkdir(parents=True, exist_ok=True)
        staging = Work(Path(tempfile.mkdtemp(dir=self._builds, prefix=".new-")))
        staging.write_task(self._task(order))
        (staging.root / "lock").touch()
        try:
            staging.root.rename(work.root)
        except OSError:
            shutil.rmtree(staging.root)
            if not work.root.is_dir():
                raise

    def _task(self, order: Order) -> Task:
        settings, base_name = self._settings, self._settings.base
        return Task(
            name=order.name,
            tool_id=order.tool_id,
            source_url=order.source_url,
            ref=order.ref,
            subdirectory=order.subdirectory,
            commit=order.commit,
            buildpacks=str(settings.buildpacks),
            images=str(settings.state / "images" / order.tool),
            cache=str(settings.state / "cache" / f"{order.tool}{base_name and '@'}{base_name}"),
            place=str(self._place(order.name)),
            mode=self.enforcement().mode,
            base=str(settings.state / "bases" / base_name) if base_name else "",
            base_name=base_name,
            operator=dict(settings.operator),
            allowed_hosts=settings.allowed_hosts,
            trusted_prefixes=settings.trusted_prefixes,
            connect_ports=settings.connect_ports,
            limits=settings.limits,
        )

    def _place(self, name: str) -> Path:
        return self._settings.state / "places" / name

    def _start(self, work: Work, lock: int, environment: Mapping[str, str]) -> None:
        """Start the build's process, which inherits the lock and holds it until it ends."""
        detached.start_module(
            "builds.lifecycle.runner",
            str(work.root),
            output=work.root / "engine.log",
            lock=lock,
            told=json.dumps(dict(environment)).encode(),
        )

    def observe(self, order: Order) -> Observation:
        work = self._work(order)
        try:
            # In this order: the process writes its result, then ends.
            is_alive = work.is_locked()
            status = work.read_status()
        except (OSError, ValueError) as error:
            raise EngineError(f"The build's directory cannot be read: {error}") from error
        steps = tuple(_step(step) for step in status.get("steps", ()))
        commit, failure = status.get("commit", ""), status.get("failure")
        if is_alive:
            return Observation(Phase.RUNNING, steps=steps, commit=commit)
        if not status:
            return Observation(Phase.MISSING)
        if failure:
            return Observation(Phase.FAILED, **failure, steps=steps, commit=commit)
        if "image" in status:
            image = _image(status["image"])
            return Observation(Phase.SUCCEEDED, steps=steps, commit=commit, image=image)
        return Observation(Phase.LOST, steps=steps, commit=commit)

    def logs(self, order: Order, *, since: int, limit: int) -> Output:
        try:
            with self._work(order).log.open("rb") as log:
                log.seek(since)
                return Output(log.read(limit))
        except FileNotFoundError:
            return Output(b"")
        except OSError as error:
            raise EngineError(f"The build's output cannot be read: {error}") from error

    def remove(self, order: Order) -> bool:
        work = self._work(order)
        if not work.root.is_dir():
            return True
        limits = self._settings.limits
        group = Cgroup.of(work.root, memory_bytes=limits.memory_bytes, pids=limits.pids)
        if work.is_locked():
            with suppress(ProcessLookupError, KeyError):
                os.killpg(work.read_status()["pid"], signal.SIGKILL)
            return False
        if group and not group.kill():
            return False
        if group:
            group.remove()
        if "image" not in work.read_status() and self._place(order.name).is_dir():
            # Else it is gone already, or its image runs there.
            self._discard(self._place(order.name))
        self._discard(work.root)
        return True

    def _discard(self, folder: Path) -> None:
        """Delete a tree: out of sight at once, from the disk as soon as it can be done."""
        trash = self._builds / ".trash"
        trash.mkdir(exist_ok=True)
        doomed = Path(tempfile.mkdtemp(dir=trash)) / folder.name
        with suppress(FileNotFoundError):
            folder.rename(doomed)
        detached.start("rm", "-rf", "--", str(doomed.parent))

    def clear_cache(self, tool: str) -> None:
        """Forget what builds of the tool would find again. Not while one runs."""
        caches = self._settings.state / "cache"
        self._builds.mkdir(parents=True, exist_ok=True)
        # One for this machine's system, one for each other that it was built on.
        for folder in (caches / tool, *caches.glob(f"{tool}@*")):
            if folder.is_dir():
                self._discard(folder)

    def keep_images(self, tool: str, digests: set[str]) -> int:
        """Delete the tool's other images; the bytes freed. Not while one of its builds runs."""
        return ImageStore(self._settings.state / "images" / tool).keep_only(digests)


def _step(data: Mapping[str, Any]) -> Step:
    ended = data["finished_at"]
    return Step(
        name=data["name"],
        started_at=datetime.fromisoformat(data["started_at"]),
        finished_at=datetime.fromisoformat(ended) if ended else None,
        succeeded=data["succeeded"],
    )


def _image(data: Mapping[str, Any]) -> BuiltImage:
    processes = {kind: tuple(line) for kind, line in data["processes"].items()}
    buildpacks = tuple(data["buildpacks"])
    return BuiltImage(**{**data, "processes": processes, "buildpacks": buildpacks})
