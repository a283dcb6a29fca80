"""Clusters in memory whose registries answer on loopback: fixtures for the tests that need one."""

import itertools

import pytest

from portal.clusters.connections import connect
from portal.clusters.models import RegistryPlace
from portal.clusters.operations import add_cluster
from portal.clusters.places import mark_places
from portal.tools.models import Tool
from tests.cluster.harbor_document import serving_by_the_document
from tests.clusters.made_up import FIELDS
from tests.conftest import NOW
from tests.harbor_server import serving

# A cluster in memory is the same one for the same number and name.
_numbers = itertools.count(1)


def cluster_with(registry, *, by, **fields):
    """A cluster that all tools live in, in memory unless it says otherwise."""
    usual = {"registry": registry, "registry_is_insecure": True, "way": "memory"}
    fields = FIELDS | usual | fields
    name = f"registries-{next(_numbers)}"
    cluster = add_cluster(name=name, by=by, at=NOW, **fields)
    Tool.objects.update(cluster=cluster)
    mark_places(now=NOW)
    return cluster


# Whatever speaks to a Harbor does so once more on the machines that have Harbor's own document.
SERVING = {
    "params": [serving, pytest.param(serving_by_the_document, marks=pytest.mark.cluster)],
    "ids": ["alone", "by the document"],
}


@pytest.fixture(**SERVING)
def harbor(request):
    with request.param() as server:
        yield server


@pytest.fixture
def account(tmp_path):
    file = tmp_path / "harbor-account"
    file.write_text("portal:correct horse\n")
    return file


@pytest.fixture
def with_harbor(harbor, account, ada, hat):
    """The cluster that alice's tool lives in."""
    host = harbor.address.removeprefix("http://")
    return cluster_with(host, by=ada, registry_kind="harbor", harbor_account_file=str(account))


@pytest.fixture
def place(with_harbor):
    return RegistryPlace.objects.select_related("cluster", "tool").get(cluster=with_harbor)


@pytest.fixture
def memory(with_harbor):
    return connect(with_harbor)
