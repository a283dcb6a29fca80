"""A Kubernetes API server for tests: one of our own, or the one that KUBECONFIG names."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import debian, kubeconfig, leftovers
from tests.cluster.apiserver import start_control_plane
from tests.cluster.components import KUBERNETES
from tests.cluster.kubeconfig import Server
from tests.cluster.processes import Processes, run, wait_until


@dataclass
class Cluster:
    """What a test needs of a cluster, wherever it comes from."""

    folder: Path
    kubeconfig: Path
    server: Server

    @property
    def url(self) -> str:
        return self.server.url

    def kubectl(self, *words: str, stdin: str | None = None, timeout: float = 120) -> str:
        """The output of kubectl as administrator; a refusal is a LabError with kubectl's words."""
        program = shutil.which("kubectl") or KUBERNETES.program("kubectl")
        return run(program, f"--kubeconfig={self.kubeconfig}", *words, stdin=stdin, timeout=timeout)

    def apply(self, *objects: dict) -> None:
        many = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(many))

    def get(self, *words: str) -> dict:
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def create_namespace(self, name: str, labels: dict[str, str] | None = None) -> None:
        """Returns when pods can be made in it."""
        metadata = {"name": name, "labels": labels or {}}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        self.wait_for("serviceaccount", "default", namespace=name)

    def wait_for(self, kind: str, name: str, *, namespace: str, seconds: float = 60) -> None:
        words = ("get", kind, name, "-n", namespace, "--ignore-not-found", "-o", "name")
        what = f"{kind} {name} is in {namespace}"
        wait_until(lambda: bool(self.kubectl(*words)), what=what, seconds=seconds)

    def token_of(self, service_account: str, *, namespace: str) -> str:
        words = ("create", "token", service_account, "-n", namespace, "--duration=2h")
        return self.kubectl(*words).strip()

    def kubeconfig_for(self, service_account: str, *, namespace: str) -> Path:
        """For a client that is this service account, as a program in a pod would be."""
        path = self.folder / f"{namespace}-{service_account}.kubeconfig"
        token = self.token_of(service_account, namespace=namespace)
        return kubeconfig.by_token(path, self.server, token)


@contextmanager
def start_cluster() -> Iterator[Cluster]:
    """API server and controllers, but no node: pods stay pending. Nothing is left behind."""
    leftovers.clean()
    folder = new_folder()
    processes = Processes(folder)
    try:
        if given := os.environ.get("KUBECONFIG"):
            yield Cluster(folder, Path(given), kubeconfig.server_of(Path(given), folder))
        else:
            debian.install(debian.SERVER)
            plane = start_control_plane(processes)
            yield Cluster(folder, plane.identity("admin", "system:masters"), plane.server)
    finally:
        processes.stop_all()
        leftovers.remove(folder)


def new_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix=leftovers.PREFIX))
    leftovers.own(folder)
    return folder
