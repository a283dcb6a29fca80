"""Pages and REST about subscriptions, their deliveries and mail."""

import pytest

from portal.tools.models import Membership
from portal.webhooks.events import EVENTS
from portal.webhooks.models import Delivery, MailChoice, Subscription
from portal.webhooks.operations import WebhookRefused
from portal.webhooks.subscribing import choose_mail, send_test, subscribe
from tests.conftest import NOW

URL = "https://hooks.example.org/hook"
FORM = {"url": URL, "events": ["build.failed", "build.succeeded"], "is_active": "on"}


@pytest.fixture
def subscription(hat, alice):
    return subscribe(hat, url=URL, events=list(EVENTS), by=alice, at=NOW)[0]


def page(client, path, data=None):
    answer = client.post(path, data) if data is not None else client.get(path)
    return answer.content.decode()


def test_a_subscription_is_made_and_its_secret_shown_once(hat, alice, client_of):
    client = client_of(alice)
    text = page(client, "/tools/hat/subscriptions/new/", FORM)
    subscription = Subscription.objects.get()
    assert subscription.secret in text
    assert subscription.events == ["build.succeeded", "build.failed"]
    place = f"/tools/hat/subscriptions/{subscription.pk}/"
    assert subscription.secret not in page(client, place)
    assert subscription.secret.encode() not in bytes(subscription.encrypted_secret)
    assert hat.events.get(action="subscription.created").summary == "hooks.example.org"


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/", "https://localhost/", "https://127.0.0.1/", "javascript:x",
        "https://10.0.0.1:443/", "https://user:pw@hooks.example.org/", "https://[::1]/",
    ],
)  # fmt: skip
def test_an_address_that_may_not_be_called_is_refused_at_once(url, hat, alice, client_of):
    text = page(client_of(alice), "/tools/hat/subscriptions/new/", {**FORM, "url": url})
    assert 'class="error"' in text
    assert not Subscription.objects.exists()


def test_a_subscription_to_nothing_is_refused(hat, alice):
    with pytest.raises(WebhookRefused) as caught:
        subscribe(hat, url=URL, events=[], by=alice, at=NOW)
    assert caught.value.field == "events"


def test_there_is_a_limit_of_subscriptions(subscription, hat, alice, settings):
    settings.SUBSCRIPTIONS_PER_TOOL = 1
    with pytest.raises(WebhookRefused, match="1 subscriptions at most"):
        subscribe(hat, url=URL, events=["build.failed"], by=alice, at=NOW)


def test_buttons_test_change_and_delete(subscription, hat, alice, client_of):
    client, place = client_of(alice), f"/tools/hat/subscriptions/{subscription.pk}/"
    client.post(f"{place}test/")
    delivery = Delivery.objects.get()
    assert "A test" in page(client, place)
    assert "&quot;event&quot;: &quot;test&quot;" in page(
        client, f"{place}deliveries/{delivery.pk}/"
    )
    client.post(f"{place}deliveries/{delivery.pk}/redeliver/")
    assert Delivery.objects.count() == 2
    before = subscription.secret
    text = page(client, f"{place}secret/", {})
    subscription.refresh_from_db()
    assert subscription.secret != before
    assert subscription.secret in text
    client.post(place, {**FORM, "is_active": ""})
    assert not Subscription.objects.get().is_active
    client.post(f"{place}delete/")
    assert not Subscription.objects.exists()


def test_subscriptions_of_others_are_not_there(
    subscription, alice, bob, mallory, client_of, api_of
):
    delivery = send_test(subscription, by=alice, at=NOW)
    place = f"subscriptions/{subscription.pk}/"
    for user in (bob, mallory):
        for path in ("", "secret/", "test/", "delete/", f"deliveries/{delivery.pk}/redeliver/"):
            assert client_of(user).post(f"/tools/hat/{place}{path}").status_code == 404
        for path in (place, f"deliveries/{delivery.pk}/", "deliveries/", "mail/"):
            assert api_of(user).get(f"/api/v1/tools/hat/{path}").status_code == 404
    assert Delivery.objects.count() == 1


def test_the_api_can_do_what_the_pages_can(hat, alice, api_of):
    api, base = api_of(alice), "/api/v1/tools/hat/"
    made = api.post(f"{base}subscriptions/", {"url": URL, "events": ["build.failed"]})
    assert made.status_code == 201
    place = f"{base}subscriptions/{made.data['id']}/"
    assert made.data["secret"] == Subscription.objects.get().secret
    assert "secret" not in api.get(place).data
    assert len(api.get(f"{base}subscriptions/").data) == 1
    tested = api.post(f"{place}test/")
    assert (tested.status_code, tested.data["event"]) == (202, "test")
    [listed] = api.get(f"{base}deliveries/", {"subscription": made.data["id"]}).data["results"]
    assert listed["ident"] == tested.data["ident"]
    assert api.get(f"{base}deliveries/", {"subscription": "x"}).data["results"] == []
    detail = api.get(f"{base}deliveries/{listed['id']}/").data
    assert '"event": "test"' in detail["body"]
    assert api.post(f"{base}deliveries/{listed['id']}/redeliver/").status_code == 202
    assert api.patch(place, {"is_active": False}).data["is_active"] is False
    assert api.patch(place, {"url": "https://localhost/"}).status_code == 422
    assert api.post(f"{place}secret/").data["secret"] != made.data["secret"]
    assert api.delete(place).status_code == 204


# --- mail -----------------------------------------------------------------------------------
def test_each_person_chooses_their_own_mail(hat, alice, client_of):
    alice.email = "alice@example.org"
    alice.save()
    client = client_of(alice)
    client.post("/accounts/mail/", {"hat": "problems"})
    assert MailChoice.objects.get().level == "problems"
    assert "selected" in page(client, "/accounts/mail/")
    client.post("/accounts/mail/", {"hat": ""})
    assert not MailChoice.objects.exists()


def test_without_a_confirmed_address_there_is_no_mail(hat, alice, client_of, api_of):
    answer = client_of(alice).post("/accounts/mail/", {"hat": "all"}, follow=True)
    assert "no confirmed e-mail address" in answer.content.decode()
    assert not MailChoice.objects.exists()
    assert api_of(alice).put("/api/v1/tools/hat/mail/", {"level": "all"}).status_code == 422


def test_a_choice_for_a_foreign_tool_is_not_taken(hat, mallory, client_of):
    mallory.email = "mallory@example.org"
    mallory.save()
    client_of(mallory).post("/accounts/mail/", {"hat": "all"})
    assert not MailChoice.objects.exists()


def test_a_viewer_may_choose_mail_over_the_api(hat, bob, api_of):
    bob.email = "bob@example.org"
    bob.save()
    Membership.objects.create(tool=hat, user=bob, role="viewer")
    api = api_of(bob)
    assert api.get("/api/v1/tools/hat/mail/").data == {"level": "none"}
    assert api.put("/api/v1/tools/hat/mail/", {"level": "all"}).status_code == 200
    assert api.get("/api/v1/tools/hat/mail/").data == {"level": "all"}
    assert api.put("/api/v1/tools/hat/mail/", {"level": "none"}).status_code == 200
    assert not MailChoice.objects.exists()


def test_a_choice_that_is_none_is_refused(hat, alice):
    with pytest.raises(WebhookRefused):
        choose_mail(hat, user=alice, level="sometimes", at=NOW)
