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
)
from portal.registry import Look
from tests.registries import SERVING

GIB = 1024**3


@pytest.fixture(**SERVING)
def server(request):
    with request.param() as harbor:
        yield harbor


@pytest.fixture
def harbor(server):
    with Harbor(Account(server.address, "portal", "correct horse")) as client:
        yield client


def keep(harbor, storage=GIB):
    return harbor.keep_project("hat", storage=storage)


def artifact(number):
    return {
        "digest": f"sha256:{number:03}",
        "push_time": f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z",
    }


def test_a_tool_gets_a_private_project_with_a_quota(server, harbor):
    keep(harbor)
    project = server.project("tool-hat")
    assert project["metadata"]["public"] == "false"
    assert [each["hard"] for each in server.quotas.values()] == [{"storage": GIB}]


@pytest.mark.parametrize(("decided", "kept"), [(0, 1), (2**62, 1024**5)])
def test_a_quota_that_no_harbor_takes_is_the_nearest_that_it_does(server, harbor, decided, kept):
    keep(harbor, storage=decided)
    keep(harbor)
    keep(harbor, storage=decided)
    assert [each["hard"] for each in server.quotas.values()] == [{"storage": kept}]


def test_what_is_used_is_told(server, harbor):
    assert keep(harbor) == 0
    next(iter(server.quotas.values()))["used"]["storage"] = 42
    assert keep(harbor) == 42


def test_keeping_what_is_right_changes_nothing(server, harbor):
    keep(harbor)
    server.asked.clear()
    keep(harbor)
    assert server.changes() == []


def test_a_new_quota_reaches_an_old_project(server, harbor):
    keep(harbor)
    keep(harbor, storage=2 * GIB)
    assert [each["hard"] for each in server.quotas.values()] == [{"storage": 2 * GIB}]


def test_another_worker_may_have_been_first(server, harbor):
    keep(harbor)
    seen, usual = iter([None]), server.project
    server.project = lambda name: next(seen, usual(name))
    keep(harbor)
    assert ("POST", "/api/v2.0/projects") in server.changes()[1:]
    assert len(server.projects) == 1


def test_a_project_of_somebody_else_is_left_alone(server, harbor):
    keep(harbor)
    server.project("tool-hat")["owner_name"] = "mallory"
    server.asked.clear()
    with pytest.raises(HarborForeign, match="tool-hat belongs to mallory"):
        keep(harbor, storage=1)
    with pytest.raises(HarborForeign):
        harbor.remove_robots("hat", but=())
    with pytest.raises(HarborForeign):
        harbor.remove_project("hat")
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
    harbor.keep_project("coat", storage=GIB)
    harbor.new_robot("coat", "portal-1", actions=PULL, days=7)
    harbor.remove_robots("hat", but=())
    assert len(server.robots) == 1


def test_only_robots_of_that_name_go(server, harbor):
    keep(harbor)
    for name in ("portal-1-a", "portal-12-a"):
        harbor.new_robot("hat", name, actions=PULL, days=7)
    harbor.remove_robots("hat", but=(), named="portal-1-")
    assert [each["name"] for each in server.robots.values()] == ["robot$tool-hat+portal-12-a"]


def test_an_image_is_deleted_by_its_digest_however_deep_its_repository(server, harbor):
    keep(harbor)
    server.artifacts["tool-hat/a/b"] = [artifact(1), artifact(2)]
    for _time in range(2):
        harbor.remove_image("tool-hat/a/b", "sha256:001")
    assert server.artifacts["tool-hat/a/b"] == [artifact(2)]


def test_all_but_the_newest_of_a_repository_go(server, harbor):
    keep(harbor)
    server.artifacts["tool-hat/hat-cache"] = [artifact(number) for number in range(130)]
    assert harbor.trim("hat", "hat-cache", newest=1) == 129
    assert server.artifacts["tool-hat/hat-cache"] == [artifact(129)]
    assert harbor.trim("hat", "nothing", newest=1) == 0


def test_a_project_goes_with_what_is_in_it(server, harbor):
    keep(harbor)
    harbor.new_robot("hat", "portal-1", actions=PULL, days=7)
    server.artifacts["tool-hat/hat"] = [artifact(1)]
    server.artifacts["tool-coat/coat"] = [artifact(1)]
    for _time in range(2):
        harbor.remove_project("hat")
    assert (server.projects, server.robots) == ({}, {})
    assert list(server.artifacts) == ["tool-coat/coat"]


def test_a_project_into_which_something_is_pushed_at_the_end_goes_the_next_time(server, harbor):
    keep(harbor)
    server.artifacts["tool-hat/hat"] = [artifact(1)]
    usual = server.delete_projects

    def pushed_to(*asked):
        server.artifacts["tool-hat/late"] = [artifact(2)]
        return usual(*asked)

    server.delete_projects = pushed_to
    with pytest.raises(HarborError, match="answered 412"):
        harbor.remove_project("hat")
    server.delete_projects = usual
    harbor.remove_project("hat")
    assert (server.projects, server.artifacts) == ({}, {})


def test_a_tool_without_a_project_has_nothing_to_remove(server, harbor):
    harbor.remove_robots("hat", but=())
    harbor.remove_project("hat")
    assert server.changes() == []


def test_its_version_and_its_ill_parts_are_told(server, harbor):
    assert harbor.look() == Look("v2.13.1-6b0e9d5c")
    server.ill = {"registry"}
    assert "registry failed to ping" in harbor.look().trouble


@pytest.mark.parametrize("status", [500, 503, 412, 403])
def test_a_harbor_that_refuses_says_so(server, harbor, status):
    server.broken = status
    with pytest.raises(HarborError, match=f"answered {status}"):
        keep(harbor)


@pytest.mark.parametrize("act", [keep, Harbor.look])
def test_a_wrong_password_is_said_as_such(server, act):
    with (
        Harbor(Account(server.address, "portal", "wrong")) as harbor,
        pytest.raises(HarborError, match="does not accept"),
    ):
        act(harbor)


@pytest.mark.parametrize("act", [keep, Harbor.look])
def test_an_account_that_may_not_see_quotas_is_said_as_such(server, harbor, act):
    server.is_admin = False
    with pytest.raises(HarborError, match=r"an administrator of Harbor\?"):
        act(harbor)


def test_a_session_that_harbor_gives_does_not_make_the_portal_a_browser(server, harbor):
    place = f"{server.address}/api/v2.0/projects/tool-hat"
    with httpx.Client(auth=("portal", "correct horse")) as browser:
        assert browser.delete(place).status_code == 404
        assert browser.delete(place).status_code == 403
    harbor.look()
    keep(harbor)
    assert server.project("tool-hat")


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
