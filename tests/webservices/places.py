"""Two clusters in memory, with the test in the place of their controllers and of the worker."""

import json
import threading
import uuid
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from builds.engines.base import EngineError
from builds.models import Build
from builds.reconcile import reconcile as reconcile_build
from builds.tasks import engine_of
from portal.cluster.base import ClusterError
from portal.cluster.kinds import DEPLOYMENT, PIPELINE_RUN, POD
from portal.clusters.models import Cluster, Relocation
from portal.clusters.operations import add_cluster
from portal.webservices import relocation, tasks
from portal.webservices.engines.manifests import RELEASE_LABEL
from portal.webservices.leaving import Machine
from portal.webservices.models import Webservice
from tests.clusters.made_up import FIELDS
from tests.conftest import NOW

COMMIT = "c" * 40


class Registry(BaseHTTPRequestHandler):
    """Has every image that it is asked for; each has a process `web`."""

    build = json.dumps(
        {
            "processes": [{"type": "web", "command": ["serve"]}],
            "buildpack-default-process-type": "web",
        }
    )

    def do_GET(self):
        manifest = {"config": {"digest": "sha256:c", "size": 10}, "layers": [{"size": 90}]}
        config = {"config": {"Labels": {"io.buildpacks.build.metadata": self.build}}}
        body = json.dumps(manifest if "/manifests/" in self.path else config).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words):
        pass


class RunningRegistry:
    def __enter__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return f"127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_exception):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def memory_cluster(name, *, by, registry):
    """A made-up cluster, which lives as long as the process, and so has a name of its own."""
    name = f"{name}-{uuid.uuid4().hex[:8]}"
    fields = FIELDS | {
        "registry": registry,
        "registry_is_insecure": True,
        "tools_url": f"https://{{tool}}.{name}.example.org/",
    }
    cluster = add_cluster(name=name, by=by, at=NOW, way="memory", **fields)
    Cluster.objects.filter(pk=cluster.pk).update(is_reachable=True)
    cluster.refresh_from_db()
    return cluster


def settle(memory, *, healthy=True):
    """Tekton ends every run, and every Deployment has what it asks for, or crashes."""
    for run in memory.list(PIPELINE_RUN).items:
        if "status" not in run:
            finish(memory, run, healthy=healthy)
    for there in memory.list(DEPLOYMENT).items:
        wanted = there["spec"]["replicas"]
        counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), wanted)
        status = {"observedGeneration": there["metadata"]["generation"], **counts}
        if not healthy:
            condition = {"type": "Progressing", "reason": "ProgressDeadlineExceeded"}
            status |= {"availableReplicas": 0, "conditions": [condition]}
        name, namespace = there["metadata"]["name"], there["metadata"]["namespace"]
        memory.set_status(DEPLOYMENT, name, status, namespace=namespace)
        put_pods(memory, there, healthy=healthy)


def put_pods(memory, deployment, *, healthy):
    metadata, template = deployment["metadata"], deployment["spec"]["template"]
    namespace, labels = metadata["namespace"], template["metadata"]["labels"]
    wanted = {
        f"{metadata['name']}-r{labels[RELEASE_LABEL]}-{uuid.UUID(metadata['uid']).hex[:4]}-{number}"
        for number in range(deployment["spec"]["replicas"])
    }
    for pod in memory.list(POD, namespace=namespace).items:
        if pod["metadata"]["name"] not in wanted:
            memory.delete(POD, pod["metadata"]["name"], namespace=namespace)
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(healthy)}]}
    for name in sorted(wanted):
        about = {"namespace": namespace, "name": name, "labels": labels}
        memory.put({"apiVersion": "v1", "kind": "Pod", "metadata": about, "status": status})


def finish(memory, run, *, healthy):
    name, namespace = run["metadata"]["name"], run["metadata"]["namespace"]
    digest = f"sha256:{uuid.uuid4().hex * 2}"
    results = [{"name": "digest", "value": digest}, {"name": "commit", "value": COMMIT}]
    condition = {"type": "Succeeded", "status": str(healthy), "reason": "Ended"}
    status = {"conditions": [condition], "results": results if healthy else []}
    memory.set_status(PIPELINE_RUN, name, status, namespace=namespace)


class Worker:
    """Looks at every row that asks for it, as the tasks do."""

    def __init__(self, here=None):
        self.now = NOW
        self.here = here or Machine(webservices=None, images=None)
        # Before each round: what controllers, or anybody else, does meanwhile.
        self.meanwhile = lambda: None

    def rounds(self, times=1, *, seconds=1):
        for _number in range(times):
            self.now += timedelta(seconds=seconds)
            self.meanwhile()
            self.look()

    def until(self, status, *, rounds=40):
        """The move once it stands so; the grace after a switch goes by in a few rounds."""
        for _number in range(rounds):
            move = Relocation.objects.first()
            if move.status == status:
                return move
            self.rounds(seconds=300 if move.status == "switched" else 1)
        raise AssertionError(f"{move.status} {move.reason} {move.waits_for}")

    def look(self):
        for build in Build.objects.exclude(next_look_at=None).select_related("tool"):
            with suppress(ClusterError, EngineError):
                reconcile_build(build, engine=engine_of(build), now=self.now)
        for webservice in Webservice.objects.select_related("tool"):
            tasks.look(webservice, now=self.now)
        for move in Relocation.objects.exclude(next_look_at=None).order_by("pk"):
            self.look_at(move)

    def look_at(self, move):
        try:
            pause = relocation.reconcile(move, here=self.here, now=self.now)
        except ClusterError as error:
            pause = relocation.note(move, str(error))
        due = None if pause is None else self.now + pause
        Relocation.objects.filter(pk=move.pk).update(next_look_at=due)
