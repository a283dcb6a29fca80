"""The control plane of a cluster without a node: etcd, API server and controllers, on loopback."""

import socket
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import debian, kubeconfig
from tests.cluster.certificates import Authority
from tests.cluster.components import KUBERNETES
from tests.cluster.kubeconfig import Server
from tests.cluster.processes import Processes

LOOPBACK = "127.0.0.1"
SERVICE_NETWORK = "10.96.0.0/16"
ISSUER = "https://kubernetes.default.svc.cluster.local"
NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "10.96.0.1")


def free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as server:
        return server.getsockname()[1]


@dataclass(frozen=True)
class ControlPlane:
    server: Server
    admin: Path
    authority: Authority


def start_control_plane(processes: Processes) -> ControlPlane:
    folder = processes.folder
    authority = Authority(folder / "pki")
    etcd_url = _start_etcd(processes)
    server = Server(f"https://{LOOPBACK}:{free_port()}", authority.certificate)
    keys = authority.signing_keys("service-accounts")
    _start_apiserver(processes, server, authority, etcd_url)
    admin = authority.client("admin", "system:masters")
    _start_controllers(processes, server, authority, keys.key)
    path = kubeconfig.by_certificate(folder / "admin.kubeconfig", server, admin)
    return ControlPlane(server, path, authority)


def component_kubeconfig(folder: Path, plane_server: Server, authority: Authority, name: str):
    """For a part of Kubernetes, under the name that its role is bound to."""
    pair = authority.client(f"system:{name}")
    return kubeconfig.by_certificate(folder / f"{name}.kubeconfig", plane_server, pair)


def _start_etcd(processes: Processes) -> str:
    client, peer = (f"http://{LOOPBACK}:{free_port()}" for _number in range(2))
    argv = [
        debian.etcd(),
        "--name=lab",
        f"--data-dir={processes.folder}/etcd",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=lab={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]
    processes.start("etcd", argv, ready=lambda: answers(f"{client}/health"))
    return client


def _start_apiserver(
    processes: Processes, server: Server, authority: Authority, etcd_url: str
) -> None:
    serving = authority.server("kube-apiserver", LOOPBACK, *NAMES)
    kubelet = authority.client("kube-apiserver-kubelet-client", "system:masters")
    signing = processes.folder / "pki"
    argv = [
        KUBERNETES.program("kube-apiserver"),
        f"--etcd-servers={etcd_url}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={server.url.rpartition(':')[2]}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={authority.certificate}",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={signing}/service-accounts.pub",
        f"--service-account-signing-key-file={signing}/service-accounts.key",
        f"--kubelet-client-certificate={kubelet.certificate}",
        f"--kubelet-client-key={kubelet.key}",
        f"--kubelet-certificate-authority={authority.certificate}",
        "--kubelet-preferred-address-types=InternalIP",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction,PodSecurity",
        "--allow-privileged=true",
        "--profiling=false",
    ]
    ready = f"{server.url}/readyz"
    processes.start("kube-apiserver", argv, ready=lambda: answers(ready, server.authority))


def _start_controllers(
    processes: Processes, server: Server, authority: Authority, signing_key: Path
) -> None:
    name, port = "kube-controller-manager", free_port()
    config = component_kubeconfig(processes.folder, server, authority, name)
    argv = [
        KUBERNETES.program(name),
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        f"--service-account-private-key-file={signing_key}",
        f"--root-ca-file={authority.certificate}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--profiling=false",
    ]
    # Its own certificate is nobody's business; that it listens is enough.
    processes.start(name, argv, ready=lambda: listens(port))


def answers(url: str, authority: Path | None = None) -> bool:
    context = ssl.create_default_context(cafile=authority) if authority else None
    handlers = [urllib.request.ProxyHandler({})]
    if context:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=5) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


def listens(port: int, address: str = LOOPBACK) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False
