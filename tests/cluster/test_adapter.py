"""The adapter against a real API server."""

import queue
import threading
import uuid
from time import monotonic

import pytest

from portal.cluster.base import Access, ClusterRefused, CredentialsRefused, Right
from portal.cluster.informer import Informer
from portal.cluster.kinds import CONFIG_MAP, NAMESPACE
from portal.cluster.kubernetes import APPLY, KubernetesCluster
from portal.cluster.lease import Lease
from tests.clusters.contract import OURS, ClusterContract, config_map

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def cluster(cluster):
    adapter = KubernetesCluster(Access(kubeconfig=str(cluster.kubeconfig)))
    yield adapter
    adapter.close()


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
        metadata = manifest["metadata"]
        path = CONFIG_MAP.path(namespace=metadata["namespace"], name=metadata["name"])
        query = {"fieldManager": "somebody", "force": "true"}
        cluster._json("PATCH", path, query=query, body=manifest, content_type=APPLY)

    return write


class TestKubernetesCluster(ClusterContract):
    def test_what_is_refused_says_why(self, cluster, namespace):
        with pytest.raises(ClusterRefused, match="Not_A_Name"):
            cluster.create(config_map(namespace, "Not_A_Name"))

    def test_a_token_that_is_not_known_is_told_apart(self, cluster, tmp_path):
        configuration = cluster._client.configuration
        (tmp_path / "token").write_text("made-up")
        stranger = KubernetesCluster(
            Access(
                server=configuration.host,
                ca_file=configuration.ssl_ca_cert,
                token_file=str(tmp_path / "token"),
            )
        )
        with pytest.raises(CredentialsRefused):
            stranger.list(CONFIG_MAP)
        stranger.close()

    def test_an_administrator_may_and_is_asked(self, cluster):
        assert cluster.may(Right("create", "tekton.dev", "pipelineruns"))
        assert cluster.may(Right("get", "", "pods/log"))

    def test_one_of_two_holds_a_lease(self, cluster, namespace):
        first, second = (
            Lease(cluster, "watcher", namespace=namespace, identity=name)
            for name in ("first", "second")
        )
        assert first.hold()
        assert not second.hold()
        assert first.hold()
        first.release()
        assert second.hold()

    def test_changes_are_heard_soon_over_the_end_of_a_watch(self, cluster, namespace):
        heard, stop = queue.Queue(), threading.Event()
        labels = OURS | {"test": namespace}
        informer = Informer(
            cluster,
            CONFIG_MAP,
            begin=lambda: None,
            tell=heard.put,
            labels=labels,
            watch_seconds=2,
        )
        thread = threading.Thread(target=informer.run, args=(stop,))
        thread.start()
        for number in range(6):
            began = monotonic()
            cluster.apply(config_map(namespace, labels=labels, number=str(number)))
            assert heard.get(timeout=10).object["data"] == {"number": str(number)}
            assert monotonic() - began < 5
            stop.wait(0.7)
        stop.set()
        thread.join()
        assert heard.empty()
