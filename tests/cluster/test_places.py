"""A tool's credentials for a Harbor in a real API server, put there by the portal's account."""

import base64
import json
from datetime import timedelta

import pytest

from portal.cluster.home import home_of
from portal.clusters.connections import connect, home_in
from portal.clusters.models import RegistryPlace
from portal.clusters.operations import rotate_credentials
from portal.clusters.places import overlap
from portal.webservices.registries import keep_place
from tests.cluster.harbor_document import serving_by_the_document
from tests.cluster.operator import account_in
from tests.conftest import NOW
from tests.registries import account, cluster_with, harbor

__all__ = ["account", "harbor"]
pytestmark = [pytest.mark.cluster, pytest.mark.django_db]


@pytest.fixture
def rights(cluster):
    """The portal's kubeconfig, with the rights that it asks for and no others."""
    return account_in(cluster)


def keep(now):
    RegistryPlace.objects.update(next_look_at=now)
    keep_place(RegistryPlace.objects.select_related("cluster", "tool").get(), now=now)
    return RegistryPlace.objects.get()


def robot_in(cluster, namespace):
    secret = cluster.get("secret", "registry", "-n", namespace)
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    [entry] = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))["auths"].values()
    return base64.b64decode(entry["auth"]).decode().partition(":")[0]


@pytest.mark.parametrize("harbor", [serving_by_the_document], indirect=True)
def test_secrets_follow_the_robots(cluster, rights, harbor, account, ada, hat):
    row = cluster_with(
        harbor.address.removeprefix("http://"),
        by=ada,
        way="kubeconfig",
        kubeconfig=str(rights),
        registry_kind="harbor",
        harbor_account_file=str(account),
    )
    before = keep(NOW)
    assert (before.trouble, len(before.robots)) == ("", 2)
    for manifest in home_of(home_in(row, "hat")):
        connect(row).apply(manifest)
    assert [robot_in(cluster, name) for name in ("build-hat", "tool-hat")] == before.robots
    pulled = cluster.get("serviceaccount", "tool", "-n", "tool-hat")["imagePullSecrets"]
    assert pulled == [{"name": "registry"}]

    later = NOW + timedelta(minutes=1)
    rotate_credentials(row, by=ada, at=later)
    after = keep(later)
    assert after.trouble == ""
    assert [robot_in(cluster, name) for name in ("build-hat", "tool-hat")] == after.robots
    assert len(harbor.robots) == 4
    keep(later + overlap())
    assert sorted(each["name"] for each in harbor.robots.values()) == sorted(after.robots)
    cluster.kubectl("delete", "namespace", "tool-hat", "build-hat", "--wait=false")
