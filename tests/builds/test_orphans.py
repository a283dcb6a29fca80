"""What is left in a cluster of builds that nobody waits for is removed, and nothing else."""

import uuid
from datetime import UTC, datetime, timedelta

from builds.models import Build
from builds.operations import Source, start_build
from builds.orphans import GRACE, prune
from builds.states import Status
from builds.tasks import prune_clusters
from portal.cluster.base import ClusterUnavailable
from portal.clusters.connections import connect
from portal.clusters.models import Cluster
from portal.clusters.operations import add_cluster
from tests.clusters.contract import OURS
from tests.clusters.made_up import FIELDS
from tests.conftest import NOW


def put(memory, tool, number, *, labels=OURS):
    names = {"tool": tool, "role": "build", "build": f"{tool}-{number}"}
    labels = labels | {f"portal.example.org/{name}": value for name, value in names.items()}
    for api_version, kind, name in (
        ("tekton.dev/v1", "PipelineRun", f"{tool}-{number}"),
        ("v1", "Secret", f"{tool}-{number}-environment"),
    ):
        metadata = {"namespace": f"build-{tool}", "name": name, "labels": labels}
        memory.put({"apiVersion": api_version, "kind": kind, "metadata": metadata})


def later():
    """A made-up cluster dates its objects by the clock."""
    return datetime.now(UTC) + GRACE + timedelta(minutes=1)


def names(memory):
    return sorted(name for kind, _place, name in memory.objects if kind == "PipelineRun")


def test_a_run_without_a_row_goes_with_its_variables(tools, memory, hat):
    put(memory, "hat", 17)
    assert prune(tools, now=later()) == [
        "PipelineRun build-hat/hat-17",
        "Secret build-hat/hat-17-environment",
    ]
    assert not memory.objects


def test_what_is_young_stays(tools, memory, hat):
    put(memory, "hat", 17)
    assert prune(tools, now=datetime.now(UTC)) == []


def test_a_run_whose_build_ended_and_was_cleaned_up_goes(tools, memory, hat, alice):
    build, _is_new = start_build(hat, by=alice, source=Source("https://git.example.org/a"), at=NOW)
    put(memory, "hat", 1)
    assert prune(tools, now=later()) == []
    Build.objects.update(status=Status.SUCCEEDED)
    assert prune(tools, now=later()) == []
    Build.objects.update(next_look_at=None)
    assert len(prune(tools, now=later())) == 2
    assert build.number == 1


def test_what_is_not_the_portals_or_of_an_unknown_tool_stays(tools, memory, hat):
    put(memory, "hat", 17, labels={})
    put(memory, "stranger", 3)
    put(memory, "hat", "x")
    assert prune(tools, now=later()) == []
    assert names(memory) == ["hat-17", "hat-x", "stranger-3"]


def test_a_cluster_that_is_away_keeps_no_other_from_it(tools, memory, ada, hat):
    other = add_cluster(name=f"z-{uuid.uuid4().hex[:8]}", by=ada, at=NOW, way="memory", **FIELDS)
    memory.fault = ClusterUnavailable("away")
    prune_clusters()
    assert ("list", "PipelineRun") in connect(other).requests
    memory.fault = None
    Cluster.objects.filter(pk=other.pk).update(is_reachable=False)
    connect(other).requests.clear()
    prune_clusters()
    assert connect(other).requests == []
