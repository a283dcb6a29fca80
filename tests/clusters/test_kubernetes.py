"""The adapter where nobody answers; tests/cluster has it against a real API server."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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


class Kubelet(BaseHTTPRequestHandler):
    """Says, with status 200, that it has cleaned a container away."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"unable to retrieve container logs for containerd://6c69\n")

    def log_message(self, *_words):
        pass


def test_what_a_kubelet_says_of_a_log_that_is_gone_is_no_output():
    with ThreadingHTTPServer(("127.0.0.1", 0), Kubelet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cluster = KubernetesCluster(Access(server=f"http://127.0.0.1:{server.server_port}"))
        assert cluster.logs("hat-a", "web", namespace="tool-hat", limit=100) == b""
        server.shutdown()
