"""What happens to people who are signed in when the wiki changes its mind about them."""

import time
from datetime import timedelta

import pytest
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.utils import timezone
from rest_framework.test import APIClient

from portal.accounts import recheck
from portal.accounts.models import ApiToken, User
from portal.accounts.tasks import recheck_people
from portal.tools.models import AuditEvent
from tests.wiki.browser import Visitor


class SignedIn:
    """Somebody with a session and a token."""

    def __init__(self, wiki, person):
        self.person, self.visitor = person, Visitor(wiki)
        self.visitor.sign_in(person)
        _token, value = ApiToken.issue(self.user, name="x", at=timezone.now())
        self.api = APIClient()
        self.api.credentials(HTTP_AUTHORIZATION=f"Bearer {value}")

    @property
    def user(self):
        return SocialAccount.objects.get(uid=self.person.sub).user

    @property
    def can_act(self):
        """Through the session, and through the token."""
        return self.visitor.name != "", self.api.get("/api/v1/tokens/").status_code == 200


@pytest.fixture
def alice(wiki, protocol):
    return SignedIn(wiki, wiki.add("Alice"))


def ask_again():
    """As the alarm does when the time has come."""
    User.objects.update(checked_at=timezone.now() - timedelta(hours=1))
    recheck_people()


def test_nothing_happens_to_who_is_as_before(alice):
    ask_again()
    assert alice.can_act == (True, True)
    assert not AuditEvent.objects.exclude(action__startswith="account.signed").exists()


@pytest.mark.parametrize("bar", ["blocked", "hidden", "locked"])
def test_a_barred_persons_session_and_token_are_refused_at_once(alice, bar):
    setattr(alice.person, bar, True)
    ask_again()
    assert alice.can_act == (False, False)
    assert AuditEvent.objects.filter(action="account.suspended").count() == 1
    ask_again()
    assert AuditEvent.objects.filter(action="account.suspended").count() == 1


def test_who_is_unblocked_can_sign_in_again(alice):
    alice.person.blocked = True
    ask_again()
    alice.person.blocked = False
    assert alice.visitor.sign_in(alice.person).url == "/"
    assert alice.can_act == (True, True)


def test_a_grant_that_is_taken_back_ends_sessions_and_tokens(alice, wiki):
    wiki.revoke_grants(alice.person)
    SocialToken.objects.filter(expires_at__isnull=False).update(expires_at=timezone.now())
    ask_again()
    assert alice.can_act == (False, False)
    assert alice.user.is_active
    assert not ApiToken.objects.exists()
    assert alice.visitor.sign_in(alice.person).url == "/"


def test_a_new_name_is_followed_while_somebody_is_signed_in(alice):
    alice.person.username = "Alice (new)"
    ask_again()
    assert alice.visitor.name == "Alice (new)"
    assert alice.can_act == (True, True)


@pytest.mark.parametrize("trouble", ["down", "page", "hangs"])
def test_a_wiki_that_is_down_changes_nothing(alice, wiki, settings, trouble):
    settings.WIKI_TIMEOUT = 0.3
    alice.person.blocked = True
    wiki.trouble = trouble
    ask_again()
    wiki.heal()
    assert alice.can_act == (True, True)
    ask_again()
    assert alice.can_act == (False, False)


@pytest.mark.parametrize("lie", ["nobody", "no-sub", "groups", "no-blocked"])
def test_a_lie_changes_nothing(alice, wiki, lie):
    wiki.lie = lie
    ask_again()
    assert alice.can_act == (True, True)


@pytest.mark.parametrize("lie", ["issuer", "audience", "expired", "nonce", "signature", "unsigned"])
def test_a_forged_statement_suspends_nobody(wiki, lie):
    alice = SignedIn(wiki, wiki.add("Alice"))
    alice.person.blocked, wiki.lie = True, lie
    ask_again()
    assert alice.can_act == (True, True)


def test_a_statement_about_somebody_else_changes_nothing(alice, wiki):
    alice.person.username = "Mallory"
    alice.person.sub = "999"
    ask_again()
    alice.person.sub = "1000"
    assert alice.user.username == "Alice"


def test_a_grant_that_no_key_opens_changes_nothing(alice, settings):
    settings.ENCRYPTION_KEYS = ["another-key-than-the-one-it-was-stored-with"]
    alice.person.blocked = True
    ask_again()
    assert alice.can_act == (True, True)


def test_only_who_could_act_is_asked_about_and_not_too_often(alice, wiki):
    begun = len(wiki.requests)
    now = timezone.now()
    User.objects.update(checked_at=now - timedelta(seconds=299))
    recheck_people()
    assert len(wiki.requests) == begun
    User.objects.update(checked_at=now - timedelta(seconds=301))
    recheck_people()
    assert len(wiki.requests) == begun + 1
    recheck_people()
    assert len(wiki.requests) == begun + 1
    alice.visitor.client.post("/accounts/sessions/end/")
    ApiToken.objects.all().delete()
    User.objects.update(checked_at=None)
    recheck_people()
    assert len(wiki.requests) == begun + 1


def test_of_two_workers_one_asks(alice):
    account = recheck.due(timezone.now()).get()
    assert recheck.claim(account.user, at=timezone.now())
    assert not recheck.claim(account.user, at=timezone.now())


def test_a_wiki_that_hangs_costs_one_question_not_one_for_each(wiki, settings):
    people = [SignedIn(wiki, wiki.add(f"Person {letter}")) for letter in "ABCDE"]
    settings.WIKI_TIMEOUT = 0.5
    wiki.trouble = "hangs"
    began = time.monotonic()
    ask_again()
    assert time.monotonic() - began < 3
    wiki.heal()
    assert all(each.can_act == (True, True) for each in people)


def test_tokens_that_end_are_renewed(wiki, settings):
    settings.OAUTH_VERSION, wiki.token_life = "2", 30
    alice = SignedIn(wiki, wiki.add("Alice"))
    before = SocialToken.objects.get().token
    ask_again()
    assert SocialToken.objects.get().token != before
    alice.person.blocked = True
    ask_again()
    assert alice.can_act == (False, False)


def test_without_a_consumer_nobody_is_asked_about(alice, wiki, settings):
    settings.OAUTH_KEY = ""
    begun = len(wiki.requests)
    ask_again()
    assert len(wiki.requests) == begun


def test_a_beat_asks_every_few_seconds(settings):
    entry = settings.CELERY_BEAT_SCHEDULE["recheck-people"]
    assert entry["task"] == recheck_people.name
    assert entry["schedule"] <= 60
