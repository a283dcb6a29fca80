"""Whatever somebody does to records is told: by a revision, or in the history of the platform."""

import inspect
from dataclasses import dataclass
from datetime import timedelta

import pytest

from portal.accounts.models import User
from portal.tools.models import AuditEvent
from stories import exchange, operations
from stories.files import parse, to_markdown
from stories.models import Comment, Record, Revision
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=1)
NEXT_YEAR = (NOW + timedelta(days=300)).date()


@dataclass
class People:
    wanda: User
    walter: User
    ada: User

    def made(self, kind, status="", title="A title", **fields):
        return operations.create_record(
            kind, title=title, fields=fields, by=self.wanda, at=NOW, status=status
        )

    def edited(self, record, **fields):
        operations.edit_record(
            record, by=self.wanda, at=NOW, version=record.version, title=None, fields=fields
        )
        return record

    def in_review(self):
        design = self.made("DD", summary="What is to be built.")
        return operations.move(design, "in_review", by=self.wanda, at=NOW)

    def link(self):
        feature, reason = self.made("FT"), self.made("RA")
        return operations.add_link(feature, "justified_by", reason, by=self.wanda, at=NOW)

    def view(self):
        return operations.save_view(
            "FT", name="Ideas", filters={"status": ["idea"]}, by=self.wanda, at=NOW
        )


@pytest.fixture
def people(wanda, ada):
    walter = User.objects.create_user("walter", is_workgroup=True)
    return People(wanda, walter, ada)


# What leads to an act, and the act itself: it is told by a revision, or by an event of that name.
ACTS = {}


def act(told):
    def register(prepare):
        ACTS[prepare.__name__] = (told, prepare)
        return prepare

    return register


REVISION = "a revision"


@act(REVISION)
def create_record(people):
    return lambda by: operations.create_record("FT", title="New", fields={}, by=by, at=LATER)


@act(REVISION)
def edit_record(people):
    feature = people.made("FT")
    return lambda by: operations.edit_record(
        feature, by=by, at=LATER, version=1, title="New", fields={}
    )


@act(REVISION)
def restore(people):
    feature = people.edited(people.made("FT"), summary="New")
    return lambda by: operations.restore(feature, 1, by=by, at=LATER)


@act(REVISION)
def move(people):
    feature = people.made("FT")
    return lambda by: operations.move(feature, "planned", by=by, at=LATER)


@act(REVISION)
def reconfirm(people):
    reason = people.made("RA", "agreed", review_by=NEXT_YEAR.isoformat())
    return lambda by: operations.reconfirm(reason, by=by, at=LATER, review_by=NEXT_YEAR)


@act(REVISION)
def approve_if_due(people):
    """By the platform."""
    design = people.made("DD", "in_review", summary="s", quorum=1, template="")
    round_ = design.rounds.create(opened_at=NOW)
    round_.reviews.create(reviewer=people.ada, version=1, verdict="approve", at=NOW)
    return lambda by: operations.approve_if_due(design, at=LATER)


@act(REVISION)
def add_link(people):
    feature, reason = people.made("FT"), people.made("RA")
    return lambda by: operations.add_link(feature, "justified_by", reason, by=by, at=LATER)


@act(REVISION)
def remove_link(people):
    link = people.link()
    return lambda by: operations.remove_link(link, by=by, at=LATER)


@act(REVISION)
def merge_into(people):
    one, other = people.made("FT"), people.made("FT")
    return lambda by: operations.merge_into(one, other, by=by, at=LATER)


@act(REVISION)
def delete_record(people):
    feature = people.made("FT")
    return lambda by: operations.delete_record(feature, by=by, at=LATER, reason="made twice")


@act(REVISION)
def open_topic(people):
    meeting = people.made("MT", "in_progress")
    return lambda by: operations.open_topic(meeting, title="Cadence", by=by, at=LATER)


@act("record.link-confirmed")
def confirm_link(people):
    link = people.link()
    return lambda by: operations.confirm_link(link, by=by, at=LATER, version=1)


@act("record.noted")
def write_minute(people):
    meeting = people.made("MT", "in_progress")
    return lambda by: operations.write_minute(meeting, topic=1, text="AB: Yes", by=by, at=LATER)


@act("record.commented")
def add_comment(people):
    feature = people.made("FT")
    return lambda by: operations.add_comment(feature, by=by, at=LATER, body="Why?")


@act("record.comment-resolved")
def resolve_comment(people):
    feature = people.made("FT")
    comment = operations.add_comment(feature, by=people.wanda, at=NOW, body="Why?")
    return lambda by: operations.resolve_comment(comment, by=by, at=LATER)


@act("record.reviewed")
def review(people):
    design = people.in_review()
    return lambda by: operations.review(design, by=by, at=LATER, verdict="changes", text="No.")


@act("record.supported")
def support(people):
    feature = people.made("FT")
    return lambda by: operations.support(feature, by=by, at=LATER, why="My bot")


@act("record.support-withdrawn")
def withdraw_support(people):
    feature = people.made("FT")
    operations.support(feature, by=people.ada, at=NOW, why="My bot")
    return lambda by: operations.withdraw_support(feature, by=by, at=LATER)


@act("record.watched")
def watch(people):
    feature = people.made("FT")
    return lambda by: operations.watch(feature, by=by, level="all", at=LATER)


@act("record.patrolled")
def patrol(people):
    revision = people.made("FT").revisions.get()
    return lambda by: operations.patrol(revision, by=by, at=LATER)


@act("record.suppressed")
def suppress(people):
    feature = people.edited(people.made("FT"), summary="New")
    revision = feature.revisions.select_related("record").get(number=1)
    return lambda by: operations.suppress(revision, by=by, at=LATER, reason="libel")


@act("records.baseline-named")
def name_baseline(people):
    return lambda by: operations.name_baseline("Then", by=by, at=LATER)


@act("record_view.saved")
def save_view(people):
    filters = {"status": ["idea"]}
    return lambda by: operations.save_view("FT", name="Ideas", filters=filters, by=by, at=LATER)


@act("record_view.changed")
def change_view(people):
    view = people.view()
    view.owner = people.ada
    view.save(update_fields=["owner"])
    return lambda by: operations.change_view(view, name="Other", by=by, at=LATER)


@act("record_view.deleted")
def delete_view(people):
    view = people.view()
    view.owner = people.ada
    view.save(update_fields=["owner"])
    return lambda by: operations.delete_view(view, by=by, at=LATER)


# They change nothing, are steps of others, or change what concerns nobody else.
NO_ACTS = {
    "carried_over",
    "check_quote",
    "edited_notes",
    "link_type",
    "make_link",
    "mark_read",
    "possible_moves",
    "save",
    "watch_level",
}


@pytest.mark.parametrize("name", sorted(ACTS))
def test_it_is_told(people, name):
    told, prepare = ACTS[name]
    act = prepare(people)
    revisions, events = Revision.objects.count(), AuditEvent.objects.count()
    act(people.ada)
    if told == REVISION:
        assert Revision.objects.filter(at=LATER).exists()
        assert Revision.objects.count() > revisions
    else:
        event = AuditEvent.objects.get(at=LATER)
        assert (event.action, event.actor_name) == (told, "ada")
        assert AuditEvent.objects.count() == events + 1


def test_every_operation_is_in_the_table():
    functions = {
        name for name in operations.__all__ if inspect.isfunction(getattr(operations, name))
    }
    assert functions == set(ACTS) | NO_ACTS


def events(action):
    return list(AuditEvent.objects.filter(action=action).values_list("summary", "before", "after"))


def test_what_is_done_again_is_told_once(people):
    comment = operations.add_comment(people.made("FT"), by=people.wanda, at=NOW, body="Why?")
    for _time in range(2):
        operations.resolve_comment(Comment.objects.get(), by=people.ada, at=LATER)
    revision = people.made("FT").revisions.get()
    for by in (people.walter, people.ada):
        operations.patrol(revision, by=by, at=LATER)
    for _time in range(2):
        operations.withdraw_support(comment.record, by=people.ada, at=LATER)
    assert len(events("record.comment-resolved")) == len(events("record.patrolled")) == 1
    assert events("record.support-withdrawn") == []


def test_a_verdict_that_takes_anothers_place_is_told_with_it(people):
    design = people.in_review()
    for verdict in ("changes", "abstain"):
        operations.review(design, by=people.ada, at=NOW, verdict=verdict, text=verdict)
    _summary, before, after = events("record.reviewed")[0]
    assert (before["verdict"], after["verdict"], after["version"]) == ("changes", "abstain", 1)


def test_support_that_is_withdrawn_is_told_as_it_was(people):
    feature = people.made("FT")
    operations.support(feature, by=people.wanda, at=NOW, why="My bot", weight=3)
    operations.withdraw_support(feature, by=people.wanda, at=LATER)
    told = {"weight": 3, "tool": "", "why": "My bot"}
    assert events("record.support-withdrawn") == [("FT-1", told, None)]


def test_what_a_lead_passed_over_is_told(people):
    decision = people.made(
        "DR",
        "in_discussion",
        options=[{"name": "Go"}, {"name": "Stay", "is_do_nothing": True}],
        chosen_option="Go",
        decision_text="We go.",
        decision_rationale="It is time.",
        deciders=["wanda"],
        decided_on=LATER.date().isoformat(),
    )
    operations.add_comment(decision, by=people.wanda, at=NOW, body="Never!", kind="concern")
    operations.move(decision, "decided", by=people.ada, at=LATER, override="Nobody else minds")
    ((summary, _before, after),) = events("record.overridden")
    assert summary == "DR-1 → decided"
    assert after["because"] == "Nobody else minds"
    assert len(after["missing"]) == 1


def test_an_override_of_nothing_is_not_told(people):
    operations.move(people.made("FT"), "planned", by=people.ada, at=LATER, override="Because")
    assert events("record.overridden") == []


def test_an_import_is_told_once_and_only_if_it_changed_something(people):
    feature = people.made("FT", title="Cron")
    text = to_markdown({**feature.snapshot(), "title": "Timer"}, 1).encode()
    for _time in range(2):
        exchange.import_records([parse("FT-1.md", text)], by=people.wanda, at=LATER, summary="Git")
    assert events("records.imported") == [("Git", None, {"changed": ["FT-1"]})]
    assert Record.objects.get().title == "Timer"


def test_what_is_refused_is_not_told(people, mallory):
    feature = people.made("FT")
    with pytest.raises(operations.Refused):
        operations.add_comment(feature, by=mallory, at=LATER, body=" ")
    with pytest.raises(operations.Refused):
        operations.name_baseline("Then", by=mallory, at=LATER)
    assert not AuditEvent.objects.filter(at=LATER).exists()
