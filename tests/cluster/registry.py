"""A registry for the images of a lab: Debian's docker-registry, without TLS."""

from collections.abc import Iterable

import yaml

from tests.cluster import images
from tests.cluster.apiserver import answers
from tests.cluster.machine import VOLATILE, Machine
from tests.cluster.processes import Processes, run

PORT = 5000


def start_registry(processes: Processes, machine: Machine) -> str:
    """Its "host:port", which the portal, the node and pods all reach."""
    address = f"{machine.address}:{PORT}"
    config = {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {
            "filesystem": {"rootdirectory": f"{processes.folder}/{VOLATILE}/registry"},
            "delete": {"enabled": True},
        },
        "http": {"addr": address},
    }
    path = processes.folder / "registry.yaml"
    path.write_text(yaml.safe_dump(config))
    argv = ["docker-registry", "serve", path]
    processes.start("registry", argv, ready=lambda: answers(f"http://{address}/v2/"))
    return address


def push(registry: str, names: Iterable[str]) -> None:
    """Each image of the store under its name, `latest`."""
    for name in names:
        source, target = f"oci:{images.store().root}:{name}", f"docker://{registry}/{name}:latest"
        run("skopeo", "copy", "--quiet", "--dest-tls-verify=false", source, target)
