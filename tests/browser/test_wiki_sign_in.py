"""Signing in with a wiki, in a real browser and a whole portal, and what the wiki changes then."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.conftest import Portal
from tests.wiki import WikiServer

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.xdist_group("portal")]
# Milliseconds: the beat asks the wiki every ten seconds.
SOON = 60_000


@pytest.fixture(scope="module")
def wiki():
    with WikiServer() as wiki:
        yield wiki


@pytest.fixture(scope="module")
def portal(tmp_path_factory, wiki):
    portal = Portal(tmp_path_factory.mktemp("wiki") / "state")
    portal.env |= {
        "PORTAL_DEVELOPMENT_IDENTITY": "false",
        "PORTAL_WIKI_URL": wiki.url,
        "PORTAL_OAUTH_KEY": wiki.key,
        "PORTAL_OAUTH_SECRET": wiki.secret,
        "PORTAL_RECHECK_AFTER": "1",
    }
    portal.start()
    yield portal
    portal.stop()


@pytest.fixture
def browser_page(page):
    page.set_default_timeout(30_000)
    return page


def sign_in(page, portal, name):
    page.goto(f"{portal.url}/accounts/login/?next=/accounts/sessions/")
    page.get_by_role("button", name="Sign in with Wikimedia").click()
    page.get_by_label("Who are you?").select_option(label=name)
    page.get_by_role("button", name="Allow").click()


def reload_until(page, sight):
    """The portal asks the wiki in the background; what is on the page shows when it has."""
    for _ in range(SOON // 2000):
        page.reload()
        if sight.is_visible():
            return
        page.wait_for_timeout(2000)
    expect(sight).to_be_visible()


def test_a_person_signs_in_is_renamed_and_blocked(browser_page, portal, wiki):
    page = browser_page
    alice = wiki.add("Alïcia Ж B", email="alice@example.org", confirmed_email=True)
    sign_in(page, portal, "Alïcia Ж B")
    page.wait_for_url(f"{portal.url}/accounts/sessions/")
    expect(page.get_by_role("heading", name="Alïcia Ж B")).to_be_visible()
    expect(page.get_by_text("(this one)")).to_be_visible()
    faults = Axe().run(page).response["violations"]
    assert [each["id"] for each in faults] == []

    alice.username = "Alice renamed"
    reload_until(page, page.get_by_role("heading", name="Alice renamed"))

    alice.blocked = True
    reload_until(page, page.get_by_role("heading", name="Sign in"))
    sign_in(page, portal, "Alice renamed")
    expect(page.get_by_text("This account is blocked on the wiki")).to_be_visible()

    alice.blocked = False
    sign_in(page, portal, "Alice renamed")
    expect(page.get_by_role("heading", name="Alice renamed")).to_be_visible()


@pytest.mark.parametrize("lie", ["signature", "issuer", "nonce"])
def test_a_forged_identity_is_refused(browser_page, portal, wiki, lie):
    page = browser_page
    wiki.add(f"Mallory {lie}")
    wiki.lie = lie
    sign_in(page, portal, f"Mallory {lie}")
    expect(page.get_by_text("cannot be trusted")).to_be_visible()
    expect(page.get_by_role("banner").get_by_role("link", name="Sign in")).to_be_visible()
    wiki.heal()


def test_a_wiki_that_is_down_is_said_in_words(browser_page, portal, wiki):
    wiki.trouble = "down"
    browser_page.goto(f"{portal.url}/accounts/login/")
    browser_page.get_by_role("button", name="Sign in with Wikimedia").click()
    expect(browser_page.get_by_text("Try again in a minute")).to_be_visible()
    wiki.heal()
