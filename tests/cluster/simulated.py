"""A cluster of simulated nodes for questions of scale: KWOK says that pods run, and none does."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import debian, leftovers
from tests.cluster.apiserver import (
    LOOPBACK,
    ControlPlane,
    free_port,
    start_control_plane,
    start_scheduler,
)
from tests.cluster.cluster import Cluster, new_folder
from tests.cluster.components import KWOK
from tests.cluster.processes import Processes

STAGES = ("node/fast", "node/heartbeat-with-lease", "pod/fast")
POD_NETWORK = "10.128.0.0/9"
# Debian's etcd cannot do this, and KWOK waits for seconds each time before it tries another way.
WITHOUT_LISTS_IN_WATCHES = "--feature-gates=WatchList=false"
CAPACITY = {"cpu": "32", "memory": "256Gi", "pods": "250", "ephemeral-storage": "1Ti"}


@dataclass
class Simulation(Cluster):
    """`processes` are its programs by name."""

    processes: Processes
    plane: ControlPlane

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.log"


@contextmanager
def start_simulation(
    *, nodes: int, etcd_bytes: int = 0, audited: bool = False
) -> Iterator[Simulation]:
    leftovers.clean()
    debian.install(debian.SERVER)
    folder = new_folder()
    processes = Processes(folder)
    try:
        flags = (WITHOUT_LISTS_IN_WATCHES, *(_audit(folder) if audited else ()))
        plane = start_control_plane(processes, etcd_bytes=etcd_bytes, flags=flags)
        start_scheduler(processes, plane)
        admin = plane.identity("admin", "system:masters")
        cluster = Simulation(folder, admin, plane.server, processes, plane)
        _start_kwok(processes, cluster)
        cluster.apply(*(_node(f"node-{number}") for number in range(nodes)))
        cluster.kubectl("wait", "nodes", "--all", "--for=condition=Ready", "--timeout=60s")
        yield cluster
    finally:
        processes.stop_all()
        leftovers.remove(folder)


def _audit(folder: Path) -> tuple[str, ...]:
    """Every request that was answered becomes a line of JSON."""
    rules = [{"level": "Metadata", "omitStages": ["RequestReceived", "ResponseStarted"]}]
    policy = folder / "audit.json"
    policy.write_text(
        json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules})
    )
    # In one file: whoever counts remembers a place in it.
    size = "--audit-log-maxsize=100000"
    return f"--audit-policy-file={policy}", f"--audit-log-path={folder}/audit.log", size


def _logs(folder: Path) -> str:
    """Every container has printed the same line."""
    printed = folder / "printed.log"
    printed.write_text("2026-01-01T00:00:00.000000000Z stdout F A line of output.\n")
    logs = {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "ClusterLogs",
        "metadata": {"name": "all"},
        "spec": {"logs": [{"logsFile": str(printed)}]},
    }
    return json.dumps(logs)


def _start_kwok(processes: Processes, cluster: Simulation) -> None:
    config = processes.folder / "kwok.yaml"
    stages = KWOK.source() / "kustomize" / "stage"
    files = [path for name in STAGES for path in sorted((stages / name).glob("*-*.yaml"))]
    config.write_text(
        "\n---\n".join([*(path.read_text() for path in files), _logs(cluster.folder)])
    )
    address = f"{LOOPBACK}:{free_port()}"
    serving = cluster.plane.authority.server("kubelet", LOOPBACK)
    argv = [
        KWOK.program("kwok"),
        f"--kubeconfig={cluster.kubeconfig}",
        f"--config={config}",
        f"--cidr={POD_NETWORK}",
        "--manage-all-nodes",
        "--node-lease-duration-seconds=40",
        # What the API server asks kubelets for, such as logs.
        f"--server-address={address}",
        f"--node-ip={LOOPBACK}",
        f"--node-port={address.rpartition(':')[2]}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
    ]
    processes.start("kwok", argv)


def _node(name: str) -> dict:
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        # KWOK's heartbeat takes away addresses that are not both there.
        "status": {"allocatable": CAPACITY, "capacity": CAPACITY, "addresses": _addresses(name)},
    }


def _addresses(name: str) -> list[dict]:
    return [{"type": "InternalIP", "address": LOOPBACK}, {"type": "Hostname", "address": name}]
