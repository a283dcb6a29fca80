"""Which buildpacks of a group take part."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builds.lifecycle.plan import Candidate, InvalidPlan, Offer, read_offers, resolve


def needs(*names):
    return tuple({"name": name} for name in names)


PROVIDER = Candidate("a", (Offer(provides=("x",)),))
USER = Candidate("b", (Offer(requires=needs("x")),))


def test_what_one_requires_another_provides():
    plan = resolve([PROVIDER, USER])
    assert plan.keys == ("a", "b")
    assert plan.entries[0].requires == [{"name": "x"}]


@pytest.mark.parametrize("group", [[PROVIDER], [USER], [USER, PROVIDER]])
def test_a_need_unmet_or_an_offer_unused_fails_the_group(group):
    assert resolve(group) is None


def test_an_optional_buildpack_that_does_not_fit_is_left_out():
    extra = Candidate("c", (Offer(provides=("unused",)),), is_optional=True)
    assert resolve([extra, PROVIDER, USER]).keys == ("a", "b")


def test_an_alternative_is_tried_where_the_first_offer_fails():
    flexible = Candidate("b", (Offer(requires=needs("y")), Offer(requires=needs("x"))))
    assert resolve([PROVIDER, flexible]).keys == ("a", "b")


def test_a_buildpack_may_use_what_it_provides_itself():
    assert resolve([Candidate("a", (Offer(("x",), needs("x")),))]).keys == ("a",)


def test_nothing_left_is_no_plan():
    assert resolve([Candidate("a", (Offer(provides=("x",)),), is_optional=True)]) is None


def test_offers_are_read_with_their_alternatives():
    data = {"provides": [{"name": "x"}], "or": [{"requires": [{"name": "y"}]}]}
    first, second = read_offers(data)
    assert first.provides == ("x",)
    assert second.requires == ({"name": "y"},)


@pytest.mark.parametrize(
    "data",
    [
        {"provides": "x"},
        {"requires": [{"version": "1"}]},
        {"requires": [{"name": "x", "version": "1"}]},
        {"or": [1]},
    ],
)
def test_a_plan_that_is_not_one_is_refused(data):
    with pytest.raises(InvalidPlan):
        read_offers(data)


names = st.sampled_from("xyz")
offers = st.builds(
    Offer,
    st.lists(names, max_size=2).map(tuple),
    st.lists(names, max_size=2).map(lambda chosen: needs(*chosen)),
)


@given(st.lists(st.tuples(st.lists(offers, min_size=1, max_size=2), st.booleans()), max_size=4))
def test_every_plan_is_complete_and_in_order(group):
    candidates = [
        Candidate(str(number), tuple(given_offers), optional)
        for number, (given_offers, optional) in enumerate(group)
    ]
    plan = resolve(candidates)
    if plan is None:
        return
    assert list(plan.keys) == sorted(plan.keys)
    assert all(each.is_optional or each.key in plan.keys for each in candidates)
    assert all(entry.providers and entry.requires for entry in plan.entries)
