"""A whole cluster for tests: one node, a registry, and the images that builds need."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from tests.cluster import debian, ingress, leftovers, node, registry, tekton
from tests.cluster.apiserver import start_control_plane
from tests.cluster.buildpack_images import BUILDER, PAUSE, RUN, make_images
from tests.cluster.cluster import Cluster, new_folder
from tests.cluster.machine import Machine, start_machine
from tests.cluster.processes import LabError, Processes, wait_until


@dataclass
class Lab(Cluster):
    """`registry` is a "host:port" that the portal, the node and pods all reach."""

    machine: Machine
    registry: str

    @property
    def host(self) -> str:
        """This machine's address as pods see it: a test's own server listens here."""
        return self.machine.host

    @property
    def builder_image(self) -> str:
        return self.image(BUILDER)

    @property
    def run_image(self) -> str:
        return self.image(RUN)

    def image(self, name: str) -> str:
        return f"{self.registry}/{name}:latest"

    @property
    def ingress_address(self) -> str:
        return self.machine.address

    def visit(self, host: str, path: str = "/") -> httpx.Response:
        """What the ingress controller answers to a browser that asks for this host."""
        url = f"http://{self.ingress_address}{path}"
        return httpx.get(url, headers={"Host": host}, trust_env=False, timeout=10)

    def wait_for_phase(self, pod: str, *phases: str, namespace: str, seconds: float = 120) -> None:
        def is_there() -> bool:
            return self.get("pod", pod, "-n", namespace)["status"].get("phase") in phases

        wait_until(is_there, what=f"pod {pod} is {' or '.join(phases)}", seconds=seconds)

    def node_is_ready(self) -> bool:
        [found] = self.get("nodes")["items"] or [{"status": {}}]
        conditions = {
            each["type"]: each["status"] for each in found["status"].get("conditions", ())
        }
        return conditions.get("Ready") == "True"


@contextmanager
def start_lab() -> Iterator[Lab]:
    """Everything, in a machine of its own that takes all with it when it goes."""
    leftovers.clean()
    debian.install(debian.SERVER | debian.NODE)
    names = (*make_images(), *tekton.make_images(), ingress.make_image())
    folder = new_folder()
    processes = Processes(folder)
    try:
        yield _start(processes, names)
    except LabError as error:
        error.add_note(processes.last_words())
        raise
    finally:
        processes.kill("machine")
        processes.stop_all()
        leftovers.remove(folder)


def _start(processes: Processes, names: tuple[str, ...]) -> Lab:
    machine = start_machine(processes)
    processes.enter = machine.enter
    address = registry.start_registry(processes, machine)
    registry.push(address, names)
    plane = start_control_plane(processes, machine.address)
    admin = plane.identity("admin", "system:masters")
    lab = Lab(processes.folder, admin, plane.server, machine=machine, registry=address)
    node.start_node(processes, plane, machine, registry=address, pause=lab.image(PAUSE))
    wait_until(lab.node_is_ready, what="the node is ready", seconds=120)
    _deploy(lab)
    return lab


def _deploy(lab: Lab) -> None:
    """What an operator installs into a cluster: Tekton and an ingress controller."""
    lab.apply(*ingress.manifests(lab.image(ingress.IMAGE)))
    text = tekton.manifests(registry=lab.registry, shell=lab.run_image)
    lab.kubectl("apply", "--server-side", "-f", "-", stdin=text)
    for namespace in (ingress.NAMESPACE, tekton.NAMESPACE):
        available = ("--for=condition=Available", "--timeout=180s")
        lab.kubectl("wait", "deployment", "--all", "-n", namespace, *available, timeout=200)
