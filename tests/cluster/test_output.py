"""The output of a replica while a real kubelet rotates its log."""

import time

import pytest
from django.utils import timezone

from builds.models import Build, Image
from builds.states import Status as BuildStatus
from portal.clusters.connections import connect
from portal.clusters.operations import add_cluster
from portal.tools.operations import register_tool
from portal.webservices import operations
from portal.webservices.models import Replica
from portal.webservices.output import output_of
from tests.cluster.manifests import MODEST

pytestmark = [pytest.mark.cluster, pytest.mark.django_db]
# Twice what the kubelet keeps in one file.
LINES, WIDTH = 10_000, 200
PRINT = f"""
import time
for number in range({LINES}):
    print(str(number).rjust({WIDTH}), flush=True)
    if number % 100 == 99:
        time.sleep(0.3)
time.sleep(600)
"""


@pytest.fixture
def replica(lab, ada, alice):
    """A pod that prints numbers, in the place of a replica of alice's tool."""
    cluster = add_cluster(
        name="tools",
        by=ada,
        at=timezone.now(),
        kubeconfig=str(lab.kubeconfig),
        registry=lab.registry,
        builder=lab.builder_image,
        run_image=lab.run_image,
        git_image=lab.run_image,
        is_default=True,
    )
    printer = register_tool("printer", by=alice, at=timezone.now(), title="Printer")
    build = Build.objects.create(
        tool=printer,
        cluster=cluster,
        number=1,
        source_url="https://git.example.org/printer.git",
        status=BuildStatus.SUCCEEDED,
        created_at=timezone.now(),
    )
    image = Image.objects.create(
        tool=printer,
        build=build,
        digest=f"sha256:{1:064}",
        reference=lab.run_image,
        size=1,
        processes={"web": ["print"]},
        default_process="web",
        created_at=timezone.now(),
    )
    release = operations.deploy(image, by=alice, at=timezone.now())
    lab.create_namespace("tool-printer")
    container = {
        "name": "web",
        "image": lab.run_image,
        "command": ["python3", "-c", PRINT],
        "securityContext": MODEST,
    }
    lab.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "printer", "namespace": "tool-printer"},
            "spec": {"containers": [container]},
        }
    )
    lab.wait_for_phase("printer", "Running", namespace="tool-printer")
    yield Replica.objects.create(release=release, name="printer", index=0)
    # The next one prints from its own beginning.
    lab.kubectl("delete", "pod", "printer", "-n", "tool-printer", "--grace-period=1")
    lab.kubectl("delete", "namespace", "tool-printer")


def test_who_follows_loses_nothing_over_rotation(replica):
    rest, numbers = b"", []
    cluster = connect(replica.release.place)
    for part in cluster.follow("printer", "web", namespace="tool-printer"):
        *lines, rest = (rest + part).split(b"\n")
        numbers += [int(line.split()[1]) for line in lines]
        if numbers and numbers[-1] == LINES - 1:
            break
    assert numbers == list(range(LINES))
    # The log did rotate: not everything can be read any more, or nothing right after a rotation.
    kept = cluster.logs("printer", "web", namespace="tool-printer", limit=10**7)
    assert len(kept) < LINES * (WIDTH + 1)


def test_positions_go_on_over_rotation_and_nothing_is_told_twice(replica):
    cluster, position, numbers = replica.release.place, 0, []
    end = time.monotonic() + 240
    while time.monotonic() < end and (not numbers or numbers[-1] < LINES - 1):
        fresh = Replica.objects.get(pk=replica.pk)
        data, start = output_of(fresh, cluster=cluster, since=position, limit=10**7)
        assert start == position
        position = start + len(data)
        numbers += [int(line) for line in data.split(b"\n") if line.strip()]
    assert numbers[-1] == LINES - 1
    assert numbers == sorted(set(numbers))
    assert position == len(numbers) * (WIDTH + 1)
    # What was printed between the last look and a rotation is gone; it is little.
    assert len(numbers) > LINES * 0.9
    # The log did rotate: not everything can be read from its beginning any more.
    data, start = output_of(
        Replica.objects.get(pk=replica.pk), cluster=cluster, since=0, limit=10**7
    )
    assert start > 0
    assert start + len(data) == position
