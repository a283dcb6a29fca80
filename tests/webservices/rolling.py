"""Hat's webservice in a made-up cluster: looks at it, and what controllers would do."""

from datetime import timedelta

from builds.models import Build, Image
from builds.states import Status as BuildStatus
from portal.cluster.kinds import DEPLOYMENT
from portal.webservices import operations, rollout
from portal.webservices.models import Webservice
from portal.webservices.states import Status
from tests.clusters.contract import OURS
from tests.conftest import NOW


def image(tool, number, *, registry="registry.example.org", at=NOW):
    """What a build made, as far as the portal's rows know."""
    build = Build.objects.create(
        tool=tool,
        cluster=tool.cluster,
        number=number,
        source_url="https://git.example.org/hat.git",
        status=BuildStatus.SUCCEEDED,
        created_at=at,
    )
    digest = f"sha256:{number:064}"
    return Image.objects.create(
        tool=tool,
        build=build,
        digest=digest,
        reference=f"{registry}/tool-hat/hat@{digest}",
        size=1,
        processes={"web": ["serve"]},
        default_process="web",
        created_at=at,
    )


def look(hat, tools, *, after=0):
    webservice = Webservice.objects.select_related("tool").get(tool=hat)
    pause = rollout.reconcile(webservice, cluster=tools, now=NOW + timedelta(seconds=after))
    webservice.refresh_from_db()
    return webservice, pause


def deployment(memory):
    return memory.get(DEPLOYMENT, "hat", namespace="tool-hat")


def release_of(memory):
    labels = deployment(memory)["spec"]["template"]["metadata"]["labels"]
    return labels["portal.example.org/release"]


def settle(memory, **status):
    """The controllers say that all replicas are there, or something else."""
    there = deployment(memory)
    wanted = there["spec"]["replicas"]
    given = {
        "observedGeneration": there["metadata"]["generation"],
        "replicas": wanted,
        "updatedReplicas": wanted,
        "availableReplicas": wanted,
    }
    memory.set_status(DEPLOYMENT, "hat", given | status, namespace="tool-hat")


def put_pod(memory, name, release, *, is_ready=True, **status):
    labels = {"app.kubernetes.io/name": "hat", "portal.example.org/release": str(release)}
    labels |= OURS
    ready = {"type": "Ready", "status": str(is_ready)}
    memory.put(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"namespace": "tool-hat", "name": name, "labels": labels},
            "status": {"phase": "Running", "conditions": [ready], **status},
        }
    )


def first_release(hat, alice, tools, memory):
    """Release 1 runs."""
    operations.deploy(image(hat, 1), by=alice, at=NOW)
    look(hat, tools)
    put_pod(memory, "hat-a", 1)
    settle(memory)
    webservice, _pause = look(hat, tools)
    assert webservice.status == Status.RUNNING
    return webservice.live
