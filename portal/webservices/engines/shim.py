"""The keeper of one replica: `python -m portal.webservices.engines.shim DIRECTORY`.

It starts the replica's process, starts it again when it ends, asks it for its health, and keeps its
output. The portal may end and start again meanwhile: what there is to know stands in the directory.

    spec.json    what to run, 0600; not the variables, which come by standard input as JSON
    lock         held for as long as the keeper lives
    state.json   how it stands, replaced by renaming
    log, log.1   cleaned output, and the part before it; log.start is the offset at which log begins
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import IO, Any

from builds.lifecycle.archive import BadArchive
from builds.lifecycle.cache import base_of
from builds.lifecycle.cgroups import Cgroup
from builds.lifecycle.cleaning import Cleaner
from builds.lifecycle.layout import Inside
from builds.lifecycle.oci import ImageStore, StoredImage
from builds.lifecycle.sandbox import Bind, Mode, Sandbox, uid_of
from builds.lifecycle.unpack import files_of, hold, settle
from portal.redaction import Redactor
from portal.webservices.engines.probe import ask

# Seconds.
FIRST_PAUSE, LONGEST_PAUSE, STABLE = 1.0, 60.0, 30.0
STOP_GRACE = 5.0
PROBE_EAGER, PROBE_STEADY = 0.2, 5.0
FAILURES_TO_UNHEALTHY = 3
LOG_PART = 5 * 1024 * 1024
PIDS = 256
ANSWER_SHOWN = 450


@dataclass(frozen=True)
class Spec:
    """What a keeper has to know of its replica."""

    name: str
    tool_id: int
    digest: str
    process_type: str
    port: int
    host: str
    health_check_path: str
    images: str
    releases: str
    connect_ports: list[int]
    memory_bytes: int
    cpu_millis: int
    sandbox: str = Mode.NAMESPACES
    # Directories of what is unpacked where nothing can be mounted, and of other systems.
    places: str = ""
    bases: str = ""


@dataclass(frozen=True)
class Variables:
    environment: dict[str, str]
    # Values in it that must never be shown.
    secrets: list[str]


@dataclass
class State:
    """How a replica stands; times in ISO 8601."""

    pid: int = 0
    phase: str = "starting"
    started_at: str | None = None
    restarts: int = 0
    exit_code: int | None = None
    probe: dict[str, Any] | None = None


class RotatingLog:
    """Output in two files at most; the offset of every byte stays what it was."""

    def __init__(self, folder: Path, *, part: int = LOG_PART) -> None:
        self._folder = folder
        self._part = part
        self._file = (folder / "log").open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        if self._file.tell() >= self._part:
            self._rotate()
        self._file.write(data)

    def close(self) -> None:
        self._file.close()

    def _rotate(self) -> None:
        end = start_of(self._folder) + self._file.tell()
        self._file.close()
        os.replace(self._folder / "log", self._folder / "log.1")
        _replace(self._folder / "log.start", str(end))
        self._file = (self._folder / "log").open("ab", buffering=0)


def start_of(folder: Path) -> int:
    """The offset of the first byte in the current part of the log."""
    try:
        return int((folder / "log.start").read_text())
    except (FileNotFoundError, ValueError):
        return 0


def _replace(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.replace(path)


@dataclass
class Keeper:
    folder: Path
    spec: Spec
    variables: Variables
    state: State = field(default_factory=State)

    def __post_init__(self) -> None:
        self._log = RotatingLog(self.folder)
        self._redactor = Redactor(self.variables.secrets)
        self._stopping = threading.Event()
        self._writing = threading.Lock()
        self._saving = threading.Lock()
        self._failures = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._held: IO[bytes] | None = None
        self._cgroup = Cgroup.of(
            self.folder,
            memory_bytes=self.spec.memory_bytes,
            pids=PIDS,
            cpu_millis=self.spec.cpu_millis,
        )

    def run(self) -> None:
        """Keep the replica running until SIGTERM."""
        self._stop_when_told()
        self.state.pid = os.getpid()
        self._save()
        threading.Thread(target=self._probe_for_ever, daemon=True).start()
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            began = monotonic()
            self._run_once()
            if monotonic() - began > STABLE:
                pause = FIRST_PAUSE
            self._stopping.wait(pause)
            pause = min(LONGEST_PAUSE, pause * 2)
        if self._cgroup:
            self._cgroup.kill()
            self._cgroup.remove()

    def _stop_when_told(self) -> None:
        """Have SIGTERM noted by another thread: a handler may run while this one holds the lock of
        the event that the handler wants to set, or while an earlier handler does.
        """
        told, tell = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(tell, False)
        signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda *_: None)

        def wait() -> None:
            os.read(told, 1)
            self._stopping.set()

        threading.Thread(target=wait, daemon=True).start()

    def _run_once(self) -> None:
        try:
            process = self._start()
        except (OSError, BadArchive) as error:
            self.say(f"It cannot be started: {error}")
            self._note(restarts=self.state.restarts + 1, exit_code=126, phase="unhealthy")
            return
        self._note(started_at=datetime.now(UTC).isoformat())
        reader = threading.Thread(target=self._read, args=[process], daemon=True)
        reader.start()
        code = self._wait(process)
        reader.join(timeout=2)
        if self._stopping.is_set():
            return
        had_oom = self._cgroup is not None and self._cgroup.had_oom()
        limit = self.spec.memory_bytes // 1024**2
        why = f": it needed more than {limit} MB of memory" if had_oom and code in (-9, 137) else ""
        self.say(f"The process ended with exit code {code}{why}.")
        self._note(restarts=self.state.restarts + 1, exit_code=code, phase=self._phase_after_end())

    def _phase_after_end(self) -> str:
        return "starting" if self.state.phase == "starting" else "unhealthy"

    def _start(self) -> subprocess.Popen[bytes]:
        spec, store = self.spec, ImageStore(Path(self.spec.images))
        image = store.read(spec.digest)
        inside = Inside.of(image.variables)
        sandbox = self._sandbox(image, inside, self._unpacked(store, inside))
        env = {
            "HOME": sandbox.home,
            "LANG": "C.UTF-8",
            **self.variables.environment,
            "PATH": f"{inside.processes}:{inside.cnb}/lifecycle:{sandbox.path}",
            "PORT": str(spec.port),
        }
        command = [f"{inside.processes}/{spec.process_type}"]
        self._process = sandbox.start(command, env, output=subprocess.PIPE)
        return self._process

    def _unpacked(self, store: ImageStore, inside: Inside) -> Path:
        """The directory with layers, workspace and cnb of the image."""
        spec = self.spec
        root, lock = hold(store, spec.digest, Path(spec.releases), owner=uid_of(spec.tool_id))
        # Open for as long as this process lives: until then the files are not cleaned away.
        self._held = lock
        if spec.sandbox != Mode.NAMESPACES:
            settle(root, inside, Path(spec.places))
        return files_of(root, inside)

    def _sandbox(self, image: StoredImage, inside: Inside, files: Path) -> Sandbox:
        spec, base = self.spec, base_of(image)
        mode = Mode(spec.sandbox)
        return Sandbox(
            binds=[
                Bind(files / "layers", inside.layers),
                Bind(files / "workspace", inside.workspace),
                Bind(files / "cnb", inside.cnb),
            ],
            cwd=inside.workspace,
            uid=uid_of(spec.tool_id),
            network=True,
            connect=tuple(spec.connect_ports),
            bind=(spec.port,),
            cgroup=self._cgroup,
            memory_bytes=spec.memory_bytes,
            pids=PIDS,
            mode=mode,
            scratch=None if mode is Mode.NAMESPACES else self.folder / "scratch",
            base=Path(spec.bases, base) if base else None,
        )

    def _wait(self, process: "subprocess.Popen[bytes]") -> int:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=0.2)
            if self._stopping.is_set():
                return self._stop(process)

    def _stop(self, process: "subprocess.Popen[bytes]") -> int:
        """Ask the programs in the sandbox to end; then end them."""
        for pid in _descendants(process.pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=STOP_GRACE)
        process.kill()
        return process.wait()

    def _read(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout
        cleaner = Cleaner(self.variables.secrets)
        while data := os.read(process.stdout.fileno(), 64 * 1024):
            if lines := cleaner.feed(data):
                self._write(lines)
        self._write(cleaner.close())

    def say(self, text: str) -> None:
        self._write(f"[portal] {self._redactor.text(text)}\n".encode())

    def _write(self, data: bytes) -> None:
        with self._writing:
            self._log.write(data)

    def _note(self, **changes: object) -> None:
        for name, value in changes.items():
            setattr(self.state, name, value)
        self._save()

    def _save(self) -> None:
        with self._saving:
            _replace(self.folder / "state.json", json.dumps(asdict(self.state)))

    def _probe_for_ever(self) -> None:
        while not self._stopping.wait(
            PROBE_STEADY if self.state.phase == "healthy" else PROBE_EAGER
        ):
            ok, answer = self._probe()
            answer = self._redactor.text(answer)[:ANSWER_SHOWN]
            self._judge(ok)
            self._note(probe={"at": datetime.now(UTC).isoformat(), "ok": ok, "answer": answer})

    def _judge(self, ok: bool) -> None:
        self._failures = 0 if ok else self._failures + 1
        if ok:
            self.state.phase = "healthy"
        elif self.state.phase == "healthy" and self._failures >= FAILURES_TO_UNHEALTHY:
            self.state.phase = "unhealthy"

    def _probe(self) -> tuple[bool, str]:
        """Whether it is healthy, and what it said, in words."""
        spec = self.spec
        path = spec.health_check_path
        answer = ask(spec.port, host=spec.host, path=path, redactor=self._redactor)
        if answer.status is None:
            return False, answer.said
        if answer.ok:
            return True, f"HTTP {answer.status}"
        return False, f"HTTP {answer.status} for {path}: {answer.said}"


def _descendants(pid: int) -> list[int]:
    """The process's children and theirs, the process itself left out."""
    found: list[int] = []
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return found
    for child in map(int, children):
        found += [child, *_descendants(child)]
    return found


def main(folder: Path, lock: IO[bytes]) -> None:
    spec = Spec(**json.loads((folder / "spec.json").read_text()))
    variables = Variables(**json.load(sys.stdin))
    with lock:
        Keeper(folder, spec, variables).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), os.fdopen(int(sys.argv[2]), "rb"))
