import pytest

from tests.cluster.cluster import start_cluster
from tests.cluster.lab import start_lab


@pytest.fixture(scope="session")
def cluster():
    """A Kubernetes API server with its controllers; pods are not run."""
    with start_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def lab():
    """A cluster that runs pods, with a registry and the images of builds."""
    with start_lab() as lab:
        yield lab
