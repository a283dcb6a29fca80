"""What every Cluster does: run against the one in memory, and against a real API server."""

import threading

import pytest

from portal.cluster.base import (
    MANAGER,
    OWNER_LABEL,
    Absent,
    Conflict,
    ForeignObject,
    Right,
)
from portal.cluster.kinds import CONFIG_MAP, DEPLOYMENT, NAMESPACE, POD

OURS = {OWNER_LABEL: MANAGER}


def config_map(namespace, name="hat", *, labels=OURS, **data):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": namespace, "name": name, "labels": dict(labels)},
        "data": data,
    }


class ClusterContract:
    """A subclass gives the fixtures `cluster` and `namespace`, and `foreign`: another's writes."""

    def test_tells_its_version(self, cluster):
        assert cluster.version().startswith("v")

    def test_what_is_not_there_is_none(self, cluster, namespace):
        assert cluster.get(CONFIG_MAP, "nothing", namespace=namespace) is None

    def test_an_applied_object_is_there(self, cluster, namespace):
        cluster.apply(config_map(namespace, colour="red"))
        there = cluster.get(CONFIG_MAP, "hat", namespace=namespace)
        assert there["data"] == {"colour": "red"}

    def test_applying_again_takes_away_what_is_no_longer_named(self, cluster, namespace):
        cluster.apply(config_map(namespace, colour="red", size="large"))
        cluster.apply(config_map(namespace, size="small"))
        there = cluster.get(CONFIG_MAP, "hat", namespace=namespace)
        assert there["data"] == {"size": "small"}

    def test_applying_the_same_again_changes_nothing(self, cluster, namespace):
        first = cluster.apply(config_map(namespace, colour="red"))
        again = cluster.apply(config_map(namespace, colour="red"))
        assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]

    def test_applying_takes_back_what_was_edited_by_hand(self, cluster, namespace, foreign):
        cluster.apply(config_map(namespace, colour="red"))
        foreign(config_map(namespace, colour="blue", note="by hand"))
        there = cluster.apply(config_map(namespace, colour="red"))
        assert there["data"] == {"colour": "red", "note": "by hand"}

    def test_a_foreign_object_is_left_alone(self, cluster, namespace, foreign):
        foreign(config_map(namespace, labels={}, colour="green"))
        with pytest.raises(ForeignObject, match=r"ConfigMap .*/hat"):
            cluster.apply(config_map(namespace, colour="red"))
        with pytest.raises(ForeignObject):
            cluster.create(config_map(namespace, colour="red"))
        there = cluster.get(CONFIG_MAP, "hat", namespace=namespace)
        assert there["data"] == {"colour": "green"}

    def test_the_first_of_two_creators_makes_it(self, cluster, namespace):
        assert cluster.create(config_map(namespace, by="the first"))
        assert not cluster.create(config_map(namespace, by="the second"))
        there = cluster.get(CONFIG_MAP, "hat", namespace=namespace)
        assert there["data"] == {"by": "the first"}

    def test_nothing_is_made_in_a_namespace_that_is_not_there(self, cluster):
        with pytest.raises(Absent, match="no-such-place"):
            cluster.apply(config_map("no-such-place"))

    def test_a_list_holds_what_has_the_labels(self, cluster, namespace):
        cluster.apply(config_map(namespace, "hat", labels=OURS | {"size": "large"}))
        cluster.apply(config_map(namespace, "cap"))
        found = cluster.list(CONFIG_MAP, namespace=namespace, labels={"size": "large"})
        assert [each["metadata"]["name"] for each in found.items] == ["hat"]
        assert found.items[0]["kind"] == "ConfigMap"

    def test_merging_changes_one_field(self, cluster, namespace):
        cluster.apply(config_map(namespace, colour="red", size="large"))
        there = cluster.merge(CONFIG_MAP, "hat", {"data": {"size": None}}, namespace=namespace)
        assert there["data"] == {"colour": "red"}

    def test_merging_into_an_old_version_is_a_conflict(self, cluster, namespace):
        old = cluster.apply(config_map(namespace, colour="red"))["metadata"]["resourceVersion"]
        cluster.apply(config_map(namespace, colour="blue"))
        changes = {"metadata": {"resourceVersion": old}, "data": {"colour": "green"}}
        with pytest.raises(Conflict):
            cluster.merge(CONFIG_MAP, "hat", changes, namespace=namespace)

    def test_deleting_twice_is_success(self, cluster, namespace):
        cluster.apply(config_map(namespace))
        cluster.delete(CONFIG_MAP, "hat", namespace=namespace)
        cluster.delete(CONFIG_MAP, "hat", namespace=namespace)
        assert cluster.get(CONFIG_MAP, "hat", namespace=namespace) is None

    def test_a_watch_tells_what_happens_from_a_version_on(self, cluster, namespace):
        cluster.apply(config_map(namespace, "old"))
        since = cluster.list(CONFIG_MAP, namespace=namespace).resource_version
        changes = []

        def follow():
            for change in cluster.watch(
                CONFIG_MAP, since=since, namespace=namespace, labels=OURS, seconds=3
            ):
                if change.type != "BOOKMARK":
                    changes.append((change.type, change.object["metadata"]["name"]))

        thread = threading.Thread(target=follow)
        thread.start()
        cluster.apply(config_map(namespace, colour="red"))
        cluster.apply(config_map(namespace, colour="blue"))
        cluster.delete(CONFIG_MAP, "hat", namespace=namespace)
        thread.join()
        assert changes == [("ADDED", "hat"), ("MODIFIED", "hat"), ("DELETED", "hat")]

    def test_the_portal_learns_what_it_may(self, cluster):
        assert cluster.may(Right("create", "", "configmaps", "default")) in (True, False)

    def test_logs_of_a_pod_that_is_not_there_are_empty(self, cluster, namespace):
        assert cluster.logs("nobody", "main", namespace=namespace, limit=100) == b""
        assert cluster.get(POD, "nobody", namespace=namespace) is None

    def test_kinds_with_a_group_are_found(self, cluster, namespace):
        assert cluster.list(DEPLOYMENT, namespace=namespace).items == []
        assert cluster.get(NAMESPACE, namespace)["metadata"]["name"] == namespace
        assert cluster.get(NAMESPACE, "no-such-place") is None
