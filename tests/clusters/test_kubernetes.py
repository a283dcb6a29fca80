"""The adapter against a real API server: `KUBECONFIG` names one, or the lab starts one."""

import os
import uuid

import pytest

from portal.cluster.base import Access, ClusterRefused, ClusterUnavailable, CredentialsRefused
from portal.cluster.kinds import CONFIG_MAP, NAMESPACE
from portal.cluster.kubernetes import KubernetesCluster
from tests.clusters.contract import OURS, ClusterContract, config_map

needs_cluster = pytest.mark.skipif("KUBECONFIG" not in os.environ, reason="KUBECONFIG is not set")


@pytest.fixture(scope="session")
def cluster():
    cluster = KubernetesCluster(Access(kubeconfig=os.environ["KUBECONFIG"]))
    yield cluster
    cluster.close()


@pytest.fixture
def namespace(cluster):
    name = f"test-{uuid.uuid4().hex[:8]}"
    metadata = {"name": name, "labels": OURS}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    yield name
    cluster.delete(NAMESPACE, name)


@pytest.fixture
def foreign(cluster):
    """Somebody else writes, with a field manager of their own."""

    def write(manifest):
        path = CONFIG_MAP.path(
            namespace=manifest["metadata"]["namespace"], name=manifest["metadata"]["name"]
        )
        cluster._json(
            "PATCH",
            path,
            query={"fieldManager": "somebody", "force": "true"},
            body=manifest,
            content_type="application/apply-patch+yaml",
        )

    return write


@pytest.mark.cluster
@needs_cluster
class TestKubernetesCluster(ClusterContract):
    def test_what_is_refused_says_why(self, cluster, namespace):
        bad = config_map(namespace, "Not_A_Name")
        with pytest.raises(ClusterRefused, match="Not_A_Name"):
            cluster.create(bad)

    def test_a_wrong_token_is_told_apart(self, cluster, tmp_path):
        host, ca = _address(cluster)
        (tmp_path / "token").write_text("made-up")
        stranger = KubernetesCluster(
            Access(server=host, ca_file=ca, token_file=str(tmp_path / "token"))
        )
        with pytest.raises(CredentialsRefused):
            stranger.list(CONFIG_MAP)
        stranger.close()


def _address(cluster):
    configuration = cluster._client.configuration
    return configuration.host, configuration.ssl_ca_cert


def test_nobody_answering_is_a_sentence():
    nobody = KubernetesCluster(Access(server="http://127.0.0.1:9", timeouts=(0.5, 0.5)))
    with pytest.raises(ClusterUnavailable, match=r"127\.0\.0\.1:9 does not answer"):
        nobody.version()


def test_a_kubeconfig_that_is_not_there_is_a_sentence(tmp_path):
    nobody = KubernetesCluster(Access(kubeconfig=str(tmp_path / "nothing")))
    with pytest.raises(ClusterUnavailable, match="cannot be read"):
        nobody.version()


def test_a_token_is_read_again_from_its_file(tmp_path):
    token = tmp_path / "token"
    token.write_text("first")
    cluster = KubernetesCluster(Access(server="http://127.0.0.1:9", token_file=str(token)))
    asked = cluster._client.configuration.get_api_key_with_prefix
    assert asked("BearerToken") == "Bearer first"
    token.write_text("second")
    assert asked("BearerToken") == "Bearer second"
