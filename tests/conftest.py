"""What all tests share: a state directory of their own, the cast, and their clients."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from rest_framework.test import APIClient

from portal.accounts.models import ApiToken, User
from portal.clusters.connections import connect
from portal.tools.models import Tool
from portal.tools.operations import register_tool
from tests.clusters.made_up import made_up_cluster
from tests.git_server import GitServer

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session", autouse=True)
def _broker():
    for folder in ("messages", "control"):
        (settings.BROKER / folder).mkdir(parents=True, exist_ok=True)


@pytest.fixture
def now():
    return NOW


@pytest.fixture
def alice(db):
    return User.objects.create_user("alice")


@pytest.fixture
def bob(db):
    return User.objects.create_user("bob")


@pytest.fixture
def mallory(db):
    return User.objects.create_user("mallory")


@pytest.fixture
def wanda(db):
    return User.objects.create_user("wanda", is_workgroup=True)


@pytest.fixture
def ada(db):
    return User.objects.create_user("ada", is_admin=True)


@pytest.fixture
def hat(alice):
    """A tool of alice's."""
    return register_tool(
        "hat", by=alice, at=NOW, title="Hat", repository="https://git.example.org/hat.git"
    )


@pytest.fixture
def tools(ada, hat):
    """The cluster in memory that hat lives in."""
    cluster = made_up_cluster(by=ada, at=NOW)
    Tool.objects.filter(pk=hat.pk).update(cluster=cluster)
    hat.refresh_from_db()
    return cluster


@pytest.fixture
def memory(tools):
    return connect(tools)


@pytest.fixture
def client_of():
    def make(user):
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def api_of():
    def make(user):
        _token, value = ApiToken.issue(user, name="test", at=NOW)
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {value}")
        return client

    return make


@pytest.fixture(scope="session")
def git_server(tmp_path_factory):
    """A real Git server over HTTP on loopback."""
    with GitServer(Path(tmp_path_factory.mktemp("git"))) as server:
        yield server
