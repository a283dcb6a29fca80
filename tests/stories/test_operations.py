"""Writing, merging, moving, linking and ending records."""

from datetime import date, timedelta

import pytest

from portal.accounts.models import User
from portal.tools.operations import register_tool
from stories import checks, evidence, operations
from stories.kinds import KINDS
from stories.models import Flag, Link, Notification, Reading, Record, Watch
from stories.operations import Conflict, NotAllowed, Origin, Refused
from tests.conftest import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def walter(db):
    """Another member of the workgroup."""
    return User.objects.create_user("walter", is_workgroup=True)


def edit(record, by, version=None, **fields):
    title = fields.pop("title", None)
    version = version or record.version
    return operations.edit_record(
        record, by=by, at=NOW, version=version, title=title, fields=fields
    )


def move(record, to, by, **how):
    return operations.move(record, to, by=by, at=NOW, **how)


def codes(caught):
    return {each.code for each in caught.value.missing}


# --- writing ---


def test_numbers_are_never_handed_out_twice(record_of, ada):
    first, second = record_of("US"), record_of("US")
    assert (first.ident, second.ident) == ("US-1", "US-2")
    operations.delete_record(second, by=ada, at=NOW, reason="a mistake")
    assert record_of("US").ident == "US-3"


def test_each_save_is_a_revision_that_equals_the_record(record_of, wanda):
    record = record_of("FT", summary="One.")
    edit(record, wanda, summary="Two.")
    edit(record, wanda, title="Another")
    numbers = list(record.revisions.values_list("number", flat=True))
    assert numbers == [3, 2, 1]
    assert record.revisions.first().snapshot == Record.objects.get(pk=record.pk).snapshot()
    assert record.revisions.get(number=2).changed_fields == ["fields.summary"]


def test_saving_without_a_change_makes_no_revision(record_of, wanda):
    record = record_of("FT", summary="One.")
    assert edit(record, wanda, summary="One.").revision is None
    assert record.version == 1


def test_two_edits_of_different_places_are_merged(record_of, wanda, walter):
    record = record_of("FT", summary="a\nb\nc", what_is_not="x")
    edit(record, wanda, version=1, summary="A\nb\nc")
    saved = edit(Record.objects.get(), walter, version=1, summary="a\nb\nC", what_is_not="y")
    assert saved.is_merged
    fields = Record.objects.get().fields
    assert (fields["summary"], fields["what_is_not"]) == ("A\nb\nC", "y")


def test_two_edits_of_one_place_clash_and_change_nothing(record_of, wanda, walter):
    record = record_of("FT", summary="a")
    edit(record, wanda, version=1, summary="b")
    with pytest.raises(Conflict) as caught:
        edit(record, walter, version=1, summary="c")
    (clash,) = caught.value.clashes
    assert (clash.base, clash.theirs, clash.mine) == ("a", "b", "c")
    assert Record.objects.get().fields["summary"] == "b"
    assert Record.objects.get().version == 2


def test_wrong_fields_are_all_named(record_of, wanda):
    with pytest.raises(Refused) as caught:
        record_of("DR", comments_close_on="soon", options=[{"name": 3}], nonsense=1)
    assert {each.field for each in caught.value.missing} == {
        "comments_close_on",
        "options.0.name",
        "nonsense",
    }


def test_the_chosen_option_has_to_be_one_of_the_options(record_of):
    with pytest.raises(Refused) as caught:
        record_of("DR", options=[{"name": "Go"}], chosen_option="Stay")
    assert [each.field for each in caught.value.missing] == ["chosen_option"]


def test_restore_is_a_new_revision_with_the_old_text(record_of, wanda):
    record = record_of("FT", summary="One.")
    edit(record, wanda, summary="Two.")
    operations.restore(record, 1, by=wanda, at=NOW)
    assert Record.objects.get().fields["summary"] == "One."
    assert record.revisions.first().restored_from == 1
    assert record.version == 3


def test_who_may_write(record_of, alice, mallory):
    with pytest.raises(NotAllowed):
        record_of("FT", by=alice)
    story = record_of("US", by=alice, role="r", goal="g", benefit="b")
    edit(story, alice, goal="another")
    with pytest.raises(NotAllowed):
        edit(story, mallory, goal="mine")
    move(story, "proposed", alice)
    with pytest.raises(NotAllowed):
        edit(story, alice, goal="too late")


# --- moves ---


def test_a_refusal_names_everything_that_is_missing(record_of, wanda):
    story = record_of("US", role="r", goal="g", benefit="b")
    move(story, "proposed", wanda)
    with pytest.raises(Refused) as caught:
        move(story, "accepted", wanda)
    assert codes(caught) == {"no-acceptance", "no-persona"}


def test_a_story_from_draft_to_released(record_of, wanda, ada):
    story = record_of("US", role="r", goal="g", benefit="b")
    persona = record_of("PE", "Somebody", goals=["live"])
    feature = record_of("FT", "Feature")
    design = record_of("DD", "Design", summary="s")
    milestone = record_of("MS", "Beta", reached_on="2026-05-01")
    move(story, "proposed", wanda)
    edit(story, wanda, acceptance=[{"given": "a", "when": "b", "then": "c"}])
    operations.add_link(story, "serves", persona, by=wanda, at=NOW)
    move(story, "accepted", wanda)
    operations.add_link(story, "implemented_by", feature, by=wanda, at=NOW)
    move(story, "in_progress", wanda)
    with pytest.raises(NotAllowed):
        move(story, "released", wanda)
    with pytest.raises(Refused) as caught:
        move(story, "released", ada)
    assert codes(caught) == {"unchecked", "no-milestone", "feature-not-beta"}
    edit(story, wanda, acceptance=[{"given": "a", "when": "b", "then": "c", "checked": True}])
    operations.add_link(feature, "described_in", design, by=wanda, at=NOW)
    move(feature, "planned", wanda)
    move(feature, "beta", wanda)
    operations.add_link(story, "planned_for", milestone, by=wanda, at=NOW)
    move(story, "released", ada)
    link = story.links.get(type="implemented_by")
    with pytest.raises(Refused) as caught:
        operations.remove_link(link, by=ada, at=NOW)
    assert codes(caught) == {"last-feature"}
    with pytest.raises(NotAllowed):
        operations.remove_link(story.links.get(type="planned_for"), by=wanda, at=NOW)
    with pytest.raises(Refused) as caught:
        move(persona, "retired", ada)


def test_a_reason_and_a_day_are_asked_for(record_of, wanda):
    story = record_of("US")
    with pytest.raises(Refused) as caught:
        move(story, "deferred", wanda)
    assert codes(caught) == {"no-reason", "no-date"}
    move(story, "deferred", wanda, reason="Later", look_again_on=date(2027, 1, 1))
    assert story.status_reason == "Later"


@pytest.mark.parametrize("prefix", sorted(KINDS))
def test_only_moves_of_the_table_are_made(record_of, ada, prefix):
    record = record_of(prefix, by=ada)
    allowed = {each.to for each in record.kind_of.moves_from(record.status)}
    for status in set(record.kind_of.statuses) - allowed:
        with pytest.raises(Refused) as caught:
            move(record, status, ada)
        assert codes(caught) == {"no-such-move"}


@pytest.fixture
def agreed(record_of, wanda, walter):
    """A supported feature's rationale, agreed by somebody else than its author."""

    def make(feature, title="Why?", metric="tools"):
        rationale = record_of(
            "RA",
            title,
            answer="Because.",
            alternatives=[{"name": "Not", "why_not": "no"}],
            evidence=[{"claim": "Tools", "metric": metric, "seen_value": 10, "tolerance": 20}],
            review_by="2027-05-04",
        )
        operations.add_link(feature, "justified_by", rationale, by=wanda, at=NOW)
        move(rationale, "drafted", wanda)
        move(rationale, "in_review", wanda)
        return rationale

    return make


def test_the_author_cannot_agree_alone(record_of, agreed, wanda, walter):
    rationale = agreed(record_of("FT"))
    with pytest.raises(Refused) as caught:
        move(rationale, "agreed", wanda)
    assert codes(caught) == {"own-text"}
    move(rationale, "agreed", walter)
    assert Link.objects.get(type="justified_by").is_agreed


def test_one_agreed_rationale_for_a_feature(record_of, agreed, wanda, walter):
    feature = record_of("FT")
    first = agreed(feature)
    move(first, "agreed", walter)
    second = agreed(feature, "Why now?")
    with pytest.raises(Refused) as caught:
        move(second, "agreed", walter)
    assert codes(caught) == {"another-agreed"}
    operations.add_link(second, "supersedes", first, by=wanda, at=NOW)
    move(second, "agreed", walter)
    first.refresh_from_db()
    assert (first.status, first.superseded_by) == ("superseded", second)
    assert [link.target for link in Link.objects.filter(is_agreed=True)] == [second]


def test_linking_a_second_agreed_rationale_is_refused(record_of, agreed, wanda, walter):
    one, two = record_of("FT", "One"), record_of("FT", "Two")
    first, second = agreed(one), agreed(two)
    move(first, "agreed", walter)
    move(second, "agreed", walter)
    with pytest.raises(Refused) as caught:
        operations.add_link(one, "justified_by", second, by=wanda, at=NOW)
    assert codes(caught) == {"link-refused"}
    assert one.links.count() == 1


def test_a_review_day_too_far_ahead_or_past(record_of, agreed, wanda, walter):
    rationale = agreed(record_of("FT"))
    for day in ("2028-06-01", "2020-01-01"):
        edit(rationale, wanda, review_by=day)
        with pytest.raises(Refused) as caught:
            move(rationale, "agreed", walter)
        assert codes(caught) == {"no-review-day"}


def test_confirming_again_takes_todays_numbers(record_of, agreed, walter):
    rationale = agreed(record_of("FT"))
    move(rationale, "agreed", walter)
    Reading.objects.create(metric="tools", on=NOW.date(), at=NOW, value=31)
    operations.reconfirm(rationale, by=walter, at=NOW, review_by=date(2027, 9, 1))
    row = Record.objects.get(kind="RA").fields["evidence"][0]
    assert (row["seen_value"], row["seen_on"]) == (31, NOW.date().isoformat())
    assert rationale.revisions.first().cause == "reconfirmed"
    with pytest.raises(Refused):
        operations.reconfirm(rationale, by=walter, at=NOW, review_by=date(2037, 9, 1))


def test_a_design_doc_is_approved_by_itself(record_of, wanda, walter, ada, alice):
    design = record_of(
        "DD",
        summary="s",
        template="short",
        sections=[{"heading": "Problem", "text": "p"}, {"heading": "Proposal", "text": "q"}],
    )
    move(design, "in_review", wanda)
    with pytest.raises(Refused) as caught:
        operations.review(design, by=wanda, at=NOW, verdict="approve")
    assert codes(caught) == {"own-text"}
    concern = operations.add_comment(design, by=alice, at=NOW, body="No!", kind="concern")
    operations.review(design, by=walter, at=NOW, verdict="approve")
    operations.review(design, by=ada, at=NOW, verdict="approve")
    design.refresh_from_db()
    assert design.status == "in_review"
    with pytest.raises(NotAllowed):
        operations.resolve_comment(concern, by=wanda, at=NOW)
    operations.resolve_comment(concern, by=alice, at=NOW)
    design.refresh_from_db()
    assert design.status == "approved"
    assert design.revisions.first().cause == "system"
    assert not design.rounds.filter(closed_at=None).exists()


def test_a_change_of_the_text_takes_approvals_back(record_of, wanda, walter, ada):
    design = record_of("DD", summary="s")
    move(design, "in_review", wanda)
    operations.review(design, by=walter, at=NOW, verdict="approve")
    edit(design, wanda, summary="changed")
    operations.review(design, by=ada, at=NOW, verdict="approve")
    design.refresh_from_db()
    assert design.status == "in_review"


@pytest.fixture
def decided(record_of, wanda, ada):
    def make(title="Stay or go?"):
        request = record_of(
            "DR",
            title,
            problem="p",
            options=[{"name": "Stay", "is_do_nothing": True}, {"name": "Go"}],
            comments_close_on="2026-06-01",
            chosen_option="Go",
            decision_text="We go.",
            decision_rationale="It is time.",
            deciders=["ada"],
            decided_on="2026-05-04",
        )
        move(request, "open", wanda)
        return request

    return make


def test_a_decision_and_what_it_supersedes(decided, wanda, ada):
    old = decided()
    move(old, "decided", ada)
    new = decided("Go where?")
    operations.add_link(new, "supersedes", old, by=wanda, at=NOW)
    old.refresh_from_db()
    assert old.status == "decided"
    move(new, "decided", ada)
    old.refresh_from_db()
    assert (old.status, old.superseded_by) == ("superseded", new)
    with pytest.raises(Refused):
        operations.remove_link(new.links.get(), by=ada, at=NOW)


def test_a_decision_that_was_made_keeps_its_words(decided, wanda, ada):
    record = decided()
    move(record, "decided", ada)
    with pytest.raises(Refused) as caught:
        edit(record, wanda, decision_text="We stay.")
    assert codes(caught) == {"frozen"}
    record.refresh_from_db()
    operations.edit_record(
        record,
        by=wanda,
        at=NOW,
        version=record.version,
        fields={"decision_text": "We go!"},
        summary="a mark",
        is_minor=True,
    )
    edit(record, wanda, expected_effect=[{"measure": "m", "actual": 3}])
    with pytest.raises(Refused):
        operations.restore(record, 1, by=wanda, at=NOW)


def test_an_open_concern_keeps_from_deciding_unless_a_lead_says_why(decided, ada, alice):
    record = decided()
    operations.add_comment(record, by=alice, at=NOW, body="Wait", kind="concern")
    with pytest.raises(Refused) as caught:
        move(record, "decided", ada)
    assert codes(caught) == {"open-concern"}
    move(record, "decided", ada, override="It has waited for a year")
    assert record.status_reason == "It has waited for a year"


def test_removal_waits_until_nobody_uses_it(record_of, wanda, ada):
    feature = record_of("FT", metric="tools")
    Record.objects.filter(pk=feature.pk).update(status="deprecated")
    feature.refresh_from_db()
    with pytest.raises(Refused) as caught:
        move(feature, "removed", ada)
    assert codes(caught) == {"no-reading"}
    Reading.objects.create(metric="tools", on=NOW.date(), at=NOW, value=12)
    with pytest.raises(Refused) as caught:
        move(feature, "removed", ada)
    assert codes(caught) == {"still-used"}
    move(feature, "removed", ada, override="They were told")


# --- links ---


def test_a_circle_is_refused_and_drawn(record_of, wanda):
    one, two, three = (record_of("FT", name) for name in ("One", "Two", "Three"))
    operations.add_link(one, "depends_on", two, by=wanda, at=NOW)
    operations.add_link(two, "depends_on", three, by=wanda, at=NOW)
    with pytest.raises(Refused) as caught:
        operations.add_link(three, "depends_on", one, by=wanda, at=NOW)
    assert "FT-3 → FT-1 → FT-2 → FT-3" in str(caught.value)
    with pytest.raises(Refused):
        operations.add_link(one, "depends_on", one, by=wanda, at=NOW)


def test_the_inverse_name_is_the_same_link(record_of, wanda):
    feature, rationale = record_of("FT"), record_of("RA")
    one = operations.add_link(rationale, "about", feature, by=wanda, at=NOW)
    assert (one.source, one.type, one.target) == (feature, "justified_by", rationale)
    assert operations.add_link(feature, "justified_by", rationale, by=wanda, at=NOW) == one


def test_kinds_that_do_not_go_together(record_of, wanda):
    with pytest.raises(Refused) as caught:
        operations.add_link(record_of("PE"), "implemented_by", record_of("FT"), by=wanda, at=NOW)
    assert codes(caught) == {"kinds"}


def test_a_link_is_suspect_once_its_target_says_something_else(record_of, wanda):
    feature, rationale = record_of("FT"), record_of("RA", answer="a")
    move(feature, "planned", wanda)
    link = operations.add_link(feature, "justified_by", rationale, by=wanda, at=NOW)
    assert not link.is_suspect
    operations.edit_record(
        rationale, by=wanda, at=NOW, version=1, fields={"answer": "a."}, is_minor=True
    )
    assert not Link.objects.select_related("target").get().is_suspect
    edit(rationale, wanda, answer="b")
    link = Link.objects.select_related("target").get()
    assert link.is_suspect
    assert Flag.objects.get(code="suspect-link", cleared_at=None).record == feature
    operations.confirm_link(link, by=wanda, at=NOW, version=rationale.version)
    assert not Flag.objects.filter(code="suspect-link", cleared_at=None).exists()


# --- ends ---


def test_a_record_that_others_lead_to_is_not_deleted(record_of, wanda, ada):
    feature, story = record_of("FT"), record_of("US")
    operations.add_link(story, "implemented_by", feature, by=wanda, at=NOW)
    with pytest.raises(Refused) as caught:
        operations.delete_record(feature, by=ada, at=NOW, reason="gone")
    assert "US-1" in str(caught.value)
    operations.delete_record(story, by=ada, at=NOW, reason="gone")
    operations.delete_record(feature, by=ada, at=NOW, reason="gone")
    assert not Record.objects.present().exists()


def test_merging_takes_links_support_and_watchers_along(record_of, wanda, ada, alice, client_of):
    one, two, feature = record_of("US", "One"), record_of("US", "Two"), record_of("FT")
    operations.add_link(one, "implemented_by", feature, by=wanda, at=NOW)
    operations.support(one, by=alice, at=NOW, why="my bot")
    operations.watch(one, by=alice, level="all", at=NOW)
    operations.merge_into(one, two, by=ada, at=NOW)
    one.refresh_from_db()
    assert (one.status, one.merged_into) == ("duplicate", two)
    assert [link.target for link in two.links.all()] == [feature]
    assert two.supports.get().why == "my bot"
    assert Watch.objects.filter(record=two, user=alice).exists()
    answer = client_of(alice).get("/r/US-1")
    assert answer.headers["Location"].startswith("/r/US-2")
    with pytest.raises(Refused):
        operations.merge_into(two, one, by=ada, at=NOW)


# --- talking ---


def test_watchers_are_told_and_the_author_is_not(record_of, wanda, alice, bob):
    record = record_of("FT")
    operations.watch(record, by=alice, level="all", at=NOW)
    operations.watch(record, by=bob, level="status", at=NOW)
    edit(record, wanda, summary="new")
    assert [each.user for each in Notification.objects.all()] == [alice]
    move(record, "planned", wanda)
    assert {each.user for each in Notification.objects.all()} == {alice, bob}
    assert not Notification.objects.filter(user=wanda).exists()


def test_who_is_named_is_told(record_of, wanda, alice, mallory):
    operations.add_comment(record_of("FT"), by=wanda, at=NOW, body="What does @alice say?")
    assert [each.user for each in Notification.objects.all()] == [alice]


def test_support_is_one_for_each_person_and_only_for_ones_own_tool(record_of, hat, alice, bob):
    story = record_of("US", by=alice)
    operations.support(story, by=alice, at=NOW, why="a", tool=hat)
    operations.support(story, by=alice, at=NOW, why="b", tool=hat, weight=3)
    assert story.supports.get().why == "b"
    with pytest.raises(Refused):
        operations.support(story, by=bob, at=NOW, tool=hat)
    with pytest.raises(Refused):
        operations.support(story, by=bob, at=NOW, weight=4)


def test_a_suppressed_text_is_not_shown_to_anyone(record_of, wanda, ada, client_of):
    record = record_of("FT", summary="my-telephone-number")
    edit(record, wanda, summary="fine")
    operations.suppress(record.revisions.get(number=1), by=ada, at=NOW, reason="private")
    for address in (
        "/r/FT-1/-/diff?from=1&to=2",
        "/r/FT-1/-/history",
        "/api/v1/records/FT-1/revisions/1/",
    ):
        assert "my-telephone-number" not in client_of(ada).get(address).content.decode()
    with pytest.raises(Refused):
        operations.restore(record, 1, by=wanda, at=NOW)


# --- where it comes from ---


def test_a_quotation_has_to_stand_in_its_source(catalogue, get, wanda):
    meeting = get("MT-1")
    said = Origin(meeting, "so when/hy was it   added?", "t3.l5")
    with pytest.raises(Refused) as caught:
        operations.create_record(
            "US", title="T", fields={}, by=wanda, at=NOW, origin=Origin(meeting, "never said")
        )
    assert codes(caught) == {"no-such-words"}
    with pytest.raises(Refused):
        operations.create_record("US", title="T", fields={}, by=wanda, at=NOW, origin=said)
    said = Origin(meeting, "So when/hy was   it added?", "t3.l5")
    record = operations.create_record("US", title="T", fields={}, by=wanda, at=NOW, origin=said)
    assert record.source == meeting


# --- evidence ---


def test_a_rationale_goes_stale_by_its_numbers(record_of, agreed, walter, alice):
    rationale = agreed(record_of("FT"))
    move(rationale, "agreed", walter)
    for number in range(11):
        register_tool(f"tool-{number}", by=alice, at=NOW, title="t")
    evidence.sample(NOW)
    checks.refresh(NOW)
    assert not Flag.objects.filter(code="rationale-moved").exists()
    for number in range(4):
        register_tool(f"more-{number}", by=alice, at=NOW, title="t")
    later = NOW + timedelta(days=1)
    evidence.sample(later)
    checks.refresh(later)
    flag = Flag.objects.get(code="rationale-moved", cleared_at=None)
    assert "was 10 and is 15: +50 %" in flag.sentence


def test_a_metric_that_fails_is_unknown_and_not_zero(record_of, monkeypatch, client_of, wanda):
    feature = record_of("FT", metric="tools")
    evidence.sample(NOW, ["tools"])
    broken = evidence.Metric("tools", "Tools", lambda now: Record.objects.extra(where=["nonsense"]))
    monkeypatch.setitem(evidence.METRICS, "tools", broken)
    later = NOW + timedelta(days=1)
    (reading,) = evidence.sample(later, ["tools"])
    assert reading.value is None
    assert reading.error
    known = evidence.latest(["tools"])["tools"]
    assert (known.value, known.at) == (0, NOW)
    assert known.error
    move(feature, "planned", wanda)
    checks.refresh(later)
    assert Flag.objects.filter(code="reading-failed", record=feature, cleared_at=None).exists()
    assert "cannot be measured now" in client_of(wanda).get("/r/FT-1").content.decode()
