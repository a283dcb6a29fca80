"""What a lab is made of: Go programs, compiled from modules of pinned versions and kept."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.processes import LabError

COMPONENTS = Path(__file__).parent / "components"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "portal-cluster"
OWN = Path(os.environ["KUBEBUILDER_ASSETS"]) if os.environ.get("KUBEBUILDER_ASSETS") else None
KUBERNETES_VERSION = "k8s.io/component-base/version"


@dataclass(frozen=True)
class Component:
    """A folder with a go.mod that names the programs as tools, and what the linker sets in them.

    Of one without programs only the module's files are used.
    """

    name: str
    module: str
    programs: tuple[str, ...] = ()
    link: str = ""

    @property
    def folder(self) -> Path:
        return COMPONENTS / self.name

    @property
    def version(self) -> str:
        found = re.search(rf"{re.escape(self.module)} (v\S+)", (self.folder / "go.mod").read_text())
        assert found, f"{self.folder}/go.mod does not require {self.module}"
        return found[1]

    @property
    def home(self) -> Path:
        """Named by all that decides what is in it."""
        pinned = (self.folder / "go.sum").read_bytes() + self._flags().encode()
        return CACHE / f"{self.name}-{self.version}-{hashlib.sha256(pinned).hexdigest()[:10]}"

    def program(self, name: str) -> Path:
        """The operator's own, from KUBEBUILDER_ASSETS, or the one that was built."""
        path = OWN / name if OWN and (OWN / name).exists() else self.home / name
        if not path.exists():
            raise LabError(f"{name} is not built. Run: python -m tests.cluster build")
        return path

    def source(self) -> Path:
        """Where Go keeps the module's files, which have to be those that go.sum pins."""
        wanted = f"{self.module}@{self.version}"
        argv = ["go", "mod", "download", "-json", wanted]
        where = {"cwd": self.folder, "env": _go_environment()}
        done = subprocess.run(argv, capture_output=True, text=True, check=False, **where)
        if done.returncode:
            raise LabError(f"{wanted} cannot be had: {done.stdout or done.stderr}")
        return Path(json.loads(done.stdout)["Dir"])

    def missing(self) -> list[str]:
        names = {path: Path(path).name for path in self.programs}
        own = {name for name in names.values() if OWN and (OWN / name).exists()}
        return [
            p for p, name in names.items() if name not in own and not (self.home / name).exists()
        ]

    def build(self) -> float:
        """Seconds that it took; 0.0 when it was there. Another run that builds it is waited for."""
        started = time.monotonic()
        if not self.programs:
            self.source()
            return time.monotonic() - started
        with _locked(self.home):
            if not (packages := self.missing()):
                return 0.0
            for package in packages:
                self._compile(f"{self.module}/{package}")
        return time.monotonic() - started

    def _compile(self, package: str) -> None:
        with tempfile.TemporaryDirectory(dir=self.home) as folder:
            argv = ["nice", "-n", "5", "go", "build", *_ARGS, self._flags(), "-o", folder, package]
            done = subprocess.run(argv, cwd=self.folder, env=_go_environment(), check=False)
            if done.returncode:
                raise LabError(f"{package} {self.version} does not compile here; see above.")
            for program in Path(folder).iterdir():
                program.replace(self.home / program.name)

    def _flags(self) -> str:
        return f"-ldflags=-s -w {self.link.format(version=self.version)}".strip()


_ARGS = ("-trimpath", "-buildvcs=false")


def _go_environment() -> dict[str, str]:
    if not shutil.which("go"):
        raise LabError("Go is missing. Install Go 1.26 or newer, for example from go.dev/dl")
    return {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": ""}


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


KUBERNETES = Component(
    name="kubernetes",
    module="k8s.io/kubernetes",
    programs=(
        "cmd/kube-apiserver",
        "cmd/kube-controller-manager",
        "cmd/kube-scheduler",
        "cmd/kubelet",
        "cmd/kube-proxy",
        "cmd/kubectl",
    ),
    # Without a version clients and Tekton take the server for one of long ago.
    link=(
        f"-X {KUBERNETES_VERSION}.gitVersion={{version}}"
        f" -X {KUBERNETES_VERSION}.gitMajor=1 -X {KUBERNETES_VERSION}.gitMinor=36"
    ),
)
LIFECYCLE = Component(
    name="lifecycle",
    module="github.com/buildpacks/lifecycle",
    programs=("cmd/lifecycle", "cmd/launcher"),
    link="-X github.com/buildpacks/lifecycle/cmd.Version={version}",
)
TEKTON = Component(
    name="tekton",
    module="github.com/tektoncd/pipeline",
    programs=("cmd/controller", "cmd/webhook", "cmd/entrypoint", "cmd/nop", "cmd/workingdirinit"),
)
SKIPPER = Component(name="skipper", module="github.com/zalando/skipper", programs=("cmd/skipper",))
KWOK = Component(name="kwok", module="sigs.k8s.io/kwok", programs=("cmd/kwok",))
METRICS = Component(
    name="metrics-server",
    module="sigs.k8s.io/metrics-server",
    programs=("cmd/metrics-server",),
)
HARBOR_API = Component(name="harbor-api", module="github.com/goharbor/go-client")
ALL = (KUBERNETES, LIFECYCLE, TEKTON, SKIPPER, KWOK, METRICS, HARBOR_API)
