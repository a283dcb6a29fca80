"""A build's directory, as the engine and the process of the build share it.

order.json   what to build, 0600; not its variables, which the process is told when it starts
lock         held by the process of the build for as long as it lives
log          what the build prints
status.json  how far it came, replaced by renaming
"""

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any


@dataclass(frozen=True)
class Limits:
    """What one build may use."""

    memory_bytes: int = 2 * 1024**3
    pids: int = 512
    disk_bytes: int = 4 * 1024**3
    files: int = 400_000
    log_bytes: int = 100 * 1024**2
    # Seconds.
    clone_seconds: int = 300


@dataclass(frozen=True)
class Task:
    """Everything that the process of a build has to know."""

    name: str
    tool_id: int
    source_url: str
    ref: str
    subdirectory: str
    commit: str
    # Directories on the host.
    buildpacks: str
    images: str
    cache: str
    # Where, without namespaces, the build's directories are, and later those of its image.
    place: str = ""
    mode: str = "namespaces"
    # An unpacked system to build and run on instead of the machine's own, and its name.
    base: str = ""
    base_name: str = ""
    # The operator's variables for git and buildpacks: proxies, certificates, package indexes.
    operator: Mapping[str, str] = field(default_factory=dict)
    allowed_hosts: tuple[str, ...] = ()
    trusted_prefixes: tuple[str, ...] = ()
    connect_ports: tuple[int, ...] = (80, 443)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Work:
    root: Path

    @property
    def log(self) -> Path:
        return self.root / "log"

    def write_task(self, task: Task) -> None:
        self._replace("order.json", json.dumps(asdict(task)))

    def read_task(self) -> Task:
        data = json.loads((self.root / "order.json").read_text())
        limits = Limits(**data.pop("limits"))
        for name in ("allowed_hosts", "trusted_prefixes", "connect_ports"):
            data[name] = tuple(data[name])
        return Task(**data, limits=limits)

    def write_status(self, status: Mapping[str, Any]) -> None:
        self._replace("status.json", json.dumps(status))

    def read_status(self) -> dict[str, Any]:
        """{} before the build's process wrote the first one."""
        try:
            return json.loads((self.root / "status.json").read_text())
        except FileNotFoundError:
            return {}

    def _replace(self, name: str, text: str) -> None:
        new = self.root / f"{name}.new"
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        new.replace(self.root / name)

    def lock(self) -> IO[bytes] | None:
        """The lock, held until the file is closed by all who inherited it; None if taken."""
        file = (self.root / "lock").open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        return file

    def is_locked(self) -> bool:
        """Whether the build's process lives."""
        try:
            file = self.lock()
        except FileNotFoundError:
            return False
        if file:
            file.close()
        return file is None
