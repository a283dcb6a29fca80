"""A cluster of simulated nodes for questions of scale: KWOK says that pods run, and none does."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster import debian, leftovers
from tests.cluster.apiserver import start_control_plane, start_scheduler
from tests.cluster.cluster import Cluster, new_folder
from tests.cluster.components import KWOK
from tests.cluster.processes import Processes

STAGES = ("node/fast", "node/heartbeat-with-lease", "pod/fast")
POD_NETWORK = "10.128.0.0/9"
CAPACITY = {"cpu": "32", "memory": "256Gi", "pods": "250"}


@contextmanager
def start_simulation(*, nodes: int) -> Iterator[Cluster]:
    leftovers.clean()
    debian.install(debian.SERVER)
    folder = new_folder()
    processes = Processes(folder)
    try:
        plane = start_control_plane(processes)
        start_scheduler(processes, plane)
        cluster = Cluster(folder, plane.identity("admin", "system:masters"), plane.server)
        _start_kwok(processes, cluster)
        cluster.apply(*(_node(f"node-{number}") for number in range(nodes)))
        cluster.kubectl("wait", "nodes", "--all", "--for=condition=Ready", "--timeout=60s")
        yield cluster
    finally:
        processes.stop_all()
        leftovers.remove(folder)


def _start_kwok(processes: Processes, cluster: Cluster) -> None:
    config = processes.folder / "kwok.yaml"
    stages = KWOK.source() / "kustomize" / "stage"
    files = [path for name in STAGES for path in sorted((stages / name).glob("*-*.yaml"))]
    config.write_text("\n---\n".join(path.read_text() for path in files))
    argv = [
        KWOK.program("kwok"),
        f"--kubeconfig={cluster.kubeconfig}",
        f"--config={config}",
        f"--cidr={POD_NETWORK}",
        "--manage-all-nodes",
        "--node-lease-duration-seconds=40",
    ]
    processes.start("kwok", argv)


def _node(name: str) -> dict:
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"allocatable": CAPACITY, "capacity": CAPACITY},
    }
