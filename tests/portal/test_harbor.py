import json

import httpx
import pytest

from portal.harbor import (
    MARK,
    PULL,
    PUSH_AND_PULL,
    Account,
    Harbor,
    HarborError,
    HarborForeign,
    Robot,
    Storage,
)
from tests.harbor_server import serving

GIB = 1024**3


@pytest.fixture
def server():
    with serving() as harbor:
        yield harbor


@pytest.fixture
def harbor(server):
    with Harbor(Account(server.address, "portal", "correct horse")) as client:
        yield client


def keep(harbor, storage=GIB, newest=3):
    harbor.keep_project("hat", storage=storage, newest=newest)


def artifact(number):
    return {
        "digest": f"sha256:{number:03}",
        "push_time": f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z",
    }


def test_a_tool_gets_a_private_project_with_quota_and_retention(server, harbor):
    keep(harbor)
    project = server.project("tool-hat")
    assert project["metadata"]["public"] == "false"
    assert harbor.storage_of("hat") == Storage(used=0, limit=GIB)
    policy = server.retentions[int(project["metadata"]["retention_id"])]
    assert policy["rules"][0]["params"] == {"latestPushedK": 3}


def test_keeping_what_is_right_changes_nothing(server, harbor):
    keep(harbor)
    server.asked.clear()
    keep(harbor)
    assert server.changes() == []


def test_a_new_quota_and_retention_reach_an_old_project(server, harbor):
    keep(harbor)
    keep(harbor, storage=2 * GIB, newest=5)
    assert harbor.storage_of("hat") == Storage(used=0, limit=2 * GIB)
    assert [each["rules"][0]["params"] for each in server.retentions.values()] == [
        {"latestPushedK": 5}
    ]


def test_a_project_of_somebody_else_is_left_alone(server, harbor):
    keep(harbor)
    server.project("tool-hat")["owner_name"] = "mallory"
    server.asked.clear()
    with pytest.raises(HarborForeign, match="tool-hat belongs to mallory"):
        keep(harbor, storage=1)
    with pytest.raises(HarborForeign):
        harbor.remove_robots("hat", but=())
    with pytest.raises(HarborForeign):
        harbor.remove_images("hat", needed=(), newest=0)
    assert server.changes() == []


@pytest.mark.parametrize(
    ("actions", "words"), [(PULL, ["pull"]), (PUSH_AND_PULL, ["pull", "push"])]
)
def test_a_robot_may_do_what_it_is_for_in_its_project_alone(server, harbor, actions, words):
    keep(harbor)
    made = harbor.new_robot("hat", "portal-1", actions=actions, days=7)
    (robot,) = server.robots.values()
    (permission,) = robot["permissions"]
    assert (permission["kind"], permission["namespace"]) == ("project", "tool-hat")
    assert [each["action"] for each in permission["access"]] == words
    assert {each["resource"] for each in permission["access"]} == {"repository"}
    assert (robot["level"], robot["duration"]) == ("project", 7)
    assert made.name == "robot$tool-hat+portal-1"


def test_a_robot_whose_name_is_taken_is_left_alone(server, harbor):
    keep(harbor)
    harbor.new_robot("hat", "portal-1", actions=PULL, days=7)
    with pytest.raises(HarborForeign, match="portal-1"):
        harbor.new_robot("hat", "portal-1", actions=PUSH_AND_PULL, days=7)
    assert len(server.robots) == 1


def test_old_robots_of_ours_go_and_those_of_others_stay(server, harbor):
    keep(harbor)
    for number in range(150):
        harbor.new_robot("hat", f"portal-{number}", actions=PULL, days=7)
    theirs = next(iter(server.robots.values()))
    theirs["description"] = "mallory's own"
    harbor.remove_robots("hat", but={"robot$tool-hat+portal-149"})
    left = {each["name"]: each["description"] for each in server.robots.values()}
    assert left == {"robot$tool-hat+portal-0": "mallory's own", "robot$tool-hat+portal-149": MARK}


def test_robots_of_another_tool_stay(server, harbor):
    keep(harbor)
    harbor.keep_project("coat", storage=GIB, newest=3)
    harbor.new_robot("coat", "portal-1", actions=PULL, days=7)
    harbor.remove_robots("hat", but=())
    assert len(server.robots) == 1


def test_images_go_that_are_neither_needed_nor_new(server, harbor):
    keep(harbor)
    server.artifacts["tool-hat/a/b"] = [artifact(number) for number in range(130)]
    server.artifacts["tool-coat/web"] = [artifact(1)]
    removed = harbor.remove_images("hat", needed={"sha256:005"}, newest=2)
    left = [each["digest"] for each in server.artifacts["tool-hat/a/b"]]
    assert left == ["sha256:005", "sha256:128", "sha256:129"]
    assert len(removed) == 127
    assert len(server.artifacts["tool-coat/web"]) == 1


def test_a_tool_without_a_project_has_nothing_to_show_or_remove(server, harbor):
    assert harbor.storage_of("hat") is None
    assert harbor.remove_images("hat", needed=(), newest=0) == []
    harbor.remove_robots("hat", but=())
    assert server.changes() == []


@pytest.mark.parametrize("status", [500, 503, 412, 403])
def test_a_harbor_that_refuses_says_so(server, harbor, status):
    server.broken = status
    with pytest.raises(HarborError, match=f"answered {status}"):
        keep(harbor)


def test_a_wrong_password_is_said_as_such(server):
    with (
        Harbor(Account(server.address, "portal", "wrong")) as harbor,
        pytest.raises(HarborError, match="does not accept"),
    ):
        keep(harbor)


def test_a_silent_harbor_is_given_up_on(server):
    server.is_slow = True
    account = Account(server.address, "portal", "correct horse")
    with (
        Harbor(account, timeout=httpx.Timeout(0.2)) as harbor,
        pytest.raises(HarborError, match="in time"),
    ):
        keep(harbor)


def test_what_was_missed_is_made_once_harbor_is_back(server, harbor):
    server.broken = 503
    with pytest.raises(HarborError):
        keep(harbor)
    server.broken = 0
    keep(harbor)
    assert server.project("tool-hat")


def test_a_robot_signs_in_by_dockers_config():
    config = json.loads(Robot("robot$tool-hat+p", "s").docker_config("harbor.example.org"))
    assert config == {"auths": {"harbor.example.org": {"auth": "cm9ib3QkdG9vbC1oYXQrcDpz"}}}
