"""The cluster in memory does what a cluster does."""

import pytest

from portal.cluster.base import ClusterUnavailable, Right, WatchExpired
from portal.cluster.kinds import CONFIG_MAP, NAMESPACE
from portal.cluster.memory import MemoryCluster
from tests.clusters.contract import ClusterContract, config_map


@pytest.fixture
def cluster():
    return MemoryCluster()


@pytest.fixture
def namespace(cluster):
    cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tool-hat"}})
    return "tool-hat"


@pytest.fixture
def foreign(cluster):
    return cluster.put


class TestMemoryCluster(ClusterContract):
    pass


def test_a_watch_from_a_forgotten_version_expires(cluster, namespace):
    since = cluster.list(CONFIG_MAP).resource_version
    cluster.apply(config_map(namespace))
    cluster.forget_history()
    with pytest.raises(WatchExpired):
        list(cluster.watch(CONFIG_MAP, since=since, seconds=2))


def test_a_namespace_takes_its_objects_along(cluster, namespace):
    cluster.apply(config_map(namespace))
    cluster.delete(NAMESPACE, namespace)
    assert cluster.get(CONFIG_MAP, "hat", namespace=namespace) is None


def test_a_fault_meets_every_verb(cluster):
    cluster.fault = ClusterUnavailable("away")
    with pytest.raises(ClusterUnavailable):
        cluster.version()


def test_a_right_can_be_denied(cluster):
    right = Right("create", "", "pods", "tool-hat")
    cluster.denied.add(right)
    assert not cluster.may(right)
    assert cluster.may(Right("get", "", "pods", "tool-hat"))
