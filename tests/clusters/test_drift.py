"""When an object is as it was applied, and when somebody edited it."""

import pytest

from portal.cluster.drift import is_as_wanted, stamped

WANTED = stamped(
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "outside", "labels": {"tool": "hat"}},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Egress"],
            "egress": [{"ports": [{"port": 53}]}, {"ports": [{"port": 443}]}],
            "limits": {"cpu": "1000m", "memory": "1024Mi"},
        },
    }
)


def there(**spec):
    """The object as an API server shows it, with some of it edited."""
    metadata = {**WANTED["metadata"], "uid": "1", "resourceVersion": "17"}
    return {**WANTED, "metadata": metadata, "spec": WANTED["spec"] | spec}


def test_what_the_server_adds_makes_no_difference():
    shown = there(extra={"defaulted": True})
    shown["metadata"]["labels"] = {"tool": "hat", "of": "somebody"}
    assert is_as_wanted(shown, WANTED)


def test_the_same_quantity_may_be_written_in_two_ways():
    assert is_as_wanted(there(limits={"cpu": "1", "memory": "1Gi"}), WANTED)
    assert not is_as_wanted(there(limits={"cpu": "1", "memory": "1G"}), WANTED)
    assert not is_as_wanted(there(limits={"cpu": "10", "memory": "1Gi"}), WANTED)


@pytest.mark.parametrize(
    "edited",
    [
        {"egress": [*WANTED["spec"]["egress"], {}]},
        {"egress": WANTED["spec"]["egress"][:1]},
        {"egress": list(reversed(WANTED["spec"]["egress"]))},
        {"policyTypes": ["Ingress"]},
        {"podSelector": {"matchLabels": {"nothing": "at all"}}},
        {"limits": {"cpu": "1"}},
        {"limits": None},
    ],
)
def test_an_edit_is_seen(edited):
    assert not is_as_wanted(there(**edited), WANTED)


def test_a_selector_with_one_label_more_is_another():
    wanted = stamped({"metadata": {}, "spec": {"selector": {"app": "hat"}}})
    shown = {**wanted, "spec": {"selector": {"app": "hat", "and": "more"}}}
    assert not is_as_wanted(shown, wanted)


def test_what_is_no_longer_named_is_a_difference():
    less = {**WANTED, "spec": {"policyTypes": ["Egress"]}}
    less["metadata"] = {"name": "outside", "labels": {"tool": "hat"}}
    assert not is_as_wanted(there(), stamped(less))


def test_what_is_empty_may_be_left_out():
    wanted = stamped({"metadata": {}, "spec": {"name": "", "list": [], "map": {}}})
    assert is_as_wanted({**wanted, "spec": {}}, wanted)


def test_annotations_of_ones_own_stay():
    made = stamped({"metadata": {"annotations": {"note": "kept"}}})
    assert made["metadata"]["annotations"]["note"] == "kept"
    assert len(made["metadata"]["annotations"]) == 2
