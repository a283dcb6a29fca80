"""A machine for the node: namespaces of its own, so that all that is in it ends with it.

Mounts, processes, network interfaces and firewall rules live inside; the kernel removes them when
the first process ends. Outside there is one end of a cable, which goes with the other end.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import leftovers
from tests.cluster.processes import LabError, Processes, run, wait_until

MACHINES_AT_MOST = 64
VOLATILE = "volatile"
# Reaps what loses its parent, as the first process of a machine must. What containers leave is in
# memory, because deleting it file by file takes longer than all the rest.
INIT = """
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs "$0/volatile"
mkdir -p /var/lib/cni
mount --bind "$0/var-log" /var/log
mount --bind "$0/var-lib-cni" /var/lib/cni
ip link set lo up
touch "$0/is-up"
while sleep 600; do :; done
"""


@dataclass(frozen=True)
class Machine:
    """`host` is this side of the cable, where a test's server can listen for pods to come."""

    pid: int
    host: str
    address: str
    pods: str

    @property
    def enter(self) -> tuple[str, ...]:
        """What goes before a program to run it inside."""
        return ("nsenter", f"--target={self.pid}", "--mount", "--net", "--pid", "--")


def start_machine(processes: Processes) -> Machine:
    folder = processes.folder
    for name in (VOLATILE, "var-log", "var-lib-cni"):
        (folder / name).mkdir()
    argv = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    argv += ["bash", "-c", INIT, str(folder)]
    processes.start("machine", argv, ready=(folder / "is-up").exists)
    pid = _first_child(processes.pid_of("machine"))
    machine = _connect(pid, note=folder / leftovers.CABLE)
    _forward(machine)
    _reach_outside(processes, machine)
    return machine


def _first_child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _connect(pid: int, *, note: Path) -> Machine:
    """Lays the first cable that is free; the kernel sees to it that nobody else has it."""
    for number in range(MACHINES_AT_MOST):
        name = f"portal-lab{number}"
        made = subprocess.run(
            ["ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(pid)],
            capture_output=True,
            check=False,
        )
        if made.returncode == 0:
            note.write_text(name)
            machine = Machine(pid, f"10.213.{number}.1", f"10.213.{number}.2", _pods(number))
            _configure(machine, name)
            return machine
    raise LabError(f"No network interface for a node: is this root? {made.stderr.decode()}")


def _pods(number: int) -> str:
    return f"10.214.{number}.0/24"


def _configure(machine: Machine, cable: str) -> None:
    run("ip", "address", "add", f"{machine.host}/30", "dev", cable)
    run("ip", "link", "set", cable, "up")
    run(*machine.enter, "ip", "address", "add", f"{machine.address}/30", "dev", "eth0")
    run(*machine.enter, "ip", "link", "set", "eth0", "up")
    run("ip", "route", "add", machine.pods, "via", machine.address)


def _forward(machine: Machine) -> None:
    """Between pods and the outside, and through the firewall between pods of one bridge."""
    run(*machine.enter, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    run(*machine.enter, "sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1")


def _reach_outside(processes: Processes, machine: Machine) -> None:
    """By a user-space network, so that this machine forwards nothing and needs no rules."""
    argv = ["slirp4netns", "--configure", "--mtu=65520", "--disable-host-loopback"]
    processes.start("slirp4netns", [*argv, str(machine.pid), "tap0"], ready=lambda: True)
    routes = (*machine.enter, "ip", "route", "show", "default")
    wait_until(lambda: bool(run(*routes)), what="the machine has a way out")
