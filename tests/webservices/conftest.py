"""Images without a build, and a webservice engine that the test leads."""

from datetime import timedelta

import pytest

from builds.models import Build, Image
from builds.operations import Source, start_build
from builds.states import Status
from portal.webservices.models import Webservice
from portal.webservices.reconcile import reconcile
from tests.conftest import NOW
from tests.engines import DIGEST, ScriptedReplicas
from tests.webservices.rolling import first_release


@pytest.fixture
def engine():
    return ScriptedReplicas()


@pytest.fixture
def make_image(hat, alice):
    def make(*, tool=hat, processes=None, default="web"):
        url = f"https://git.example.org/{Build.objects.count()}"
        build = start_build(tool, by=alice, source=Source(url), at=NOW)[0]
        build.move_to(Status.RUNNING, at=NOW)
        build.move_to(Status.SUCCEEDED, at=NOW, finished_at=NOW)
        return Image.objects.create(
            tool=tool,
            build=build,
            digest=DIGEST,
            reference=f"oci:{build}",
            size=1,
            processes={"web": ["serve"]} if processes is None else processes,
            default_process=default,
            created_at=NOW,
        )

    return make


@pytest.fixture
def image(make_image):
    return make_image()


@pytest.fixture
def look(engine):
    """Look at hat's webservice so many times; gives the row as it is then."""

    def look(times=1, *, after=0):
        for number in range(times):
            webservice = Webservice.objects.select_related("tool").get(tool__name="hat")
            now = NOW + timedelta(seconds=after + number)
            look.pause = reconcile(webservice, engine=engine, now=now)
        webservice.refresh_from_db()
        return webservice

    return look


@pytest.fixture
def live(hat, alice, tools, memory):
    """Release 1 runs in a cluster."""
    return first_release(hat, alice, tools, memory)
