"""What may be asked of a webservice."""

import pytest

from portal.tools.operations import set_status
from portal.webservices.models import Webservice
from portal.webservices.operations import DeployRefused, configure, deploy, restart
from portal.webservices.releases import builds_to_deploy, webservice_of
from portal.webservices.tasks import deploy_build
from tests.conftest import NOW


def test_releases_are_numbered_and_remembered(image, hat, alice):
    first, second = (deploy(image, by=alice, at=NOW) for _number in range(2))
    assert (str(first), str(second)) == ("hat-r1", "hat-r2")
    assert hat.events.filter(action="webservice.released").count() == 2


@pytest.mark.parametrize(
    ("options", "process_type", "words"),
    [
        ({"processes": {}, "default": ""}, "", "Procfile"),
        ({"default": ""}, "", "no default process"),
        ({}, "worker", "no process “worker”"),
    ],
)
def test_an_image_without_the_process_is_refused(make_image, alice, options, process_type, words):
    with pytest.raises(DeployRefused, match=words):
        deploy(make_image(**options), by=alice, at=NOW, process_type=process_type)


def test_a_deleted_image_is_refused(image, alice):
    image.removed_at = NOW
    with pytest.raises(DeployRefused, match="Build the commit again"):
        deploy(image, by=alice, at=NOW)


def test_a_disabled_tool_is_refused(image, hat, alice):
    set_status(hat, "disabled", by=alice, at=NOW)
    image.tool.refresh_from_db()
    with pytest.raises(DeployRefused, match="not active"):
        deploy(image, by=alice, at=NOW)


def test_nothing_deployed_cannot_be_restarted(hat, alice):
    with pytest.raises(DeployRefused, match="Nothing was deployed"):
        restart(webservice_of(hat, at=NOW), by=alice, at=NOW)


@pytest.mark.parametrize(
    "change",
    [{"replicas": 0}, {"replicas": 99}, {"health_check_path": "x"}, {"health_check_path": "/ x"}],
)
def test_a_bad_configuration_is_refused_and_changes_nothing(hat, alice, change):
    with pytest.raises(DeployRefused):
        configure(hat, by=alice, at=NOW, **change)
    webservice = Webservice.objects.get()
    assert (webservice.replicas, webservice.health_check_path) == (1, "/")


def test_a_configuration_is_kept_with_what_was_before(hat, alice):
    webservice = configure(hat, by=alice, at=NOW, replicas=2, health_check_path="/healthz")
    assert (webservice.replicas, webservice.health_check_path) == (2, "/healthz")
    assert hat.events.first().before["replicas"] == 1


def test_a_build_that_was_to_be_deployed_is_found_until_it_is(image):
    build = image.build
    type(build).objects.update(deploy_when_built=True)
    due = {"finished_after": NOW.replace(hour=11), "finished_before": NOW.replace(hour=13)}
    assert builds_to_deploy(**due) == [build]
    deploy_build(build)
    assert builds_to_deploy(**due) == []


def test_a_build_without_a_process_is_not_deployed(make_image):
    image = make_image(default="")
    deploy_build(image.build)
    assert not Webservice.objects.exists()
