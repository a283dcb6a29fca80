"""Orders stand in the database: a queue that is away keeps nobody from giving them."""

import socket

import pytest
from django.utils import timezone

from builds.models import Build
from builds.tasks import LATE
from portal.celery import app


@pytest.fixture
def _away(monkeypatch):
    """The portal is to use a Redis that does not answer."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        for name in ("broker_url", "broker_write_url"):
            monkeypatch.setitem(app.conf, name, f"redis://127.0.0.1:{port}/0")
        monkeypatch.setitem(app.conf, "broker_transport", None)
        # Connections that were opened before.
        monkeypatch.setattr(app.amqp, "_producer_pool", None)
        yield


@pytest.mark.usefixtures("_away")
@pytest.mark.django_db(transaction=True)
def test_an_order_is_taken_though_the_queue_is_away(hat, alice, api_of, caplog):
    answer = api_of(alice).post(
        f"/api/v1/tools/{hat.name}/builds/", {"source_url": "https://git.example.org/hat"}
    )
    assert answer.status_code == 202
    assert Build.objects.overdue(timezone.now() + LATE).get().number == answer.json()["number"]
    assert "Connection refused" in caplog.text
