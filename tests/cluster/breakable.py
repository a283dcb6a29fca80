"""A cluster of simulated nodes that a test breaks and mends, and the portal's way into it."""

import base64
import json
import shutil
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from portal.cluster.rights import cluster_role
from tests.cluster.apiserver import free_port
from tests.cluster.cable import Cable
from tests.cluster.components import TEKTON
from tests.cluster.simulated import Simulation, start_simulation

# What holds copies of what is in etcd, and has to be started anew when that is put back.
CONTROLLERS = ("kwok", "kube-scheduler", "kube-controller-manager")
ETCD_BYTES = 48 * 1024**2
ACCOUNT = "system:serviceaccount:portal:portal"
RBAC = "rbac.authorization.k8s.io"
BINDING = {
    "apiVersion": f"{RBAC}/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "portal"},
    "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "portal"},
    "subjects": [{"kind": "ServiceAccount", "name": "portal", "namespace": "portal"}],
}


@dataclass
class Breakable:
    """`lab` is the cluster itself; the portal reaches it over `cable`, with the token in a file."""

    lab: Simulation
    cable: Cable
    token_file: Path = field(init=False)

    def __post_init__(self) -> None:
        self.token_file = self.lab.folder / "portal.token"

    @property
    def way(self) -> dict[str, str]:
        """The fields of the cluster's row."""
        return {
            "way": "token",
            "server": f"https://127.0.0.1:{self.cable.port}",
            "ca_file": str(self.lab.server.authority),
            "token_file": str(self.token_file),
        }

    def let_in(self) -> None:
        """An account with the rights that the portal asks for, and a new token of it."""
        account = {"name": "portal", "namespace": "portal"}
        made = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}
        self.lab.apply(made, cluster_role(), BINDING)
        self.token_file.write_text(self.lab.token_of("portal", namespace="portal"))

    def stop_server(self) -> None:
        self.lab.processes.kill("kube-apiserver")

    def start_server(self) -> None:
        self.lab.processes.again("kube-apiserver")

    def back_up(self, folder: Path) -> None:
        """What etcd holds, as it is while nobody writes."""
        self.stop_server()
        self.lab.processes.stop("etcd")
        shutil.copytree(self.lab.folder / "etcd", folder)
        self.lab.processes.again("etcd")
        self.start_server()

    def restore(self, folder: Path) -> None:
        """As an operator does who has only this backup: versions go back as well."""
        for name in CONTROLLERS:
            self.lab.processes.kill(name)
        self.stop_server()
        self.lab.processes.kill("etcd")
        shutil.rmtree(self.lab.folder / "etcd")
        shutil.copytree(folder, self.lab.folder / "etcd")
        for name in ("etcd", "kube-apiserver", *reversed(CONTROLLERS)):
            self.lab.processes.again(name)

    def etcd(self, path: str, **body: object) -> dict:
        """Ask etcd itself, by its gateway for JSON."""
        request = urllib.request.Request(
            f"{self.lab.plane.etcd_url}/v3/{path}", json.dumps(body).encode(), method="POST"
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return json.loads(answer.read() or b"{}")

    def requests(self) -> list[tuple[str, str]]:
        """The verb and resource of every request that the portal made so far."""
        events = map(json.loads, self.lab.audit_log.read_text().splitlines())
        return [
            (event["verb"], event["objectRef"]["resource"])
            for event in events
            if event["user"]["username"] == ACCOUNT and "objectRef" in event
        ]


@contextmanager
def start_breakable() -> Iterator[Breakable]:
    with start_simulation(nodes=1, etcd_bytes=ETCD_BYTES, audited=True) as lab:
        host, port = lab.url.removeprefix("https://").split(":")
        broken = Breakable(lab, Cable(host, int(port)))
        try:
            for path in sorted((TEKTON.source() / "config" / "300-crds").glob("*.yaml")):
                lab.kubectl("apply", "--server-side", "-f", str(path))
            lab.create_namespace("portal")
            broken.let_in()
            yield broken
        finally:
            broken.cable.close()


class Webhook(ThreadingHTTPServer):
    """Refuses every object that it is asked about, with a sentence."""

    def __init__(self, lab: Simulation, sentence: str) -> None:
        self.sentence = sentence
        super().__init__(("127.0.0.1", free_port()), _Refusal)
        pair = lab.plane.authority.server("webhook", "127.0.0.1")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pair.certificate, pair.key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Refusal(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        review = json.loads(self.rfile.read(size))
        said = {"message": self.server.sentence, "code": 403}
        answer = {"uid": review["request"]["uid"], "allowed": False, "status": said}
        body = json.dumps({**review, "response": answer}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        pass


def webhook_for(lab: Simulation, server: Webhook, *, namespace: str) -> dict:
    """Has the API server ask before a Deployment is made in this namespace, or not make it."""
    authority = lab.plane.authority.certificate.read_bytes()
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}
    hook = {
        "name": "policy.example.org",
        "clientConfig": {
            "url": f"https://127.0.0.1:{server.server_port}/",
            "caBundle": base64.b64encode(authority).decode(),
        },
        "rules": [{**rule, "operations": ["CREATE", "UPDATE"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": 2,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [hook],
    }
