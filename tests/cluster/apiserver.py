"""The control plane of a cluster: etcd, API server and controllers."""

import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import debian, kubeconfig
from tests.cluster.certificates import Authority, KeyPair
from tests.cluster.components import KUBERNETES
from tests.cluster.kubeconfig import Server
from tests.cluster.processes import Processes

LOOPBACK = "127.0.0.1"
SERVICE_NETWORK = "10.96.0.0/16"
ISSUER = "https://kubernetes.default.svc.cluster.local"
# Nobody else needs the server, and tests with thousands of objects wait for it.
UNTHROTTLED = ("--kube-api-qps=500", "--kube-api-burst=1000")
NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "10.96.0.1")


def free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as server:
        return server.getsockname()[1]


@dataclass(frozen=True)
class ControlPlane:
    """`address` is where its API server listens; its other parts stay on loopback."""

    address: str
    server: Server
    authority: Authority
    etcd_url: str

    def identity(self, name: str, *groups: str) -> Path:
        """A kubeconfig for a part of Kubernetes, under the name that its role is bound to."""
        pair = self.authority.client(name, *groups)
        path = self.authority.folder / f"{name.replace(':', '-')}.kubeconfig"
        return kubeconfig.by_certificate(path, self.server, pair)


def start_control_plane(
    processes: Processes,
    address: str = LOOPBACK,
    *,
    etcd_bytes: int = 0,
    flags: Sequence[str] = (),
) -> ControlPlane:
    """`etcd_bytes` is when etcd is full, its own default where it is 0; `flags` the server's."""
    authority = Authority(processes.folder / "pki")
    server = Server(f"https://{address}:{free_port()}", authority.certificate)
    etcd_url = _start_etcd(processes, etcd_bytes)
    plane = ControlPlane(address, server, authority, etcd_url)
    keys = authority.signing_keys("service-accounts")
    _start_apiserver(processes, plane, keys, flags)
    _start_controllers(processes, plane, keys)
    return plane


def _start_etcd(processes: Processes, quota: int) -> str:
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
        f"--quota-backend-bytes={quota}",
        "--log-level=warn",
    ]
    processes.start("etcd", argv)
    return client


def _start_apiserver(
    processes: Processes, plane: ControlPlane, keys: KeyPair, flags: Sequence[str]
) -> None:
    """Ready when etcd is, too."""
    authority = plane.authority
    serving = authority.server("kube-apiserver", LOOPBACK, plane.address, *NAMES)
    kubelet = authority.client("kube-apiserver-kubelet-client", "system:masters")
    argv = [
        KUBERNETES.program("kube-apiserver"),
        f"--etcd-servers={plane.etcd_url}",
        f"--bind-address={plane.address}",
        f"--secure-port={plane.server.url.rpartition(':')[2]}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={authority.certificate}",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={keys.certificate}",
        f"--service-account-signing-key-file={keys.key}",
        f"--kubelet-client-certificate={kubelet.certificate}",
        f"--kubelet-client-key={kubelet.key}",
        f"--kubelet-certificate-authority={authority.certificate}",
        "--kubelet-preferred-address-types=InternalIP",
        *_aggregation(authority),
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction,PodSecurity",
        "--allow-privileged=true",
        "--profiling=false",
        *flags,
    ]
    ready = f"{plane.server.url}/readyz"
    processes.start("kube-apiserver", argv, ready=lambda: answers(ready, authority.certificate))


def _aggregation(authority: Authority) -> list[str]:
    """How other API servers, such as the metrics server, know who asks through this one."""
    proxy = authority.client("front-proxy-client")
    return [
        f"--proxy-client-cert-file={proxy.certificate}",
        f"--proxy-client-key-file={proxy.key}",
        f"--requestheader-client-ca-file={authority.certificate}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    ]


def _start_controllers(processes: Processes, plane: ControlPlane, keys: KeyPair) -> None:
    name = "kube-controller-manager"
    config = plane.identity(f"system:{name}")
    argv = [
        KUBERNETES.program(name),
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={free_port()}",
        f"--service-account-private-key-file={keys.key}",
        f"--root-ca-file={plane.authority.certificate}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        # On a busy machine a node that is late is not gone.
        "--node-monitor-grace-period=10m",
        # So that a test need not wait for minutes until pods are measured.
        "--horizontal-pod-autoscaler-sync-period=3s",
        "--horizontal-pod-autoscaler-cpu-initialization-period=5s",
        *UNTHROTTLED,
        "--profiling=false",
    ]
    processes.start(name, argv)


def start_scheduler(processes: Processes, plane: ControlPlane) -> None:
    config = plane.identity("system:kube-scheduler")
    argv = [
        KUBERNETES.program("kube-scheduler"),
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={free_port()}",
        "--leader-elect=false",
        *UNTHROTTLED,
    ]
    processes.start("kube-scheduler", argv)


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
