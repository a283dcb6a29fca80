"""The records that come with the portal: what they show, and that loading them is harmless."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client

from builds.models import Build, Image
from builds.states import Status as BuildStatus
from portal.tools.operations import register_tool
from portal.webservices.models import Release, Webservice
from portal.webservices.states import ReleaseStatus, Status
from stories import evidence
from stories.exchange import digest
from stories.models import Flag, Link, Record, Revision
from stories.operations import edit_record
from stories.schema import line_at
from stories.text import occurs
from tests.conftest import NOW

pytestmark = pytest.mark.django_db

FINDINGS = {
    "feature-unasked": "FT-1 FT-3 FT-4 FT-5 FT-6 FT-7",
    "rationale-not-agreed": "FT-1 FT-2 FT-3 FT-4 FT-7 FT-16",
    "since-unknown": "FT-2 FT-3 FT-4 FT-7 FT-16",
    "story-unbuilt": "US-11 US-13 US-14 US-15 US-16",
    "rationale-question": "RA-2 RA-3 RA-5 RA-6",
    "action-unowned": "AI-3 AI-5 AI-7 AI-8",
    "decision-no-closing": "DR-1 DR-3 DR-5 DR-6",
    "decision-no-nothing": "DR-3 DR-6",
    "cluster-past-eol": "CL-1 CL-3",
    "deprecated-undecided": "FT-5",
    "feature-unjustified": "FT-6",
    "story-no-criteria": "US-3",
}


def test_what_the_catalogue_shows(catalogue):
    found = {}
    flags = Flag.objects.filter(cleared_at=None).select_related("record")
    for flag in flags.order_by("record__kind", "record__number"):
        found.setdefault(flag.code, []).append(flag.record.ident)
    assert {code: " ".join(idents) for code, idents in found.items()} == FINDINGS
    assert flags.count() == 41
    assert "41 findings of 12 kinds" in Client().get("/stories/findings/").content.decode()


def test_every_quotation_stands_in_the_line_that_is_named(catalogue, get):
    meeting = get("MT-1")
    quoting = Record.objects.exclude(quote="")
    assert quoting.count() == 88
    for record in quoting:
        line = line_at(meeting.fields["notes"], record.anchor)
        assert occurs(record.quote, f"{line['speaker']}: {line['text']}"), record.ident


def test_loading_again_changes_nothing(catalogue):
    before = {record.ident: digest(record.snapshot()) for record in Record.objects.all()}
    revisions = Revision.objects.count()
    call_command("load_catalogue", verbosity=0)
    assert {record.ident: digest(record.snapshot()) for record in Record.objects.all()} == before
    assert Revision.objects.count() == revisions


def test_loading_keeps_local_edits(catalogue, get, wanda):
    record = get("FT-2")
    edit_record(record, by=wanda, at=NOW, version=1, title="Cron", fields={"summary": "Ours."})
    call_command("load_catalogue", verbosity=0)
    record = get("FT-2")
    assert (record.title, record.fields["summary"], record.version) == ("Cron", "Ours.", 2)


def test_a_feature_of_todays_catalogue_links_each_relation_once(catalogue):
    assert Link.objects.filter(type="justified_by").count() == 8
    assert Record.objects.count() == 108
    assert not Record.objects.filter(kind__in=["MS", "UR"], quote__gt="").exists()


@pytest.fixture
def running(alice):
    """Tools that run a Python image, as rows that the portal writes for such tools."""

    def make(*names):
        for name in names:
            tool = register_tool(name, by=alice, at=NOW, title=name)
            build = Build.objects.create(
                tool=tool, number=1, status=BuildStatus.SUCCEEDED, created_at=NOW
            )
            image = Image.objects.create(
                tool=tool,
                build=build,
                digest="sha256:" + "0" * 64,
                reference="x",
                size=1,
                buildpacks=["portal/python"],
                created_at=NOW,
            )
            webservice = Webservice.objects.create(
                tool=tool, status=Status.RUNNING, is_wanted=True, created_at=NOW
            )
            Release.objects.create(
                webservice=webservice,
                number=1,
                image=image,
                status=ReleaseStatus.LIVE,
                created_at=NOW,
            )

    return make


def test_from_a_line_of_the_meeting_to_a_running_tool(catalogue, running, get):
    running("hat")
    evidence.sample(NOW)
    anchor = get("FT-1").anchor
    page = Client().get(f"/r/MT-1/-/trace?line={anchor}").content.decode()
    assert "/r/FT-1/" in page
    assert 'href="/tools/hat/"' in page
    assert "/r/US-14" not in page


def test_a_tool_page_says_why(catalogue, running):
    running("hat")
    page = Client().get("/tools/hat/").content.decode()
    assert "Webservices in Python" in page
    assert "Why are PHP and Python types of webservices?" in page


def test_the_builds_of_a_tool_say_why(catalogue, running, client_of, alice):
    running("hat")
    page = client_of(alice).get("/tools/hat/builds/").content.decode()
    assert "Why are PHP and Python types of webservices?" in page


def test_the_picture_of_a_drop_names_the_people(catalogue, running):
    running("hat", "coat")
    page = Client().get("/r/FT-4/-/drop").content.decode()
    assert "2 tools" in page
    table = Client().get("/r/FT-4/-/drop?format=csv").content.decode()
    assert table == 'tool,maintainers\ncoat,"alice"\nhat,"alice"\n'


def test_the_day_after_is_another_reading(catalogue, running):
    running("hat")
    evidence.sample(NOW)
    running("coat")
    tomorrow = NOW + timedelta(days=1)
    evidence.sample(tomorrow)
    days = [evidence.history("webservices.python", at.date()) for at in (NOW, tomorrow)]
    assert [[each.value for each in readings] for readings in days] == [[1.0], [1.0, 2.0]]
