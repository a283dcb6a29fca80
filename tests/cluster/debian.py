"""What comes from Debian's packages rather than from Go modules."""

import os
import shutil
import subprocess

from tests.cluster.components import OWN
from tests.cluster.processes import LabError, run

SERVER = {"etcd": "etcd-server"}
NODE = {
    "containerd": "containerd",
    "runc": "runc",
    "docker-registry": "docker-registry",
    "debootstrap": "debootstrap",
    "skopeo": "skopeo",
    "iptables": "iptables",
    "ip": "iproute2",
    "slirp4netns": "slirp4netns",
    "sysctl": "procps",
    "redis-server": "redis-server",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
}
# Debian starts what it installs; a lab starts its own.
_NO_SERVICES = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}


def missing(needed: dict[str, str]) -> list[str]:
    return [package for program, package in needed.items() if not _has(program)]


def install(needed: dict[str, str]) -> list[str]:
    """Installs what is missing, where this is possible; otherwise says what a person must do."""
    if not (packages := missing(needed)):
        return []
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LabError(f"Install these first, as root: apt install {' '.join(packages)}")
    environment = {**os.environ, **_NO_SERVICES}
    for words in (
        ["update", "-qq"],
        ["install", "-y", "-qq", "--no-install-recommends", *packages],
    ):
        subprocess.run(["apt-get", *words], env=environment, check=True, stdout=subprocess.DEVNULL)
    return packages


def etcd() -> str:
    own = OWN / "etcd" if OWN else None
    if found := str(own) if own and own.exists() else shutil.which("etcd"):
        return found
    raise LabError("etcd is missing. Install it, for example: apt install etcd-server")


def version(package: str) -> str:
    try:
        return run("dpkg-query", "-W", "-f", "${Version}", package)
    except (LabError, FileNotFoundError):
        return "of another origin"


def _has(program: str) -> bool:
    return bool(shutil.which(program) or (OWN and (OWN / program).exists()))
