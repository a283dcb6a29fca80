"""The adapter where nobody answers; tests/cluster has it against a real API server."""

import pytest

from portal.cluster.base import Access, ClusterUnavailable
from portal.cluster.kubernetes import KubernetesCluster


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
