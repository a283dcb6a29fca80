"""The adapter where nobody answers; tests/cluster has it against a real API server."""

import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

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


LINE = b"2026-01-01T00:00:00Z one\n"


class Silent(BaseHTTPRequestHandler):
    """Begins to answer."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(LINE), LINE))
        self.server.is_over.wait(30)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_words):
        pass


def timers_to(port):
    """The kernel's timers of connections to a port; 2 is the one of keepalive's probes."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [
        int(row[5].split(":")[0])
        for row in rows
        if row[2].endswith(f":{port:04X}") and row[3] == "01"
    ]


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the kernel has no /proc/net/tcp")
def test_a_connection_that_says_nothing_is_probed():
    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        server.is_over = threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cluster = KubernetesCluster(Access(server=f"http://127.0.0.1:{server.server_port}"))
        with closing(cluster.follow("hat-a", "web", namespace="tool-hat")) as output:
            assert next(output) == LINE
            assert timers_to(server.server_port) == [2]
            server.is_over.set()
        server.shutdown()
