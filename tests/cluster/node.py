"""A node that runs pods: containerd, kubelet, scheduler and kube-proxy, in a machine."""

import json
import shutil
import sys
from pathlib import Path

import yaml

from tests.cluster.apiserver import ControlPlane, start_scheduler
from tests.cluster.components import KUBERNETES
from tests.cluster.machine import VOLATILE, Machine
from tests.cluster.processes import Processes

NAME = "lab-node"
CNI_PROGRAMS = "/usr/lib/cni"


def start_node(
    processes: Processes, plane: ControlPlane, machine: Machine, *, registry: str, pause: str
) -> None:
    """Returns before the node is ready; `registry` is trusted without TLS."""
    _start_containerd(processes, machine, registry=registry, pause=pause)
    _start_kubelet(processes, plane, machine)
    start_scheduler(processes, plane)
    _start_proxy(processes, plane, machine)


def _start_containerd(processes: Processes, machine: Machine, *, registry: str, pause: str) -> None:
    folder = processes.folder
    _write_network(folder / "cni", machine)
    trust(folder / "registries", registry)
    config = folder / "containerd.toml"
    config.write_text(_containerd(folder, pause))
    # The kubelet ends when nobody listens there yet.
    ready = _socket(folder).is_socket
    processes.start("containerd", ["containerd", "--config", config], ready=ready)


def _containerd(folder: Path, pause: str) -> str:
    cri = '[plugins."io.containerd.grpc.v1.cri"'
    return f"""
version = 2
root = "{folder}/{VOLATILE}/containerd"
state = "{folder}/{VOLATILE}/containers"
oom_score = 0

[grpc]
address = "{_socket(folder)}"

{cri}]
sandbox_image = "{pause}"
restrict_oom_score_adj = true
{cri}.cni]
bin_dir = "{CNI_PROGRAMS}"
conf_dir = "{folder}/cni"
{cri}.registry]
config_path = "{folder}/registries"
{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
{cri}.containerd.runtimes.runc.options]
BinaryName = "{_write_runc(folder)}"
SystemdCgroup = false
"""


def _socket(folder: Path) -> Path:
    return folder / "containerd.sock"


def _write_runc(folder: Path) -> Path:
    """A runc that asks for no more than it may have; see runc_within_limits.py."""
    wrapper = folder / "runc"
    module = Path(__file__).with_name("runc_within_limits.py")
    runc = shutil.which("runc")
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} -IS {module} {runc} "$@"\n')
    wrapper.chmod(0o755)
    return wrapper


def trust(folder: Path, registry: str) -> None:
    """Have the node pull from there without TLS; may come later, too."""
    place = folder / registry
    place.mkdir(parents=True)
    place.joinpath("hosts.toml").write_text(f'[host."http://{registry}"]\n')


def _write_network(folder: Path, machine: Machine) -> None:
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": machine.pods}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    folder.mkdir()
    config = {"cniVersion": "0.4.0", "name": "lab", "plugins": [bridge, ports]}
    folder.joinpath("10-lab.conflist").write_text(json.dumps(config))


def _start_kubelet(processes: Processes, plane: ControlPlane, machine: Machine) -> None:
    folder = processes.folder
    config = folder / "kubelet.yaml"
    config.write_text(yaml.safe_dump(_kubelet(folder, plane, machine)))
    argv = [
        KUBERNETES.program("kubelet"),
        f"--config={config}",
        f"--kubeconfig={plane.identity(f'system:node:{NAME}', 'system:nodes')}",
        f"--root-dir={folder}/{VOLATILE}/kubelet",
        f"--hostname-override={NAME}",
        f"--node-ip={machine.address}",
    ]
    processes.start("kubelet", argv)


def _kubelet(folder: Path, plane: ControlPlane, machine: Machine) -> dict:
    """Only what this kind of machine refuses is turned off: see the README."""
    serving = plane.authority.server(f"kubelet-{NAME}", machine.address, NAME)
    never = dict.fromkeys(
        ("memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available"), "0%"
    )
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": machine.address,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(plane.authority.certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(serving.certificate),
        "tlsPrivateKeyFile": str(serving.key),
        "containerRuntimeEndpoint": f"unix://{_socket(folder)}",
        "volumePluginDir": f"{folder}/volume-plugins",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{folder.name}",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "evictionHard": never,
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "serializeImagePulls": False,
        # So that a test sees a log rotate: production has 10 MiB, and looks every ten seconds.
        "containerLogMaxSize": "1Mi",
        "containerLogMonitorInterval": "3s",
    }


def _start_proxy(processes: Processes, plane: ControlPlane, machine: Machine) -> None:
    argv = [
        KUBERNETES.program("kube-proxy"),
        f"--kubeconfig={plane.identity('system:kube-proxy')}",
        f"--hostname-override={NAME}",
        f"--cluster-cidr={machine.pods}",
        "--proxy-mode=iptables",
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
    ]
    processes.start("kube-proxy", argv)
