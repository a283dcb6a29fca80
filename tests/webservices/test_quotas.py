"""What a tool may use: shown, enforced where things start, asked for and decided."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from builds.admission import admit, startable
from builds.models import Build, BuildCache
from builds.operations import BuildRefused, Source, start_build
from builds.states import Status
from builds.usage import WINDOW, minutes_by_tool
from portal.tools.models import Quota, QuotaRequest
from portal.tools.operations import register_tool
from portal.tools.quotas import (
    QuotaRefused,
    Resource,
    ask_for_more,
    grant,
    limits_of,
    refuse,
    set_quota,
)
from portal.webservices.models import Release
from portal.webservices.operations import DeployRefused, configure, deploy, rollback
from portal.webservices.tasks import deploy_build
from portal.webservices.usage import uses_of
from tests.conftest import NOW

GIGABYTE = 1024**3


def text(answer):
    return answer.content.decode()


def ran(tool, *, minutes, ago=timedelta(), status=Status.SUCCEEDED):
    """A build of so many minutes that ended so long ago."""
    number = Build.objects.count() + 100
    end = NOW - ago
    return Build.objects.create(
        tool=tool,
        number=number,
        status=status,
        source_url=f"https://git.example.org/{number}",
        created_at=end,
        started_at=end - timedelta(minutes=minutes),
        finished_at=None if status == Status.RUNNING else end,
    )


def start(tool, user, at=NOW):
    source = Source(f"https://git.example.org/new-{Build.objects.count()}")
    return start_build(tool, by=user, source=source, at=at)[0]


def use(tool, resource):
    return next(each for each in uses_of(tool, now=NOW) if each.resource == resource)


def test_build_minutes_are_counted_for_thirty_days_and_while_a_build_runs(hat, bob):
    scarf = register_tool("scarf", by=bob, at=NOW, title="Scarf")
    ran(hat, minutes=10)
    ran(hat, minutes=5.5, ago=WINDOW - timedelta(hours=1), status=Status.FAILED)
    ran(hat, minutes=100, ago=WINDOW + timedelta(hours=1))
    ran(hat, minutes=2, status=Status.RUNNING)
    ran(scarf, minutes=1)
    start(scarf, bob)
    assert minutes_by_tool({hat.pk, scarf.pk}, now=NOW) == {hat.pk: 18, scarf.pk: 1}


def test_used_up_build_minutes_refuse_a_build_in_words(hat, alice, settings):
    settings.QUOTA_BUILD_MINUTES = 20
    ran(hat, minutes=20)
    with pytest.raises(BuildRefused) as caught:
        start(hat, alice)
    assert str(caught.value) == (
        "Build minutes in 30 days: hat uses 20 of 20. Ask for more on the tool's page Quotas."
    )
    set_quota(hat, by=alice, at=NOW, amounts={"build_minutes": 21})
    assert start(hat, alice).status == Status.QUEUED


def test_the_build_under_way_is_given_back_also_when_no_other_may_start(hat, alice, settings):
    source = Source("https://git.example.org/same")
    first = start_build(hat, by=alice, source=source, at=NOW)[0]
    settings.QUOTA_BUILD_MINUTES = 0
    assert start_build(hat, by=alice, source=source, at=NOW)[0] == first


@pytest.mark.parametrize(
    ("amounts", "words"),
    [
        ({"images": 1}, "Images: hat uses 1 of 1."),
        ({"storage_bytes": 3 * GIGABYTE}, "on disk: hat uses 3.0\xa0GB of 3.0\xa0GB."),
    ],
)
def test_too_many_images_refuse_a_build(hat, image, alice, amounts, words):
    type(image).objects.update(size=GIGABYTE)
    BuildCache.objects.create(tool=hat, size=2 * GIGABYTE, measured_at=NOW)
    set_quota(hat, by=alice, at=NOW, amounts=amounts)
    with pytest.raises(BuildRefused) as caught:
        start(hat, alice)
    assert words in str(caught.value)


def test_a_tool_may_be_given_more_places_for_builds(hat, alice, settings):
    settings.BUILDS_AT_ONCE, settings.BUILDS_AT_ONCE_PER_TOOL = 4, 1
    first, second, third = (start(hat, alice) for _number in range(3))
    assert admit(first, now=NOW)
    assert startable() == []
    set_quota(hat, by=alice, at=NOW, amounts={"builds_at_once": 2})
    assert startable() == [second.pk]
    assert admit(second, now=NOW)
    assert not admit(third, now=NOW)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"replicas": 5}, "Replicas: 5 asked for, hat may use 4."),
        ({"replicas": 4, "memory_bytes": GIGABYTE}, "Memory of all replicas: 4.0\xa0GB asked for"),
        ({"replicas": 2, "cpu_millis": 2500}, "Processors of all replicas: 5 asked for"),
        ({"memory_bytes": 1024}, "Memory: "),
        ({"cpu_millis": 1}, "Processors: "),
    ],
)
def test_a_configuration_that_needs_too_much_is_refused_and_changes_nothing(
    hat, image, alice, change, words
):
    deploy(image, by=alice, at=NOW)
    with pytest.raises(DeployRefused) as caught:
        configure(hat, by=alice, at=NOW, **change)
    assert words in str(caught.value)
    assert Release.objects.count() == 1
    assert hat.webservice.configuration["replicas"] == 1


def test_a_limit_that_was_lowered_refuses_deploys_and_rollbacks_and_is_kept_in_the_history(
    hat, image, alice, look
):
    configure(hat, by=alice, at=NOW, replicas=3)
    deploy(image, by=alice, at=NOW)
    webservice = look(4)
    set_quota(hat, by=alice, at=NOW, amounts={"replicas": 2})
    for attempt in (
        lambda: deploy(image, by=alice, at=NOW),
        lambda: rollback(webservice, to=Release.objects.get(number=1), by=alice, at=NOW),
    ):
        with pytest.raises(DeployRefused):
            attempt()
    deploy_build(image.build)
    assert Release.objects.count() == 1
    event = hat.events.first()
    assert event.action == "webservice.not-deployed"
    assert "Replicas: 3 asked for, hat may use 2." in event.summary
    assert webservice.last_release_number == 1


def test_a_webservice_counts_while_it_is_wanted(hat, image, alice, look):
    configure(hat, by=alice, at=NOW, replicas=2)
    assert use(hat, Resource.REPLICAS).used == 0
    deploy(image, by=alice, at=NOW)
    assert use(hat, Resource.REPLICAS).used == 2
    assert use(hat, Resource.MEMORY).shown_used == "1.0\xa0GB"
    assert use(hat, Resource.CPU).percent == 50


@pytest.mark.parametrize(
    ("used", "limit", "level"), [(0, 10, "fine"), (8, 10, "near"), (10, 10, "full"), (0, 0, "full")]
)
def test_a_bar_warns_before_it_is_full(hat, alice, used, limit, level):
    set_quota(hat, by=alice, at=NOW, amounts={"build_minutes": limit})
    ran(hat, minutes=used)
    assert use(hat, Resource.BUILD_MINUTES).level == level


@pytest.mark.parametrize("path", ["/tools/hat/quotas/", "/api/v1/tools/hat/quotas/"])
def test_the_number_of_queries_does_not_grow(hat, image, alice, client_of, path):
    client = client_of(alice)

    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert client.get(path).status_code == 200
        return len(captured)

    deploy(image, by=alice, at=NOW)
    few = queries()
    for _number in range(30):
        ran(hat, minutes=1)
        QuotaRequest.objects.create(
            tool=hat, reason="x", asked_at=NOW, asked_by=alice, status="refused"
        )
    assert queries() == few <= 18


def test_more_is_asked_for_and_granted(hat, alice, ada):
    asked = ask_for_more(
        hat, by=alice, at=NOW, reason=" a busy week ", wanted={"replicas": 8, "images": 40}
    )
    assert asked.reason == "a busy week"
    grant(asked, by=ada, at=NOW, amounts={"replicas": 6}, answer="six will do")
    assert (limits_of(hat)["replicas"], limits_of(hat)["images"]) == (6, 20)
    asked.refresh_from_db()
    assert (asked.status, asked.granted, asked.decided_by) == ("granted", {"replicas": 6}, ada)
    event = hat.events.first()
    assert (event.action, event.before, event.after) == (
        "quota.set",
        {"replicas": 4},
        {"replicas": 6},
    )


def test_one_request_waits_at_a_time_and_is_decided_once(hat, alice, ada):
    asked = ask_for_more(hat, by=alice, at=NOW, reason="x", wanted={"replicas": 8})
    with pytest.raises(QuotaRefused, match="waits"):
        ask_for_more(hat, by=alice, at=NOW, reason="y", wanted={"replicas": 9})
    refuse(asked, by=ada, at=NOW, answer="not now")
    with pytest.raises(QuotaRefused, match="already"):
        grant(asked, by=ada, at=NOW, amounts={"replicas": 9})
    assert not Quota.objects.exists()
    assert ask_for_more(hat, by=alice, at=NOW, reason="y", wanted={"replicas": 9}).status == "open"


@pytest.mark.parametrize(
    ("reason", "wanted", "field"),
    [
        (" ", {"replicas": 8}, "reason"),
        ("x", {}, ""),
        ("x", {"gold": 1}, "gold"),
        ("x", {"replicas": -1}, "replicas"),
        ("x", {"storage_bytes": 2**63}, "storage_bytes"),
    ],
)
def test_a_request_that_says_nothing_is_refused(hat, alice, reason, wanted, field):
    with pytest.raises(QuotaRefused) as caught:
        ask_for_more(hat, by=alice, at=NOW, reason=reason, wanted=wanted)
    assert caught.value.field == field
    assert not QuotaRequest.objects.exists()


def test_a_refusal_needs_an_answer(hat, alice, ada):
    asked = ask_for_more(hat, by=alice, at=NOW, reason="x", wanted={"replicas": 8})
    with pytest.raises(QuotaRefused, match="Say why"):
        refuse(asked, by=ada, at=NOW, answer=" ")


def test_quotas_in_the_browser(hat, alice, ada, bob, client_of):
    client = client_of(alice)
    page = text(client.get("/tools/hat/quotas/"))
    assert "Build minutes in 30 days" in page
    assert '<progress class="quota-bar quota-bar--fine" value="0" max="600"' in page
    assert "enforced" in page
    data = {"memory_bytes": "3000", "storage_bytes": "1.5", "cpu_millis": "2.5", "reason": "<b>"}
    page = text(client.post("/tools/hat/quotas/", data, follow=True))
    assert "An administrator will answer." in page
    asked = QuotaRequest.objects.get()
    assert asked.wanted == {
        "memory_bytes": 3000 * 1024**2,
        "storage_bytes": 1610612736,
        "cpu_millis": 2500,
    }
    assert "&lt;b&gt;" in page
    assert client.get("/quota-requests/").status_code == 403
    assert client_of(bob).get("/tools/hat/quotas/").status_code == 404
    admin = client_of(ada)
    assert "2.9 GB" in text(admin.get("/quota-requests/")).replace("\xa0", " ")
    decision = {f"{asked.pk}-replicas": "", f"{asked.pk}-memory_bytes": "2500"}
    assert client.post(f"/quota-requests/{asked.pk}/decide/", decision).status_code == 403
    admin.post(f"/quota-requests/{asked.pk}/decide/", decision)
    assert limits_of(hat)["memory_bytes"] == 2500 * 1024**2
    assert "Granted" in text(client.get("/tools/hat/quotas/"))


def test_an_administrator_refuses_in_the_browser(hat, alice, ada, client_of):
    asked = ask_for_more(hat, by=alice, at=NOW, reason="x", wanted={"replicas": 8})
    data = {f"{asked.pk}-answer": "use a cache", "refuse": "1"}
    client_of(ada).post(f"/quota-requests/{asked.pk}/decide/", data)
    assert "use a cache" in text(client_of(alice).get("/tools/hat/quotas/"))


def test_quotas_over_rest(hat, alice, ada, bob, api_of):
    rest, admin = api_of(alice), api_of(ada)
    uses = {each["resource"]: each for each in rest.get("/api/v1/tools/hat/quotas/").json()["uses"]}
    assert (uses["replicas"]["used"], uses["replicas"]["limit"]) == (0, 4)
    asked = rest.post(
        "/api/v1/tools/hat/quotas/", {"reason": "busy", "wanted": {"replicas": 8}}
    ).json()
    again = rest.post("/api/v1/tools/hat/quotas/", {"reason": "x", "wanted": {"replicas": 8}})
    bad = rest.post("/api/v1/tools/hat/quotas/", {"reason": "x", "wanted": {"gold": 8}})
    assert (again.status_code, bad.status_code) == (409, 422)
    path = f"/api/v1/quota-requests/{asked['id']}"
    assert rest.post(f"{path}/grant/", {}).status_code == 403
    assert rest.get("/api/v1/quota-requests/").status_code == 403
    queue = admin.get("/api/v1/quota-requests/?status=open").json()["results"]
    assert [each["reason"] for each in queue] == ["busy"]
    assert admin.post(f"{path}/refuse/", {}).status_code == 400
    granted = admin.post(f"{path}/grant/", {}).json()
    assert (granted["status"], granted["granted"]) == ("granted", {"replicas": 8})
    assert admin.post(f"{path}/refuse/", {"answer": "no"}).status_code == 409
    assert limits_of(hat)["replicas"] == 8
    assert api_of(bob).get("/api/v1/tools/hat/quotas/").status_code == 404


def test_memory_and_processors_are_configured_in_the_browser(hat, image, alice, client_of, look):
    deploy(image, by=alice, at=NOW)
    look(4)
    data = {"replicas": 1, "health_check_path": "/", "memory": "256", "processors": "0.5"}
    page = text(client_of(alice).post("/tools/hat/webservice/configure/", data, follow=True))
    assert "Saved." in page
    made = Release.objects.first()
    assert (made.number, made.memory_bytes, made.cpu_millis) == (2, 256 * 1024**2, 500)
