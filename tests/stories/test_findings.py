"""Each check: what makes its finding appear, what the finding says, and what makes it go."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.accounts.models import User
from stories import checks, integrity, operations
from stories.checks import CHECKS
from stories.kinds import DRAFTS, KINDS
from stories.models import Flag, Link, Reading, Record
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@dataclass
class World:
    """Makes records as files would: in any status. Time passes by `now`."""

    by: User
    lead: User
    now: datetime = NOW

    def made(self, kind, status="", title="A title", **fields):
        return operations.create_record(
            kind, title=title, fields=fields, by=self.by, at=self.now, status=status
        )

    def link(self, source, type_name, target):
        return operations.add_link(source, type_name, target, by=self.by, at=self.now)

    def edit(self, record, **fields):
        record.refresh_from_db()
        title = fields.pop("title", None)
        operations.edit_record(
            record, by=self.by, at=self.now, version=record.version, title=title, fields=fields
        )

    def move(self, record, to, **how):
        record.refresh_from_db()
        operations.move(record, to, by=self.lead, at=self.now, **how)

    def read(self, value, metric="tools", at=None, error=""):
        at = at or self.now
        Reading.objects.update_or_create(
            metric=metric, on=at.date(), defaults={"at": at, "value": value, "error": error}
        )

    def day(self, days):
        return (self.now + timedelta(days=days)).date().isoformat()


@pytest.fixture
def world(wanda, ada):
    return World(wanda, ada)


CASES = {}


def finding(code, says=""):
    """Register a story: up to its `yield` the finding appears, on what it yields; then it goes."""

    def register(tell):
        CASES[f"{code}: {tell.__name__.strip('_')}"] = (code, says, tell)

    return register


@finding("feature-unasked")
def _(world):
    feature = world.made("FT", "planned")
    yield feature
    world.link(world.made("US"), "implemented_by", feature)


@finding("rationale-not-agreed")
def _(world):
    feature, rationale = world.made("FT", "supported"), world.made("RA", "drafted")
    world.link(feature, "justified_by", rationale)
    yield feature
    agreed = world.made("RA", "agreed", review_by=world.day(99))
    world.link(feature, "justified_by", agreed)


@finding("since-unknown")
def _(world):
    feature = world.made("FT", "supported", since_precision="unknown")
    yield feature
    world.edit(feature, since="2014", since_precision="year")


@finding("story-unbuilt")
def _(world):
    story = world.made("US", "accepted")
    yield story
    world.link(story, "implemented_by", world.made("FT"))


@finding("rationale-question")
def _(world):
    question = world.made("RA")
    yield question
    world.edit(question, answer="Because.")
    world.move(question, "drafted")


@finding("action-unowned")
def _(world):
    action = world.made("AI")
    yield action
    world.edit(action, owner="wanda")


@finding("action-overdue")
def _(world):
    action = world.made("AI", owner="wanda", due=world.day(1))
    world.now += 2 * DAY
    yield action
    world.edit(action, due=world.day(0))


@finding("action-carried")
def _(world):
    action = world.made("AI", owner="wanda", closing_note="Never.")
    for _time in range(3):
        world.move(action, "carried_over")
        world.move(action, "open")
    yield action
    world.move(action, "done")


@finding("decision-no-closing")
def _(world):
    decision = world.made("DR", "open")
    yield decision
    world.edit(decision, comments_close_on=world.day(9))


@finding("decision-no-nothing")
def _(world):
    decision = world.made("DR", "in_discussion", options=[{"name": "Go"}])
    yield decision
    world.edit(decision, options=[{"name": "Go"}, {"name": "Stay", "is_do_nothing": True}])


@finding("effect-unchecked", "“Fewer tickets” was to be checked.")
def _(world):
    effect = {"measure": "Fewer tickets", "check_on": world.day(1)}
    decision = world.made("DR", "decided", decided_on=world.day(0), expected_effect=[effect])
    world.now += 2 * DAY
    yield decision
    world.edit(decision, expected_effect=[{**effect, "actual": 0}])


@finding("pace-without-policy", "UP-1: Draft")
def governed(world):
    decision = world.made("DR", "decided", decided_on=world.day(0))
    policy = world.made("UP", upgrades_per_year=2)
    world.link(decision, "governs", policy)
    world.link(policy, "decided_by", decision)
    yield decision
    world.move(policy, "in_force")


@finding("pace-without-policy", "There is no policy.")
def tagged(world):
    decision = world.made("DR", "decided", decided_on=world.day(0), tags=["cadence"])
    yield decision
    world.link(world.made("UP", "in_force", upgrades_per_year=9), "decided_by", decision)


@finding("cluster-past-eol", "1.30 has been past its end of life for 2 days.")
def _(world):
    cluster = world.made("CL", version="v1.30.4")
    world.edit(cluster, version="1.30")
    world.made("UR", component="Kubernetes", minor="1.30", end_of_life=world.day(-2))
    yield cluster
    world.edit(cluster, version="1.31")


@finding("versions-differ", "Here it is 1.30; ST-1 says 1.31.")
def done(world):
    cluster = world.made("CL", version="1.30")
    seen = {"version": "1.30", "observed_on": world.day(-9)}
    world.edit(cluster, observations=[seen])
    step = world.made("ST", "done", to_version="1.31", did_on=world.day(-1))
    world.link(step, "upgrades", cluster)
    yield cluster
    world.edit(cluster, version="v1.31.2")


@finding("versions-differ", "Here it is 1.9; the observation of 2026-05-03 says 1.10.")
def seen(world):
    cluster = world.made("CL", version="1.9")
    world.edit(cluster, observations=[{"version": "1.10", "observed_on": world.day(-1)}])
    yield cluster
    seen = [*cluster.fields["observations"], {"version": "1.9.1", "observed_on": world.day(0)}]
    world.edit(cluster, observations=seen)


@finding("policy-hopeless", "CL-1 never reaches a supported version.")
def _(world):
    for minor, start in ((30, -900), (31, -800), (32, -100)):
        days = {"released_on": world.day(start), "end_of_life": world.day(start + 400)}
        world.made("UR", component="Kubernetes", minor=f"1.{minor}", **days)
    policy = world.made("UP", "in_force", upgrades_per_year=0.5)
    world.link(policy, "governs", world.made("CL", version="1.30"))
    yield policy
    world.edit(policy, upgrades_per_year=12)


@finding("deprecated-undecided")
def _(world):
    feature = world.made("FT", "deprecated")
    yield feature
    world.link(feature, "decided_by", world.made("DR"))


@finding("feature-unjustified")
def _(world):
    feature = world.made("FT", "supported")
    yield feature
    world.link(feature, "justified_by", world.made("RA"))


@finding("story-no-criteria")
def _(world):
    story = world.made("US", "accepted")
    yield story
    world.edit(story, acceptance=[{"then": "It flies"}])


@finding("story-behind-milestone", "MS-1 was reached; the story is still: Accepted.")
def _(world):
    story, beta = world.made("US", "accepted"), world.made("MS", reached_on=world.day(0))
    world.link(story, "planned_for", beta)
    world.move(beta, "reached")
    yield story
    story.refresh_from_db()
    story.status = "released"
    operations.save(story, operations.Change(by=None, at=world.now))


@finding("removed-but-used", "3 tools use it.")
def _(world):
    feature = world.made("FT", "removed", metric="tools")
    world.read(3)
    yield feature
    world.read(0)


@finding("supported-unused")
def _(world):
    feature = world.made("FT", "supported", metric="tools")
    for days in range(91):
        world.read(0, at=world.now - days * DAY)
    yield feature
    world.read(1, at=world.now - DAY)


@finding("reading-failed", "OperationalError: gone")
def _(world):
    feature = world.made("FT", "beta", metric="tools")
    world.read(None, error="OperationalError: gone")
    yield feature
    world.read(4)


@finding("reading-expired", "Not measured since 2026-04-20.")
def _(world):
    feature = world.made("FT", "beta", metric="tools")
    world.read(4, at=world.now - 14 * DAY)
    yield feature
    world.read(4)


def rationale(world, **row):
    """Agreed, with one row of evidence."""
    row = {"claim": "Tools run it", "metric": "", **row}
    return world.made("RA", "agreed", review_by=world.day(300), evidence=[row])


@finding("rationale-moved", "“Tools run it” was 10 and is 13: +30 % (tolerated: 20).")
def moved(world):
    found = rationale(world, metric="tools", seen_value=10, tolerance=20)
    world.read(13)
    yield found
    world.read(12)


@finding("rationale-moved", "The evidence “Tools run it” has expired.")
def expired(world):
    found = rationale(world, expires_on=world.day(1))
    world.now += 2 * DAY
    yield found
    world.edit(found, evidence=[{"claim": "Tools run it", "expires_on": world.day(9)}])


@finding("rationale-moved", "“Tools run it” was not measured since 2026-05-04.")
def unmeasured(world):
    found = rationale(world, metric="tools", seen_value=10, tolerance=20)
    world.read(10)
    world.now += 8 * DAY
    yield found
    world.read(10)


@finding("rationale-feature-moved", "FT-1 is now: Deprecated.")
def _(world):
    found, feature = rationale(world), world.made("FT", "supported")
    world.link(feature, "justified_by", found)
    world.now += DAY
    feature.refresh_from_db()
    feature.status, feature.status_since = "deprecated", world.now
    operations.save(feature, operations.Change(by=None, at=world.now))
    yield found
    world.now += DAY
    found.refresh_from_db()
    review_by = (world.now + 99 * DAY).date()
    operations.reconfirm(found, by=world.lead, at=world.now, review_by=review_by)


@finding("review-overdue")
def _(world):
    found = world.made("RA", "agreed", review_by=world.day(1))
    world.now += 2 * DAY
    yield found
    world.edit(found, review_by=world.day(9))


@finding("look-again")
def deferred(world):
    story = world.made("US", "proposed")
    world.move(story, "deferred", reason="Later", look_again_on=(NOW + DAY).date())
    world.now += 2 * DAY
    yield story
    world.move(story, "proposed")


@finding("look-again")
def decided(world):
    days = {"decided_on": world.day(0), "revisit_on": world.day(1)}
    decision = world.made("DR", "decided", **days)
    world.now += 2 * DAY
    yield decision
    world.edit(decision, revisit_on=world.day(9))


@finding("suspect-link", "Changed since: DD-1.")
def _(world):
    found, design = rationale(world), world.made("DD")
    link = world.link(found, "described_in", design)
    world.edit(design, summary="Otherwise")
    yield found
    design.refresh_from_db()
    link = Link.objects.get(pk=link.pk)
    operations.confirm_link(link, by=world.by, at=world.now, version=design.version)


@finding("record-differs", "Version 1 says something else: title.")
def _(world):
    persona = world.made("PE")
    Record.objects.filter(pk=persona.pk).update(title="Changed")
    integrity.compare(world.now)
    yield persona
    Record.objects.filter(pk=persona.pk).update(title="A title")
    integrity.compare(world.now)


def open_findings(code):
    flags = Flag.objects.filter(code=code, cleared_at=None).select_related("record")
    return {flag.record.ident: flag.sentence for flag in flags}


@pytest.mark.parametrize("case", sorted(CASES))
def test_it_appears_and_it_goes(world, case):
    code, says, tell = CASES[case]
    telling = tell(world)
    record = next(telling)
    checks.refresh(world.now)
    assert open_findings(code) == {record.ident: says}
    next(telling, None)
    checks.refresh(world.now)
    assert open_findings(code) == {}


def test_each_check_has_its_case():
    assert {code for code, _says, _tell in CASES.values()} == set(CHECKS)


@pytest.mark.parametrize("kind", sorted(k for k in KINDS if KINDS[k].first_status in DRAFTS))
def test_drafts_raise_no_findings(world, kind):
    """But for a story without a feature, which asks for one from its first day."""
    names = {each.name for each in KINDS[kind].all_fields}
    given = {"review_by": world.day(-9), "revisit_on": world.day(-9), "metric": "tools"}
    draft = world.made(kind, **{name: value for name, value in given.items() if name in names})
    if kind == "FT":
        rationale = world.made("RA", "drafted")
        world.link(draft, "justified_by", rationale)
        world.edit(rationale, answer="Otherwise")
    world.read(None, error="gone")
    checks.refresh(world.now + 500 * DAY)
    allowed = {"story-unbuilt"} if kind == "US" else set()
    assert set(draft.flags.filter(cleared_at=None).values_list("code", flat=True)) == allowed


def queries_of_all(world):
    with CaptureQueriesContext(connection) as caught:
        checks.refresh(world.now)
    return len(caught)


def test_the_number_of_queries_does_not_grow(world):
    """Once every check has something to find, more of it asks no more."""
    for _code, _says, tell in CASES.values():
        next(tell(World(world.by, world.lead)))
    world.now += 30 * DAY
    checks.refresh(world.now)
    before = queries_of_all(world)
    for _code, _says, tell in CASES.values():
        next(tell(World(world.by, world.lead)))
    checks.refresh(world.now)
    assert queries_of_all(world) == before
