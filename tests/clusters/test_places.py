"""A tool's place in a Harbor: project, robots that change before they end, and their Secrets."""

import base64
import json
from datetime import timedelta

import pytest
from django.core.management import call_command

from portal.cluster.base import ClusterUnavailable
from portal.cluster.home import home_of
from portal.cluster.kinds import SECRET
from portal.clusters.connections import connect, home_in
from portal.clusters.models import Cluster, RegistryPlace, Relocation
from portal.clusters.operations import ClusterRefusedChange, edit_cluster, rotate_credentials
from portal.clusters.places import ROBOT_DAYS, keep_project, leave_harbor, mark_places, overlap
from portal.clusters.registries import registry_of
from portal.harbor import HarborError
from portal.tools.models import AuditEvent, Quota, Tool
from portal.tools.operations import register_tool
from tests.conftest import NOW
from tests.registries import account, cluster_with, harbor, memory, place, with_harbor

__all__ = ["account", "harbor", "memory", "place", "with_harbor"]


def days(number):
    return NOW + timedelta(days=number)


def keep(place, now=NOW):
    place = RegistryPlace.objects.select_related("cluster", "tool").get(pk=place.pk)
    with registry_of(place.cluster) as registry:
        keep_project(place, registry, now=now)
    return place


def secret(memory, namespace):
    """Which robot the namespace signs in as; None without a Secret."""
    there = memory.get(SECRET, "registry", namespace=namespace)
    if there is None:
        return None
    config = json.loads(base64.b64decode(there["data"][".dockerconfigjson"]))
    [entry] = config["auths"].values()
    return base64.b64decode(entry["auth"]).decode().partition(":")[0]


def make_home(place, memory):
    for manifest in home_of(home_in(place.cluster, place.tool.name)):
        memory.apply(manifest)


def actions(harbor):
    return {
        each["name"]: [access["action"] for access in each["permissions"][0]["access"]]
        for each in harbor.robots.values()
    }


def test_builds_may_push_and_webservices_only_pull(place, harbor):
    place = keep(place)
    push, pull = place.robots
    assert actions(harbor) == {push: ["pull", "push"], pull: ["pull"]}
    home = home_in(place.cluster, "hat")
    assert push in base64_text(home.push_credentials)
    assert pull in base64_text(home.pull_credentials)


def base64_text(config):
    [entry] = json.loads(config)["auths"].values()
    return base64.b64decode(entry["auth"]).decode()


def test_credentials_are_encrypted_and_follow_the_installations_keys(place, settings, capsys):
    place = keep(place)
    before = bytes(place.encrypted_push)
    assert b"auths" not in before
    settings.ENCRYPTION_KEYS = ["a new key", *settings.ENCRYPTION_KEYS]
    call_command("rotate_keys")
    assert "RegistryPlace.encrypted_push: 1 renewed" in capsys.readouterr().out
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
    assert home_in(place.cluster, "hat").push_credentials


def test_credentials_whose_key_is_lost_are_said_and_made_anew(place, settings):
    place = keep(place)
    settings.ENCRYPTION_KEYS = ["another key"]
    with pytest.raises(ClusterUnavailable, match="key"):
        home_in(place.cluster, "hat")
    keep(place, days(1))
    assert home_in(place.cluster, "hat").push_credentials


def test_secrets_reach_both_namespaces_of_a_home_that_is_there(place, memory):
    place = keep(place)
    make_home(place, memory)
    assert [secret(memory, name) for name in ("build-hat", "tool-hat")] == place.robots
    place = keep(place, days(ROBOT_DAYS - 5))
    assert [secret(memory, name) for name in ("build-hat", "tool-hat")] == place.robots
    assert place.placed_at == days(ROBOT_DAYS - 5)


def test_a_home_that_is_not_there_gets_them_when_it_is_made(place, memory):
    place = keep(place)
    assert place.placed_at == NOW
    assert secret(memory, "build-hat") is None


def test_keeping_what_is_right_changes_nothing(place, harbor):
    keep(place)
    keep(place, NOW + overlap())
    harbor.asked.clear()
    keep(place, days(ROBOT_DAYS - 11))
    assert harbor.changes() == []


def test_robots_change_before_they_end(place):
    first = keep(place)
    second = keep(place, days(ROBOT_DAYS - 10))
    assert first.robots != second.robots
    assert second.ends_at == days(2 * ROBOT_DAYS - 10)


def test_old_robots_are_good_until_what_began_with_them_is_over(place, harbor):
    first = keep(place)
    changed = days(ROBOT_DAYS - 10)
    second = keep(place, changed)
    assert set(actions(harbor)) == {*first.robots, *second.robots}
    keep(place, changed + overlap() - timedelta(seconds=1))
    assert set(actions(harbor)) == {*first.robots, *second.robots}
    keep(place, changed + overlap())
    assert set(actions(harbor)) == set(second.robots)


def test_old_robots_are_good_while_the_new_secrets_are_not_in_place(place, harbor, monkeypatch):
    first = keep(place)
    memory = type(connect(place.cluster))

    def away(*_args, **_more):
        raise ClusterUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(memory, "apply", away)
        for number in (ROBOT_DAYS - 10, ROBOT_DAYS - 9):
            with pytest.raises(ClusterUnavailable):
                keep(place, days(number))
    assert set(first.robots) < set(actions(harbor))
    assert keep(place, days(ROBOT_DAYS - 8)).placed_at == days(ROBOT_DAYS - 8)
    assert set(first.robots) < set(actions(harbor))


def test_a_robot_whose_secret_got_lost_goes_with_the_old_ones(place, harbor):
    place = keep(place)
    with registry_of(place.cluster) as registry:
        lost = registry.new_robot(
            "hat", f"portal-{place.cluster_id}-push-lost", actions=("pull",), days=1
        )
    place.change(has_old_robots=True)
    keep(place, NOW + overlap())
    assert lost.name not in actions(harbor)
    assert set(actions(harbor)) == set(place.robots)


def test_a_harbor_that_is_away_leaves_credentials_as_they_are(place, harbor):
    before = keep(place)
    harbor.broken = 503
    with pytest.raises(HarborError):
        keep(place, days(ROBOT_DAYS - 10))
    place.refresh_from_db()
    assert place.robots == before.robots
    assert home_in(place.cluster, "hat").push_credentials


def test_the_tools_quota_is_the_projects(place, harbor, settings):
    keep(place)
    [quota] = harbor.quotas.values()
    assert quota["hard"]["storage"] == settings.QUOTA_STORAGE_BYTES
    quota["used"]["storage"] = 7
    Quota.objects.create(tool=place.tool, storage_bytes=5)
    place = keep(place)
    assert quota["hard"]["storage"] == 5
    assert (place.used_bytes, place.limit_bytes) == (7, 5)


def test_a_new_quota_wakes_the_place_and_that_alone(place, settings):
    keep(place)
    RegistryPlace.objects.update(next_look_at=days(1))
    mark_places(now=NOW)
    assert RegistryPlace.objects.get().next_look_at == days(1)
    Quota.objects.create(tool=place.tool, storage_bytes=None)
    mark_places(now=NOW)
    assert RegistryPlace.objects.get().next_look_at == days(1)
    settings.QUOTA_STORAGE_BYTES += 1
    mark_places(now=NOW)
    assert RegistryPlace.objects.get().next_look_at == NOW


def test_a_place_that_waits_after_a_failure_is_not_woken_by_its_quota(place):
    keep(place)
    RegistryPlace.objects.update(next_look_at=days(1), failures=3)
    Quota.objects.create(tool=place.tool, storage_bytes=5)
    mark_places(now=NOW)
    assert RegistryPlace.objects.get().next_look_at == days(1)


def test_every_tool_of_a_cluster_has_a_place_once(with_harbor, alice):
    cap = register_tool("cap", by=alice, at=NOW, title="Cap")
    Tool.objects.filter(pk=cap.pk).update(cluster=with_harbor)
    register_tool("here", by=alice, at=NOW, title="Here")
    for _time in range(2):
        mark_places(now=NOW)
    names = RegistryPlace.objects.values_list("tool__name", flat=True)
    assert sorted(names) == ["cap", "hat"]


@pytest.mark.parametrize("changes", [{"status": "archived"}, {"cluster": None}])
def test_a_place_that_nobody_lives_in_goes_after_a_grace(place, settings, changes):
    Tool.objects.update(**changes)
    mark_places(now=NOW)
    place.refresh_from_db()
    assert place.remove_after == days(settings.HOME_GRACE_DAYS)
    Tool.objects.update(status="active", cluster=place.cluster)
    mark_places(now=days(1))
    place.refresh_from_db()
    assert place.remove_after is None


def test_a_tool_that_is_moving_has_a_place_in_both_clusters(place, account, ada, hat):
    target = Cluster.objects.create(name="target", created_at=NOW, registry="127.0.0.1:1")
    move = Relocation.objects.create(
        tool=hat, source=place.cluster, target=target, status="building", created_at=NOW
    )
    mark_places(now=NOW)
    assert RegistryPlace.objects.inhabited().count() == 2
    Relocation.objects.filter(pk=move.pk).update(status="switched")
    Tool.objects.update(cluster=target)
    mark_places(now=NOW)
    left = RegistryPlace.objects.filter(remove_after__isnull=False).get()
    assert left.cluster == place.cluster


def test_a_disabled_tool_keeps_its_place(place):
    Tool.objects.update(status="disabled")
    mark_places(now=NOW)
    place.refresh_from_db()
    assert place.remove_after is None


def test_a_place_is_ready_once_there_are_credentials(place):
    assert not RegistryPlace.objects.ready().exists()
    keep(place)
    assert RegistryPlace.objects.ready().exists()


def test_another_registry_means_other_credentials(place, ada):
    keep(place)
    Cluster.objects.update(registry="127.0.0.1:1")
    cluster = Cluster.objects.get()
    assert home_in(cluster, "hat").push_credentials == ""
    assert not RegistryPlace.objects.ready().exists()


def test_the_kind_may_change_to_one_with_files(place, ada, tmp_path):
    place = keep(place)
    file = tmp_path / "push.json"
    file.write_text("{}")
    edit_cluster(
        place.cluster,
        by=ada,
        at=NOW,
        registry_kind="distribution",
        push_credentials_file=str(file),
    )
    assert home_in(place.cluster, "hat").push_credentials == "{}"


def test_an_administrator_has_all_changed_now(place, ada, harbor):
    first = keep(place)
    assert rotate_credentials(place.cluster, by=ada, at=NOW) == 1
    place = keep(place, NOW + timedelta(minutes=1))
    assert not set(first.robots) & set(place.robots)
    assert place.is_rotating is False
    event = AuditEvent.objects.filter(action="cluster.credentials-rotated").get()
    assert event.actor == ada


def test_only_what_is_there_can_be_changed(place, ada):
    with pytest.raises(ClusterRefusedChange) as refused:
        rotate_credentials(place.cluster, tool="nothing", by=ada, at=NOW)
    assert refused.value.field == "tool"
    other = cluster_with("127.0.0.1:1", by=ada)
    with pytest.raises(ClusterRefusedChange, match="files"):
        rotate_credentials(other, by=ada, at=NOW)


def test_two_clusters_may_share_a_harbor(place, harbor, account, ada):
    first = keep(place)
    other = cluster_with(
        place.cluster.registry, by=ada, registry_kind="harbor", harbor_account_file=str(account)
    )
    second = keep(RegistryPlace.objects.get(cluster=other), NOW + timedelta(seconds=1))
    keep(second, NOW + overlap() + timedelta(seconds=1))
    assert set(actions(harbor)) == {*first.robots, *second.robots}
    place.change(remove_after=NOW)
    with registry_of(place.cluster) as registry:
        leave_harbor(place, registry)
    assert set(actions(harbor)) == set(second.robots)
    assert harbor.project("tool-hat")
