"""The command line against the portal's own WSGI application: no server, no network."""

import httpx
import pytest
from click.testing import CliRunner
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections

from portal.accounts.models import ApiToken
from portal_cli.client import Portal
from portal_cli.main import cli
from tests.conftest import NOW

SERVER = "http://localhost"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A configuration directory of the test's own, and nobody signed in."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("PORTAL_TOKEN", "PORTAL_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def transport():
    """The application, which keeps the test's transaction open, as Django's own client does."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield httpx.WSGITransport(get_wsgi_application())
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def run(transport):
    """Run the program with these words; the second stream is standard error."""

    def invoke(*words, stdin=None, through=transport):
        portal = Portal(SERVER, transport=through)
        return CliRunner().invoke(cli, words, obj=portal, input=stdin)

    return invoke


@pytest.fixture
def alices(run, alice):
    """The same with alice signed in."""
    _token, value = ApiToken.issue(alice, name="cli", at=NOW)
    done = run("login", "--token", stdin=f"{value}\n")
    assert done.exit_code == 0, done.output
    return run
