"""What happened is told to those who want to know: in the transaction, signed, tried again."""

import hashlib
import hmac
import json
import re
from datetime import timedelta

import pytest
from django.core import mail
from django.db import transaction

from builds.operations import Source, start_build
from builds.states import Reason, Status
from portal.tools.models import Membership
from portal.tools.operations import register_tool, remove_member
from portal.webhooks import tasks
from portal.webhooks.events import EVENTS
from portal.webhooks.models import Delivery, Notice, Subscription
from portal.webhooks.sending import attempt, pause_after
from portal.webhooks.subscribing import (
    choose_mail,
    deliver_again,
    edit_subscription,
    send_test,
    subscribe,
)
from portal.webservices.releases import webservice_of
from tests.conftest import NOW
from tests.internet import PUBLIC, Internet, Server, make_certificate

HOST = "hooks.example.org"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("certificates"), HOST)


@pytest.fixture
def internet(monkeypatch, certificate):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    internet = Internet(monkeypatch)
    internet.servers = {PUBLIC: Server(certificate), "127.0.0.1": Server()}
    internet.servers["127.0.0.1"].say(200, b"the inside")
    internet.name(HOST, [PUBLIC])
    yield internet
    internet.close()


@pytest.fixture
def server(internet):
    return internet.servers[PUBLIC]


@pytest.fixture
def subscription_and_secret(hat, alice):
    return subscribe(hat, url=f"https://{HOST}/hook?token=1", events=list(EVENTS), by=alice, at=NOW)


@pytest.fixture
def subscription(subscription_and_secret):
    return subscription_and_secret[0]


@pytest.fixture
def build(hat, alice):
    source = Source("https://git.example.org/hat.git", "main")
    build, _is_new = start_build(hat, by=alice, source=source, at=NOW)
    build.move_to(Status.RUNNING, at=NOW, started_at=NOW)
    return build


def fail(build, at=NOW + timedelta(seconds=90)):
    reason = "The build’s command failed."
    build.move_to(Status.FAILED, at=at, reason_code=Reason.BUILD_FAILED, reason=reason)


def try_(delivery, *, after=timedelta(0)):
    delivery.refresh_from_db()
    return attempt(delivery, now=NOW + timedelta(seconds=90) + after)


# --- what is told ---------------------------------------------------------------------------
@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "timed-out"])
def test_the_end_of_a_build_is_told(status, subscription, build):
    build.move_to(status, at=NOW, reason="why")
    notice = Notice.objects.get()
    assert notice.event == f"build.{status}"
    assert (notice.data["build"]["number"], notice.data["build"]["reason"]) == (1, "why")
    assert notice.data["tool"]["name"] == "hat"
    assert notice.deliveries.get().subscription == subscription


def test_a_move_that_is_undone_is_not_told(subscription, build):
    with pytest.raises(RuntimeError), transaction.atomic():
        fail(build)
        assert Notice.objects.exists()
        raise RuntimeError
    assert not Notice.objects.exists()


def test_the_beginning_of_a_build_is_not_told(subscription, build):
    assert build.status == Status.RUNNING
    assert not Notice.objects.exists()


def test_only_what_was_chosen_is_told(subscription, build, alice):
    edit_subscription(subscription, by=alice, at=NOW, events=["build.succeeded"])
    fail(build)
    assert not Notice.objects.exists()


def test_a_subscription_of_another_tool_hears_nothing(build, bob):
    scarf = register_tool("scarf", by=bob, at=NOW, title="Scarf")
    subscribe(scarf, url=f"https://{HOST}/", events=list(EVENTS), by=bob, at=NOW)
    fail(build)
    assert not Delivery.objects.exists()


def test_a_subscription_that_is_switched_off_hears_nothing(subscription, build, alice):
    edit_subscription(subscription, by=alice, at=NOW, is_active=False)
    fail(build)
    assert not Delivery.objects.exists()


def test_illness_and_recovery_are_told_once_each(subscription, hat):
    webservice = webservice_of(hat, at=NOW)
    for status in ("starting", "running", "degraded", "failed", "running", "stopped"):
        assert webservice.move_to(status, at=NOW, reason=f"now {status}")
    events = Notice.objects.order_by("pk").values_list("event", flat=True)
    assert list(events) == ["webservice.unhealthy", "webservice.recovered"]
    assert Notice.objects.last().data["webservice"]["reason"] == "now degraded"


# --- how it is told -------------------------------------------------------------------------
def test_a_call_is_signed_over_its_very_bytes(subscription_and_secret, build, server):
    _subscription, secret = subscription_and_secret
    fail(build)
    delivery = Delivery.objects.get()
    assert try_(delivery) is None
    [(method, path, headers, body)] = server.requests
    assert (method, path) == ("POST", "/hook?token=1")
    assert body == delivery.notice.body.encode()
    assert headers["X-Portal-Delivery"] == delivery.ident
    assert headers["X-Portal-Event"] == "build.failed"
    signed = f"{delivery.ident}.{headers['X-Portal-Timestamp']}.".encode() + body
    right = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["X-Portal-Signature"] == f"sha256={right}"
    told = json.loads(body)["build"]
    assert (told["reason_code"], told["seconds"], told["ref"]) == ("build-failed", 90.0, "main")


def test_what_came_of_a_call_is_kept(subscription, build, server):
    server.say(201, b"thanks a lot\0" + b"x" * 5000)
    fail(build)
    delivery = Delivery.objects.get()
    try_(delivery)
    assert (delivery.status, delivery.last["status"]) == ("delivered", 201)
    assert delivery.response.startswith("thanks a lot")
    assert len(delivery.response) == 2048
    assert delivery.last["seconds"] > 0


def test_a_failure_is_tried_again_and_then_given_up(subscription, build, server, settings):
    settings.DELIVERY_DEADLINE_HOURS = 1
    server.say(500, b"broken")
    fail(build)
    delivery, after, pauses = Delivery.objects.get(), timedelta(0), []
    while (pause := try_(delivery, after=after)) is not None:
        pauses.append(pause)
        after += pause
    assert 4 <= len(pauses) <= 7
    assert pauses == sorted(pauses)
    assert timedelta(seconds=8) <= pauses[0] <= timedelta(seconds=12)
    assert delivery.status == "given-up"
    assert "given up after 1 hours" in delivery.reason
    assert "answered 500" in delivery.reason
    assert len(delivery.attempts) == len(pauses) + 1
    assert try_(delivery, after=after) is None


def test_pauses_grow_but_not_for_ever():
    pauses = [pause_after(number, jitter=1).total_seconds() for number in (1, 2, 3, 4, 20, 1000)]
    assert pauses == [10, 40, 160, 640, 10_800, 10_800]


def test_a_redirect_is_a_failure(subscription, build, internet, server):
    server.say(302, Location="http://127.0.0.1/")
    fail(build)
    delivery = Delivery.objects.get()
    assert try_(delivery) is not None
    assert "redirects are not followed" in delivery.reason
    assert internet.servers["127.0.0.1"].requests == []


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1"])
def test_an_address_on_the_inside_is_neither_called_nor_described(
    address, subscription, build, internet
):
    internet.name(HOST, [address])
    fail(build)
    delivery = Delivery.objects.get()
    try_(delivery)
    assert internet.connections == []
    assert delivery.response == ""
    assert address not in delivery.reason
    assert "inside" not in json.dumps(delivery.attempts)


def test_the_words_of_a_trusted_inside_stay_inside(hat, alice, build, internet, settings):
    settings.OUTGOING_TRUSTED_PREFIXES = ["http://chat.internal/hooks/"]
    internet.name("chat.internal", ["127.0.0.1"])
    subscribe(hat, url="http://chat.internal/hooks/1", events=["build.failed"], by=alice, at=NOW)
    fail(build)
    delivery = Delivery.objects.get()
    try_(delivery)
    assert (delivery.status, delivery.response) == ("delivered", "")


def test_a_subscription_that_always_fails_is_paused_visibly(
    subscription, build, server, alice, client_of, settings
):
    settings.DELIVERY_DEADLINE_HOURS = 24 * 10
    server.say(500)
    fail(build)
    delivery = Delivery.objects.get()
    try_(delivery)
    assert Subscription.objects.get().is_active
    try_(delivery, after=timedelta(days=3, minutes=1))
    paused = Subscription.objects.get()
    assert not paused.is_active
    assert "Every call for 3 days failed" in paused.paused_reason
    assert paused.tool.events.filter(action="subscription.paused", actor=None).exists()
    for path in ("/tools/hat/webhooks/", f"/tools/hat/subscriptions/{paused.pk}/"):
        assert "Every call for 3 days failed" in client_of(alice).get(path).content.decode()
    assert try_(delivery, after=timedelta(days=4)) is None
    assert "paused" in delivery.reason
    edit_subscription(paused, by=alice, at=NOW, is_active=True)
    paused.refresh_from_db()
    assert (paused.paused_reason, paused.failing_since) == ("", None)


def test_one_success_ends_a_row_of_failures(subscription, build, server):
    server.say(500)
    fail(build)
    delivery = Delivery.objects.get()
    try_(delivery)
    assert Subscription.objects.get().failing_since
    server.say(204)
    try_(delivery, after=timedelta(minutes=1))
    assert Subscription.objects.get().failing_since is None


def test_a_test_and_a_redelivery_are_told_by_who_asked(subscription, server, alice):
    first = send_test(subscription, by=alice, at=NOW)
    try_(first)
    again = deliver_again(first, by=alice, at=NOW)
    try_(again)
    assert [json.loads(body)["event"] for *_rest, body in server.requests] == ["test", "test"]
    assert server.requests[0][3] == server.requests[1][3]
    idents = {headers["X-Portal-Delivery"] for _m, _p, headers, _b in server.requests}
    assert len(idents) == 2
    assert again.asked_by == alice


def test_a_test_of_a_paused_subscription_is_sent(subscription, server, alice):
    Subscription.objects.update(is_active=False)
    delivery = send_test(subscription, by=alice, at=NOW)
    try_(delivery)
    assert delivery.status == "delivered"


# --- tasks ----------------------------------------------------------------------------------
def test_a_task_delivers_once_however_often_it_is_called(subscription, build, server):
    fail(build)
    delivery = Delivery.objects.get()
    for _number in range(3):
        tasks.deliver(delivery_id=delivery.pk)
    assert len(server.requests) == 1
    delivery.refresh_from_db()
    assert (delivery.status, delivery.next_look_at) == ("delivered", None)


def test_a_slow_receiver_does_not_hold_all_workers(subscription, build, server, alice, settings):
    settings.DELIVERIES_AT_ONCE = 1
    fail(build)
    Delivery.objects.update(calling_until=NOW + timedelta(days=3650))
    other = send_test(subscription, by=alice, at=NOW)
    tasks.deliver(delivery_id=other.pk)
    assert server.requests == []
    Delivery.objects.update(calling_until=None, next_look_at=NOW)
    tasks.deliver(delivery_id=other.pk)
    assert len(server.requests) == 1


def test_a_delivery_whose_alarm_was_lost_is_found(subscription, build, monkeypatch):
    fail(build)
    woken = []
    monkeypatch.setattr(tasks.deliver, "apply_async", lambda kwargs, **_how: woken.append(kwargs))
    tasks.sweep()
    assert woken == [{"delivery_id": Delivery.objects.get().pk}]


def test_old_notices_are_forgotten(subscription, build):
    fail(build, at=NOW - timedelta(days=365))
    tasks.clean_up()
    assert not Delivery.objects.exists()


# --- mail -----------------------------------------------------------------------------------
@pytest.fixture
def reachable_alice(alice):
    alice.email = "alice@example.org"
    alice.save(update_fields=["email"])
    return alice


def test_who_chose_it_gets_mail(reachable_alice, hat, build):
    choose_mail(hat, user=reachable_alice, level="problems", at=NOW)
    fail(build)
    delivery = Delivery.objects.get()
    try_(delivery)
    [message] = mail.outbox
    assert message.to == ["alice@example.org"]
    assert message.subject == "[hat] A build failed"
    assert "The build’s command failed." in message.body
    assert re.search(r"http://\S+/tools/hat/builds/1/", message.body)
    assert "/accounts/mail/" in message.body
    assert message.extra_headers["Auto-Submitted"] == "auto-generated"
    assert delivery.status == "delivered"


def test_who_wants_problems_hears_nothing_of_success(reachable_alice, hat, build):
    choose_mail(hat, user=reachable_alice, level="problems", at=NOW)
    build.move_to(Status.SUCCEEDED, at=NOW)
    assert not Delivery.objects.exists()


def test_who_wants_everything_hears_of_success(reachable_alice, hat, build):
    choose_mail(hat, user=reachable_alice, level="all", at=NOW)
    build.move_to(Status.SUCCEEDED, at=NOW)
    try_(Delivery.objects.get())
    assert mail.outbox[0].subject == "[hat] A build succeeded"


def test_nobody_gets_mail_who_did_not_choose_it(reachable_alice, hat, build):
    fail(build)
    assert not Delivery.objects.exists()


def test_who_left_the_tool_gets_no_mail(reachable_alice, hat, build, bob):
    Membership.objects.create(tool=hat, user=bob, role="maintainer")
    choose_mail(hat, user=reachable_alice, level="all", at=NOW)
    fail(build)
    remove_member(hat, user=reachable_alice, by=bob, at=NOW)
    delivery = Delivery.objects.get()
    assert try_(delivery) is None
    assert "keeps the tool no longer" in delivery.reason
    assert mail.outbox == []


def test_an_address_that_is_confirmed_no_more_gets_no_mail(reachable_alice, hat, build):
    choose_mail(hat, user=reachable_alice, level="all", at=NOW)
    fail(build)
    type(reachable_alice).objects.update(email="")
    delivery = Delivery.objects.get()
    try_(delivery)
    assert "no confirmed address" in delivery.reason
    assert mail.outbox == []


def test_a_mail_server_that_fails_is_tried_again(reachable_alice, hat, build, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    choose_mail(hat, user=reachable_alice, level="all", at=NOW)
    fail(build)
    delivery = Delivery.objects.get()
    assert try_(delivery) is not None
    assert "mail server" in delivery.reason


def test_a_webservice_that_is_ill_and_well_by_turns_fills_no_mailbox(
    reachable_alice, hat, settings
):
    settings.MAILS_PER_HOUR = 3
    choose_mail(hat, user=reachable_alice, level="problems", at=NOW)
    webservice = webservice_of(hat, at=NOW)
    webservice.move_to("running", at=NOW)
    for _number in range(4):
        webservice.move_to("degraded", at=NOW)
        webservice.move_to("running", at=NOW)
    for delivery in Delivery.objects.order_by("pk"):
        try_(delivery)
    assert len(mail.outbox) == 3
    assert "3 mails in an hour" in Delivery.objects.first().reason
