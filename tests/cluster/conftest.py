import pytest

from tests.cluster.cluster import start_cluster


@pytest.fixture(scope="session")
def cluster():
    """A Kubernetes API server with its controllers; pods are not run."""
    with start_cluster() as cluster:
        yield cluster
