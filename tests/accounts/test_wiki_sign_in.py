"""Signing in with a wiki, by both protocols, against a wiki that checks what it is sent."""

import time

import pytest
from allauth.socialaccount.models import SocialAccount, SocialToken

from portal.accounts.models import User
from portal.accounts.wiki.grant import Grant
from portal.tools.models import AuditEvent
from tests.wiki.browser import Visitor

ALICE = "Alïcia Ж B"


def text(answer):
    return answer.content.decode()


def test_somebody_signs_in_and_is_known_again(visitor, wiki, protocol):
    alice = wiki.add(ALICE, email="alice@example.org", confirmed_email=True)
    assert visitor.sign_in(alice).url == "/"
    assert visitor.name == ALICE
    assert Visitor(wiki).sign_in(alice).url == "/"
    user = User.objects.get()
    assert (user.username, user.email, user.is_admin) == (ALICE, "alice@example.org", False)
    assert SocialAccount.objects.get().uid == alice.sub


def test_both_protocols_lead_to_the_same_person(visitor, wiki, settings):
    alice = wiki.add("Alice")
    for version in ("1.0a", "2", "1.0a"):
        settings.OAUTH_VERSION = version
        assert Visitor(wiki).sign_in(alice).url == "/"
    assert User.objects.count() == 1


def test_an_address_that_is_not_confirmed_is_not_kept(visitor, wiki, protocol):
    visitor.sign_in(wiki.add("Alice", email="bob@example.org", confirmed_email=False))
    assert User.objects.get().email == ""


def test_the_same_address_makes_nobody_the_same_person(visitor, wiki, protocol):
    for name in ("Alice", "Mallory"):
        person = wiki.add(name, email="alice@example.org", confirmed_email=True)
        Visitor(wiki).sign_in(person)
    assert set(User.objects.values_list("username", flat=True)) == {"Alice", "Mallory"}


def test_upper_and_lower_case_make_two_people(wiki, protocol):
    for name in ("FooBar", "Foobar"):
        Visitor(wiki).sign_in(wiki.add(name))
    assert set(User.objects.values_list("username", flat=True)) == {"FooBar", "Foobar"}


def test_what_the_wiki_gave_is_stored_encrypted(visitor, wiki, protocol):
    visitor.sign_in(wiki.add("Alice"))
    token = SocialToken.objects.get()
    key, grant = next(iter(wiki.grants.items()))
    assert Grant.opened(token).key == key
    assert key not in f"{token.token} {token.token_secret}"
    assert grant.secret not in token.token_secret
    assert token.token_secret


def test_groups_give_and_take_roles(wiki, protocol, settings):
    settings.ADMIN_GROUPS, settings.WORKGROUP_GROUPS = ["steward"], ["workgroup", "steward"]
    ada = wiki.add("Ada", groups=["steward"])
    Visitor(wiki).sign_in(ada)
    assert User.objects.filter(is_admin=True, is_workgroup=True).count() == 1
    ada.groups = ["workgroup"]
    Visitor(wiki).sign_in(ada)
    assert User.objects.filter(is_admin=False, is_workgroup=True).count() == 1
    assert AuditEvent.objects.get(action="account.roles").summary == "Ada (is_admin: False)"


def test_roles_that_no_group_decides_are_left_alone(wiki, visitor, protocol):
    ada = wiki.add("Ada", groups=["steward"])
    visitor.sign_in(ada)
    User.objects.update(is_admin=True)
    Visitor(wiki).sign_in(ada)
    assert User.objects.get().is_admin


def test_a_rename_keeps_the_account_and_follows_the_name(wiki, protocol, hat):
    alice = wiki.add("Old name")
    Visitor(wiki).sign_in(alice)
    before = User.objects.get(username="Old name").pk
    alice.username = "New name"
    visitor = Visitor(wiki)
    visitor.sign_in(alice)
    assert visitor.name == "New name"
    assert User.objects.get(username="New name").pk == before
    event = AuditEvent.objects.get(action="account.renamed")
    assert event.summary == "Old name → New name"


def test_whoever_holds_a_name_that_is_anothers_now_is_moved_aside(wiki, protocol):
    first = wiki.add("Alice")
    Visitor(wiki).sign_in(first)
    first.username = "Alice (former)"
    second = wiki.add("Alice")
    visitor = Visitor(wiki)
    visitor.sign_in(second)
    old, new = (SocialAccount.objects.get(uid=each.sub).user for each in (first, second))
    assert (old.username, new.username) == (f"Alice#{old.pk}", "Alice")
    Visitor(wiki).sign_in(first)
    old.refresh_from_db()
    assert old.username == "Alice (former)"


def test_two_people_can_swap_their_names(wiki, protocol):
    one, two = wiki.add("One"), wiki.add("Two")
    for each in (one, two):
        Visitor(wiki).sign_in(each)
    one.username, two.username = "Two", "One"
    for each in (one, two):
        Visitor(wiki).sign_in(each)
    names = {each.uid: each.user.username for each in SocialAccount.objects.all()}
    assert names == {one.sub: "Two", two.sub: "One"}


@pytest.mark.parametrize(
    ("trouble", "word"), [({"blocked": True}, "blocked"), ({"hidden": True}, "hidden")]
)
def test_who_is_blocked_or_hidden_is_refused_with_the_reason(
    visitor, wiki, protocol, trouble, word
):
    answer = visitor.sign_in(wiki.add("Mallory", **trouble))
    assert answer.status_code == 403
    assert f"This account is {word} on the wiki" in text(answer)
    assert visitor.name == ""
    assert not User.objects.exists()


def test_a_block_ends_what_was_open_and_its_end_lets_in_again(wiki, protocol):
    mallory = wiki.add("Mallory")
    before, after = Visitor(wiki), Visitor(wiki)
    before.sign_in(mallory)
    mallory.blocked = True
    assert after.sign_in(mallory).status_code == 403
    assert before.name == ""
    assert not User.objects.get().is_active
    mallory.blocked = False
    assert after.sign_in(mallory).url == "/"
    assert User.objects.get().is_active
    assert before.name == ""


def test_whom_an_administrator_suspended_the_wiki_does_not_restore(wiki, protocol, visitor):
    mallory = wiki.add("Mallory")
    Visitor(wiki).sign_in(mallory)
    User.objects.update(is_active=False)
    answer = visitor.sign_in(mallory)
    assert "suspended" in text(visitor.client.get(answer.url))
    assert visitor.name == ""


@pytest.mark.parametrize("lie", ["nobody", "no-sub", "number", "groups", "no-blocked"])
def test_an_identity_that_names_nobody_is_refused(visitor, wiki, protocol, lie):
    person = wiki.add("Alice")
    wiki.lie = lie
    answer = visitor.sign_in(person)
    assert answer.status_code == 401
    assert not User.objects.exists()
    wiki.heal()
    assert visitor.sign_in(person).url == "/"


LIES = ["issuer", "audience", "expired", "early", "nonce", "signature", "unsigned"]
LIES += ["no-nonce", "no-expiry", "no-issuer"]


@pytest.mark.parametrize("lie", LIES)
def test_a_statement_that_is_not_the_wikis_for_us_and_now_is_refused(visitor, wiki, lie):
    person = wiki.add("Alice")
    wiki.lie = lie
    answer = visitor.sign_in(person)
    assert answer.status_code == 401
    assert "Nothing was changed" in text(answer)
    assert visitor.name == ""
    assert not User.objects.exists()


# OAuth 2 begins without asking the wiki anything.
MOMENTS = [("1.0a", "begin"), ("1.0a", "back"), ("2", "back")]


def sign_in_with_trouble(visitor, wiki, settings, version, moment, trouble):
    """The answer when the wiki is in trouble at that moment of a sign-in."""
    settings.OAUTH_VERSION = version
    place = visitor.allow(visitor.begin(), wiki.add("Alice")) if moment == "back" else ""
    wiki.trouble = trouble
    return visitor.come_back(place) if place else visitor.begin()


@pytest.mark.parametrize("trouble", ["down", "page"])
@pytest.mark.parametrize(("version", "moment"), MOMENTS)
def test_a_wiki_that_is_down_is_said_in_words(visitor, wiki, settings, version, moment, trouble):
    answer = sign_in_with_trouble(visitor, wiki, settings, version, moment, trouble)
    assert answer.status_code == 503
    assert "Try again in a minute" in text(answer)
    assert visitor.name == ""


@pytest.mark.parametrize(("version", "moment"), MOMENTS)
def test_a_wiki_that_hangs_is_given_up_in_time(visitor, wiki, settings, version, moment):
    settings.WIKI_TIMEOUT = settings.SOCIALACCOUNT_REQUESTS_TIMEOUT = 0.5
    began = time.monotonic()
    answer = sign_in_with_trouble(visitor, wiki, settings, version, moment, "hangs")
    assert answer.status_code == 503
    assert "does not answer" in text(answer)
    assert time.monotonic() - began < 5


def test_a_wiki_that_is_not_there_at_all(visitor, wiki, settings):
    settings.WIKI_URL = "http://127.0.0.1:9/w/index.php"
    assert visitor.begin().status_code == 503


def test_a_wrong_consumer_is_the_operators_to_mend(visitor, wiki, settings, caplog):
    settings.OAUTH_SECRET = "wrong-secret-of-a-consumer-0123456789"
    answer = visitor.begin()
    assert answer.status_code == 503
    assert "operator" in text(answer)
    assert "Invalid signature" in caplog.text


def test_a_callback_works_once(visitor, wiki, protocol):
    place = visitor.allow(visitor.begin(), wiki.add("Alice"))
    assert visitor.come_back(place).url == "/"
    asked = len(wiki.requests)
    assert visitor.come_back(place).status_code == 401
    assert len(wiki.requests) == asked


def test_a_callback_of_somebody_else_signs_nobody_in(visitor, wiki, protocol):
    """Otherwise a link would sign its reader in as whoever sent it."""
    place = Visitor(wiki).allow(Visitor(wiki).begin(), wiki.add("Mallory"))
    answer = visitor.come_back(place)
    assert answer.status_code == 401
    assert "not begun in this browser" in text(answer)


@pytest.mark.parametrize("query", ["", "?oauth_token=x", "?state=x&code=y", "?oauth_token=%00"])
def test_a_callback_from_nowhere_is_refused(visitor, protocol, query):
    for name in ("wikimedia", "mediawiki"):
        answer = visitor.client.get(f"/accounts/{name}/login/callback/{query}")
        assert answer.status_code in (401, 404)


def test_a_verifier_of_another_sign_in_is_refused(visitor, wiki):
    alice = wiki.add("Alice")
    one, two = (visitor.allow(visitor.begin(), alice) for _ in range(2))
    mixed = one.replace(
        one.partition("oauth_verifier=")[2][:32], two.partition("oauth_verifier=")[2][:32]
    )
    assert visitor.come_back(mixed).status_code == 401
    assert visitor.name == ""


def test_two_tabs_do_not_mix(visitor, wiki, protocol):
    alice = wiki.add("Alice")
    one = visitor.begin(next="/status/")
    two = visitor.begin(next="/records/")
    assert visitor.come_back(visitor.allow(two, alice)).url == "/records/"
    assert visitor.come_back(visitor.allow(one, alice)).url == "/status/"


def test_the_session_changes_when_somebody_signs_in(visitor, wiki, protocol):
    visitor.begin()
    before = visitor.client.session.session_key
    visitor.sign_in(wiki.add("Alice"))
    assert visitor.client.session.session_key != before


@pytest.mark.parametrize("place", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_signing_in_leads_nowhere_else(visitor, wiki, protocol, place):
    assert visitor.sign_in(wiki.add("Alice"), next=place).url == "/"


def test_a_sign_in_begins_with_a_post_of_this_site(visitor, wiki, protocol):
    name = "mediawiki" if protocol == "2" else "wikimedia"
    assert visitor.client.get(f"/accounts/{name}/login/").status_code != 302
    visitor.client.handler.enforce_csrf_checks = True
    assert visitor.client.post(f"/accounts/{name}/login/").status_code == 403


def test_nobody_links_another_identity_to_their_account(visitor, wiki, protocol):
    alice, mallory = wiki.add("Alice"), wiki.add("Mallory")
    visitor.sign_in(mallory)
    visitor.sign_in(alice, process="connect")
    assert visitor.name == "Alice"
    owners = {each.uid: each.user.username for each in SocialAccount.objects.all()}
    assert owners == {alice.sub: "Alice", mallory.sub: "Mallory"}


def test_who_says_no_on_the_wiki_is_told_so(visitor, wiki, settings):
    settings.OAUTH_VERSION = "2"
    address = visitor.begin()
    state = address.partition("state=")[2].partition("&")[0]
    place = f"/accounts/mediawiki/login/callback/?error=access_denied&state={state}"
    answer = visitor.client.get(place, follow=True)
    assert "You are not signed in" in text(answer)


def test_only_the_protocol_that_is_set_up_answers(visitor, wiki, settings):
    for version, other in (("1.0a", "mediawiki"), ("2", "wikimedia")):
        settings.OAUTH_VERSION = version
        assert visitor.client.post(f"/accounts/{other}/login/").status_code == 404
    settings.OAUTH_KEY = ""
    for name in ("wikimedia", "mediawiki"):
        assert visitor.client.post(f"/accounts/{name}/login/").status_code == 404
    settings.DEVELOPMENT_IDENTITY = False
    assert "No way to sign in" in text(visitor.client.get("/accounts/login/"))
