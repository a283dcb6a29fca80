"""Any sequence of writes, moves, links, restores and imports keeps what must hold."""

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from portal.accounts.models import User
from stories import operations
from stories.exchange import digest, export_records, import_records, read_directory
from stories.kinds import KINDS, LINK_TYPES
from stories.models import Link, Record, ReviewRound, Revision, SearchDocument
from stories.operations import Refused, Stale
from stories.schema import clean
from tests.conftest import NOW
from tests.stories.strategies import content

SOME = ("US", "FT", "RA", "DR", "DD", "PE")
PEOPLE = st.integers(0, 3)
ANY_RECORD = st.integers(0, 30)


class Records(RuleBasedStateMachine):
    """Each step may be refused; what was accepted must hold, and nothing else may have changed."""

    @initialize()
    def begin(self):
        # Each run is rolled back.
        self.run = transaction.atomic()
        self.run.__enter__()
        self.people = [
            User.objects.create_user("wanda", is_workgroup=True),
            User.objects.create_user("walter", is_workgroup=True),
            User.objects.create_user("ada", is_admin=True),
            User.objects.create_user("alice"),
        ]
        self.now = NOW
        self.saved = {}

    def attempt(self, operation, *args, **kwargs):
        self.now += timedelta(minutes=1)
        before = self.everything()
        try:
            return operation(*args, at=self.now, **kwargs)
        except (Refused, Stale):
            assert self.everything() == before
            return None

    def everything(self):
        return {
            record.pk: (record.version, digest(record.snapshot()))
            for record in Record.objects.all()
        }

    def pick(self, number):
        records = list(Record.objects.order_by("pk"))
        return records[number % len(records)] if records else None

    @rule(data=st.data(), prefix=st.sampled_from(SOME), who=PEOPLE)
    def create(self, data, prefix, who):
        fields = data.draw(content(prefix))
        self.attempt(
            operations.create_record, prefix, title="T", fields=fields, by=self.people[who]
        )

    @rule(data=st.data(), number=ANY_RECORD, who=PEOPLE, behind=st.integers(0, 2))
    def edit(self, data, number, who, behind):
        record = self.pick(number)
        if record:
            self.attempt(
                operations.edit_record,
                record,
                by=self.people[who],
                version=max(1, record.version - behind),
                fields=data.draw(content(record.kind)),
                is_minor=data.draw(st.booleans()),
                summary="s",
            )

    @rule(data=st.data(), number=ANY_RECORD, who=PEOPLE)
    def move(self, data, number, who):
        record = self.pick(number)
        if record:
            to = data.draw(st.sampled_from(sorted(KINDS[record.kind].statuses)))
            self.attempt(
                operations.move,
                record,
                to,
                by=self.people[who],
                reason="because",
                look_again_on=self.now.date() + timedelta(days=3),
            )

    @rule(one=ANY_RECORD, other=ANY_RECORD, kind=st.sampled_from(sorted(LINK_TYPES)), who=PEOPLE)
    def link(self, one, other, kind, who):
        source, target = self.pick(one), self.pick(other)
        if source:
            self.attempt(operations.add_link, source, kind, target, by=self.people[who])

    @rule(number=ANY_RECORD, who=PEOPLE)
    def unlink(self, number, who):
        links = list(Link.objects.select_related("source", "target").order_by("pk"))
        if links:
            self.attempt(operations.remove_link, links[number % len(links)], by=self.people[who])

    @rule(number=ANY_RECORD, version=st.integers(1, 5), who=PEOPLE)
    def restore(self, number, version, who):
        record = self.pick(number)
        if record:
            self.attempt(operations.restore, record, version, by=self.people[who])

    @rule(one=ANY_RECORD, other=ANY_RECORD, who=PEOPLE)
    def merge(self, one, other, who):
        record = self.pick(one)
        if record:
            self.attempt(operations.merge_into, record, self.pick(other), by=self.people[who])

    @rule(number=ANY_RECORD, who=PEOPLE)
    def delete(self, number, who):
        record = self.pick(number)
        if record:
            self.attempt(operations.delete_record, record, by=self.people[who], reason="r")

    @rule(number=ANY_RECORD, who=PEOPLE)
    def review(self, number, who):
        record = self.pick(number)
        if record:
            self.attempt(operations.review, record, by=self.people[who], verdict="approve")

    @rule()
    def out_and_back(self):
        before = self.everything()
        with tempfile.TemporaryDirectory() as folder:
            export_records(Path(folder))
            import_records(read_directory(Path(folder)), by=None, at=self.now)
        assert self.everything() == before

    @invariant()
    def idents_are_unique_and_stay(self):
        for record in Record.objects.all():
            assert self.saved.setdefault(record.pk, record.ident) == record.ident
        assert len(set(self.saved.values())) == len(self.saved)

    @invariant()
    def the_newest_revision_is_the_record(self):
        for record in Record.objects.all():
            numbers = list(record.revisions.order_by("number").values_list("number", flat=True))
            assert numbers == list(range(1, record.version + 1))
            assert digest(record.revisions.first().snapshot) == digest(record.snapshot())
            assert clean(record.kind_of, record.fields) == record.fields
            assert SearchDocument.objects.get(record=record).title == record.title

    @invariant()
    def every_revision_can_be_rebuilt(self):
        for revision in Revision.objects.select_related("record"):
            fields = clean(revision.record.kind_of, revision.snapshot["fields"])
            assert fields == revision.snapshot["fields"]

    @invariant()
    def links_are_lawful(self):
        for link in Link.objects.select_related("source", "target"):
            kind = LINK_TYPES[link.type]
            assert kind.allows(link.source.kind, link.target.kind)
            assert link.source_id != link.target_id
            is_agreed = link.type == "justified_by" and link.target.status == "agreed"
            assert link.is_agreed == is_agreed
        for name in ("supersedes", "depends_on", "duplicates"):
            assert not self.circles(name)

    def circles(self, name):
        targets = {}
        for source, target in Link.objects.filter(type=name).values_list("source", "target"):
            targets.setdefault(source, set()).add(target)

        def reaches(at, goal, seen):
            return any(
                each == goal or (each not in seen and reaches(each, goal, seen | {each}))
                for each in targets.get(at, ())
            )

        return [each for each in targets if reaches(each, each, set())]

    @invariant()
    def statuses_are_what_they_claim(self):
        for record in Record.objects.all():
            assert (record.status == "superseded") == (record.superseded_by_id is not None)
            if record.kind == "RA" and record.status == "agreed":
                assert record.review_by
            if record.kind == "DR" and record.status == "decided":
                options = {row["name"] for row in record.fields["options"]}
                assert record.decided_on
                assert record.fields["chosen_option"] in options
        for each in ReviewRound.objects.filter(closed_at=None).select_related("record"):
            assert each.record.status == "in_review"

    def teardown(self):
        connection.check_constraints()
        transaction.set_rollback(True)
        self.run.__exit__(None, None, None)


@pytest.mark.django_db
def test_what_must_hold():
    run_state_machine_as_test(
        Records,
        settings=settings(
            max_examples=20,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
