"""Who hears of what: levels of watching, mentions, and those who watch without having asked."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.accounts.models import User
from portal.tools.models import AuditEvent
from stories import operations
from stories.models import Comment, Notification, Record, Watch
from stories.operations import Refused
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
LEVELS = ["all", "status", "mentions"]


def told():
    """Names of those who were told, as often as they were."""
    return sorted(Notification.objects.values_list("user__username", flat=True))


def say(record, by, body):
    return operations.add_comment(record, by=by, at=NOW, body=body)


def edit(record, by, **fields):
    return operations.edit_record(record, by=by, at=NOW, version=record.version, fields=fields)


def watch(record, by, level):
    return operations.watch(record, by=by, level=level, at=NOW)


@pytest.fixture
def feature(record_of, ada):
    """A feature that nobody but ada watches."""
    return record_of("FT", by=ada)


@pytest.mark.parametrize(
    ("level", "of_edit", "of_move", "of_comment", "of_mention"),
    [
        ("all", 1, 1, 1, 1),
        ("status", 0, 1, 0, 1),
        ("mentions", 0, 0, 0, 1),
        (None, 0, 0, 0, 1),
    ],
)
def test_each_level_hears_what_it_says(
    feature, alice, ada, level, of_edit, of_move, of_comment, of_mention
):
    if level:
        watch(feature, alice, level)
    counts = []
    for act in (
        lambda: edit(feature, ada, summary="new"),
        lambda: operations.move(feature, "planned", by=ada, at=NOW),
        lambda: say(feature, ada, "Hm."),
        lambda: say(feature, ada, "Hm, @alice?"),
    ):
        Notification.objects.all().delete()
        act()
        counts.append(len(told()))
    assert counts == [of_edit, of_move, of_comment, of_mention]
    assert Notification.objects.get().is_mention


def test_an_act_tells_each_person_once_and_never_who_did_it(feature, alice, ada, wanda):
    watch(feature, alice, "all")
    say(feature, wanda, "@alice @alice @wanda @ada, @alice's turn")
    assert told() == ["ada", "alice"]


def test_a_mention_of_nobody_tells_nobody(feature, ada):
    say(feature, ada, "@nobody @ada ada@example.org `@ada`")
    assert told() == []


def test_who_left_is_not_told(feature, alice, ada):
    watch(feature, alice, "all")
    User.objects.filter(pk=alice.pk).update(is_active=False)
    say(feature, ada, "@alice?")
    assert told() == []


def test_a_crowd_in_one_comment_is_refused_and_told_nothing(feature, ada, client_of, api_of):
    crowd = " ".join(f"@user{number}" for number in range(1000))
    with pytest.raises(Refused, match="at most 50 people at once; this mentions 1000"):
        say(feature, ada, crowd)
    answer = api_of(ada).post("/api/v1/records/FT-1/comments/", {"body": crowd})
    assert answer.status_code == 422
    assert "at most 50 people" in str(answer.json()["errors"])
    page = client_of(ada).post("/r/FT-1/-/comment", {"body": crowd})
    assert page.status_code == 422
    assert f">{crowd}</textarea>" in page.content.decode()
    assert "at most 50 people" in page.content.decode()
    say(feature, ada, "@somebody " * 1000)
    assert Comment.objects.count() == 1


def test_an_answer_that_is_refused_stays_in_its_own_form(feature, ada, alice, client_of):
    asked = say(feature, ada, "Why?")
    sent = {"body": "x" * 20_001, "reply_to": asked.pk, "kind": "question"}
    page = client_of(alice).post("/r/FT-1/-/comment", sent).content.decode()
    assert page.count("x" * 20_001) == 1
    assert "<details open>" in page


def test_a_text_tells_those_whom_it_newly_names(feature, ada, alice, bob, mallory):
    edit(feature, ada, summary="By @alice", what_is_supported="`@mallory`")
    assert told() == ["alice"]
    edit(feature, ada, summary="By @alice, with @bob.")
    assert told() == ["alice", "bob"]
    edit(feature, ada, summary="With @bob's help, by @alice!")
    assert told() == ["alice", "bob"]
    operations.restore(feature, 2, by=ada, at=NOW)
    assert told() == ["alice", "bob"]


def test_a_slip_of_the_pen_tells_only_whom_it_names(feature, ada, alice, bob):
    watch(feature, bob, "all")
    operations.edit_record(
        feature, by=ada, at=NOW, version=1, fields={"summary": "@alice"}, is_minor=True
    )
    assert told() == ["alice"]


def test_a_new_record_tells_those_whom_it_names(ada, alice, record_of):
    record_of("US", by=ada, acceptance=[{"given": "@alice", "when": "w", "then": "t"}])
    assert told() == ["alice"]


def test_a_crowd_in_a_record_is_refused_with_its_text_kept(feature, ada, client_of):
    crowd = " ".join(f"@user{number}" for number in range(51))
    page = client_of(ada).post(
        "/r/FT-1/-/edit", {"title": "T", "summary": crowd, "base_version": "1"}
    )
    assert "this mentions 51" in page.content.decode()
    assert crowd in page.content.decode()
    assert Record.objects.get().version == 1


def test_an_import_tells_nobody(ada, alice):
    operations.create_record(
        "FT", title="T", fields={"summary": "@alice"}, by=ada, at=NOW, cause="import"
    )
    assert told() == []


def test_a_line_of_notes_tells_those_whom_it_names(record_of, ada, alice, wanda):
    meeting = record_of("MT", by=ada, date="2026-05-04")
    operations.move(meeting, "in_progress", by=ada, at=NOW)
    topic = operations.open_topic(meeting, title="Cron", by=ada, at=NOW)
    operations.write_minute(meeting, topic=topic, text="AB: @alice will ask", by=wanda, at=NOW)
    assert told() == ["alice"]


# --- watching without having asked ---


def test_the_author_the_reviewer_and_the_owner_watch(record_of, wanda, ada, alice):
    design = record_of("DD", by=wanda, summary="s", owner="alice")
    assert set(design.watches.values_list("user__username", "level")) == {
        ("wanda", "all"),
        ("alice", "all"),
    }
    assert told() == ["alice"]
    operations.move(design, "in_review", by=wanda, at=NOW)
    operations.review(design, by=ada, at=NOW, verdict="changes", text="Why, @alice?")
    assert design.watches.filter(user=ada, level="all").exists()
    heard = Notification.objects.filter(text__contains="Why, @alice?")
    assert set(heard.values_list("user__username", "is_mention")) == {
        ("wanda", False),
        ("alice", True),
    }


@pytest.mark.parametrize(
    ("owner", "watching"),
    [
        ("alice", {"alice"}),
        ("@alice", {"alice"}),
        ("@[Ada Lovelace] or @alice", {"alice", "Ada Lovelace"}),
        ("Ada Lovelace", {"Ada Lovelace"}),
        ("the cloud team", set()),
        ("Alice", set()),
        ("x" * 500, set()),
        ("", set()),
    ],
)
def test_an_owner_with_an_account_watches_a_role_does_not(feature, ada, alice, owner, watching):
    User.objects.create_user("Ada Lovelace")
    edit(feature, ada, owner=owner, summary="s")
    names = feature.watches.values_list("user__username", flat=True)
    assert set(names) - {"ada"} == watching


def test_nobody_is_put_back_who_chose_silence(record_of, wanda, ada, alice):
    design = record_of("DD", by=wanda, summary="s", owner="alice", quorum=2)
    for person in (wanda, alice, ada):
        watch(design, person, "")
    Notification.objects.all().delete()
    edit(design, wanda, summary="t")
    edit(design, wanda, owner="")
    edit(design, wanda, owner="alice")
    operations.move(design, "in_review", by=wanda, at=NOW)
    operations.review(design, by=ada, at=NOW, verdict="approve")
    say(design, alice, "Fine")
    assert told() == []
    assert set(design.watches.values_list("level", flat=True)) == {"mentions"}


def test_who_watches_two_records_hears_once_of_their_merging(record_of, ada, alice, bob, wanda):
    one, two = record_of("US", "One", by=ada), record_of("US", "Two", by=ada)
    watch(one, alice, "all")
    watch(two, alice, "mentions")
    watch(one, bob, "status")
    watch(two, wanda, "all")
    operations.merge_into(one, two, by=ada, at=NOW)
    assert told() == ["alice", "bob", "wanda"]
    assert two.watches.get(user=alice).level == "mentions"
    assert two.watches.get(user=bob).level == "status"


def test_who_decides_is_not_told_and_who_watches_both_is_told_once(record_of, ada, alice, bob):
    def decided(title, **links):
        row = {"name": "Stay", "is_do_nothing": True}
        record = record_of(
            "DR", title, by=ada, problem="p", comments_close_on="2026-05-01",
            options=[row, {"name": "Go"}], chosen_option="Go", decision_text="t",
            decision_rationale="r", deciders=["ada"], decided_on="2026-05-04",
        )  # fmt: skip
        watch(record, alice, "all")
        for other in links.values():
            operations.add_link(record, "supersedes", other, by=ada, at=NOW)
        operations.move(record, "open", by=ada, at=NOW)
        Notification.objects.all().delete()
        operations.move(record, "decided", by=ada, at=NOW)
        return record

    old = decided("Old")
    watch(old, bob, "status")
    decided("New", supersedes=old)
    old.refresh_from_db()
    assert old.status == "superseded"
    assert told() == ["alice", "bob"]


# --- choosing ---


def test_the_page_shows_and_keeps_the_level(feature, alice, client_of):
    client = client_of(alice)
    page = client.get("/r/FT-1").content.decode()
    assert '<option value="mentions" selected>' in page
    for level in LEVELS:
        client.post("/r/FT-1/-/watch", {"level": level})
        assert f'<option value="{level}" selected>' in client.get("/r/FT-1").content.decode()
    refused = client.post("/r/FT-1/-/watch", {"level": "shout"}, follow=True)
    assert "Choose what you want to be told." in refused.content.decode()
    assert Watch.objects.get(user=alice).level == "mentions"


def test_the_history_tells_of_each_choice_and_of_no_other(feature, alice):
    for level in ("all", "all", "status"):
        watch(feature, alice, level)
    events = AuditEvent.objects.filter(action="record.watched").order_by("pk")
    assert [(each.before["level"], each.after["level"]) for each in events] == [
        ("", "all"),
        ("all", "status"),
    ]


def test_the_level_over_rest(feature, alice, api_of):
    place, api = "/api/v1/records/FT-1/watch/", api_of(alice)
    assert api.get(place).json() == {"level": "mentions"}
    assert api.put(place, {"level": "status"}).json() == {"level": "status"}
    assert api.get(place).json() == {"level": "status"}
    assert api.put(place, {"level": "shout"}).status_code == 400
    assert api.get("/api/v1/records/FT-9/watch/").status_code == 404


def test_rest_says_who_was_mentioned(feature, alice, ada, api_of):
    place = "/api/v1/records/FT-1/comments/"
    made = api_of(ada).post(place, {"body": "@alice and @nobody", "mentioned": ["ada"]})
    assert made.json()["mentioned"] == ["alice"]
    assert api_of(alice).get(place).json()[0]["mentioned"] == ["alice"]
    (notice,) = api_of(alice).get("/api/v1/notifications/").json()["results"]
    assert notice["is_mention"]
    assert notice["url"] == f"/r/FT-1/-/discussion#comment-{made.json()['id']}"


def test_the_page_marks_those_who_were_told(feature, alice, ada, client_of):
    say(feature, ada, "@alice, @nobody\nsee FT-1 <b>")
    page = client_of(alice).get("/r/FT-1/-/discussion").content.decode()
    assert '<strong class="mention"><bdi>@alice</bdi></strong>, @nobody' in page
    assert '<a href="/r/FT-1">FT-1</a> &lt;b&gt;' in page
    notices = client_of(alice).get("/stories/notifications/").content.decode()
    assert "mentions you" in notices
    assert f'href="/r/FT-1/-/discussion#comment-{Comment.objects.get().pk}"' in notices


def test_more_comments_ask_no_more_questions(feature, alice, ada, client_of):
    client = client_of(alice)
    counts = []
    for _times in range(2):
        say(feature, ada, "@alice")
        client.get("/r/FT-1/-/discussion")
        with CaptureQueriesContext(connection) as caught:
            client.get("/r/FT-1/-/discussion")
        counts.append(len(caught))
    assert counts[0] == counts[1]
