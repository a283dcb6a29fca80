"""Records in a real browser: reading, writing by keyboard, clashing, taking notes."""

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.xdist_group("portal")]

PAGES = [
    "/stories/",
    "/stories/findings/",
    "/stories/questions/",
    "/stories/matrix/",
    "/stories/features/",
    "/stories/features/?q=the&status=supported",
    "/stories/decisions/?decide_by_from=2026-02-30&problem=the",
    "/stories/views/",
    "/stories/search/?q=webservice",
    "/stories/changes/",
    "/stories/changes/?unpatrolled=1",
    "/stories/notifications/",
    "/stories/baselines/",
    "/stories/baselines/1/",
    "/stories/decisions/new/",
    "/r/FT-1",
    "/r/RA-1",
    "/r/DR-1",
    "/r/MT-1",
    "/r/UP-1",
    "/r/DR-1/-/edit",
    "/r/MT-1/-/edit",
    "/r/MT-1/-/minutes",
    "/r/FT-1/-/history",
    "/r/FT-1/-/diff?to=1",
    "/r/FT-1/-/discussion",
    "/r/FT-8/-/trace",
    "/r/FT-1/-/drop",
    "/r/FT-1?at=2099-01-01",
    "/r/UP-1?at=2099-01-01",
    "/r/MT-1?at=2099-01-01",
    "/r/FT-1?at=2001-01-01",
    "/r/FT-3",
]


SITE = ["index", "findings", "FT-2", "RA-1", "DR-1", "MT-1"]
LONG = "an-address-that-nothing-breaks/" * 6


def violations(page):
    """Rules that axe finds broken, of any impact, with the elements."""
    found = Axe().run(page).response["violations"]
    return [(each["id"], node["html"]) for each in found for node in each["nodes"]]


@pytest.fixture
def catalogue(portal):
    portal.manage("load_catalogue", "--verbosity", "0")
    return portal


def sign_in(page, portal, name):
    page.set_default_timeout(30_000)
    page.goto(f"{portal.url}/accounts/login/")
    page.get_by_role("button", name=name).click()
    page.wait_for_url(f"{portal.url}/")
    return page


@pytest.fixture
def wanda(page, catalogue):
    return sign_in(page, catalogue, "wanda")


@pytest.fixture
def busy(catalogue, wanda):
    """Something on every page: a baseline, a change since with long words, saved views."""
    wanda.goto(f"{catalogue.url}/stories/baselines/")
    if not wanda.get_by_role("link", name="Before").count():
        wanda.get_by_label("Name").fill("Before")
        wanda.get_by_role("button", name="Name this moment").click()
    wanda.goto(f"{catalogue.url}/r/FT-1/-/edit")
    wanda.get_by_label("Summary").fill(LONG)
    wanda.get_by_label("What did you change, and why?").fill(LONG)
    wanda.get_by_role("button", name="Save").click()
    wanda.wait_for_url(f"{catalogue.url}/r/FT-1/*")
    keep_view(wanda, catalogue, LONG[:90])
    return catalogue


def keep_view(page, portal, name):
    page.goto(f"{portal.url}/stories/features/?q=the")
    if not page.get_by_role("link", name=name).count():
        page.get_by_text("Save this filter").click()
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Share with everybody").check()
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_role("link", name=name).wait_for()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_violation(busy, wanda, scheme):
    wanda.emulate_media(color_scheme=scheme)
    problems = []
    for path in PAGES:
        wanda.goto(f"{busy.url}{path}")
        problems += [(path, each) for each in violations(wanda)]
    assert not problems


@pytest.mark.parametrize("language", ["en", "ar"])
def test_every_page_fits_on_a_phone(busy, wanda, language):
    wanda.set_viewport_size({"width": 320, "height": 640})
    wanda.set_extra_http_headers({"Accept-Language": language})
    wide = {}
    for path in PAGES:
        wanda.goto(f"{busy.url}{path}")
        over = wanda.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if over > 0:
            wide[path] = over
    assert not wide


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_exported_site_has_no_violation_and_fits(catalogue, page, tmp_path, scheme):
    catalogue.manage("export_site", str(tmp_path / "site"))
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 320, "height": 640})
    problems = []
    for name in SITE:
        page.goto((tmp_path / "site" / f"{name}.html").as_uri())
        problems += [(name, each) for each in violations(page)]
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            problems.append((name, "too wide"))
    assert not problems


def test_a_page_that_is_behind_keeps_what_was_written(catalogue, wanda, browser):
    other = sign_in(browser.new_context().new_page(), catalogue, "ada")
    for page in (wanda, other):
        page.goto(f"{catalogue.url}/r/UC-2")
    form = "form[action='/r/UC-2/-/link']"
    for page in (other, wanda):
        page.locator(f"{form} select[name=type]").select_option("relates_to")
        page.locator(f"{form} input[name=to]").fill("FT-1" if page is other else "FT-3")
        page.locator(f"{form} button").click()
        page.wait_for_load_state()
    wanda.get_by_role("heading", name="It has changed since").wait_for()
    assert not violations(wanda)
    wanda.get_by_role("button", name="Send it again").click()
    wanda.locator("#links", has_text="FT-3").wait_for()
    other.context.close()


def test_only_what_was_read_at_the_other_end_is_confirmed(busy, wanda, browser):
    """FT-3 depends on FT-1, which is saved once more while the page of FT-3 is open."""
    other = sign_in(browser.new_context().new_page(), busy, "ada")
    wanda.goto(f"{busy.url}/r/FT-3")
    wanda.get_by_role("link", name="changed since").first.wait_for()
    other.goto(f"{busy.url}/r/FT-1/-/edit")
    other.get_by_label("Summary").fill("Something else again")
    other.get_by_role("button", name="Save").click()
    other.wait_for_url(f"{busy.url}/r/FT-1/*")
    wanda.get_by_role("button", name="I read it").first.click()
    wanda.get_by_role("heading", name="FT-1 has changed since").wait_for()
    assert not violations(wanda)
    wanda.get_by_role("button", name="Send it again").click()
    wanda.wait_for_url(f"{busy.url}/r/FT-3/*")
    assert not wanda.get_by_role("link", name="changed since").count()
    other.goto(f"{busy.url}/stories/findings/")
    other.get_by_role("heading", name="Integrity").wait_for()
    assert not violations(other)
    other.context.close()


def test_options_are_written_and_reordered_by_keyboard(catalogue, wanda):
    wanda.goto(f"{catalogue.url}/stories/decisions/new/")
    wanda.get_by_label("Question").fill("By keyboard?")
    wanda.get_by_label("Problem").fill("It **has** to work.")
    wanda.locator(".preview strong", has_text="has").wait_for()
    options = wanda.locator("#id-options")
    options.get_by_label("Option", exact=True).first.fill("One")
    options.get_by_role("button", name="Add another").press("Enter")
    options.get_by_label("Option", exact=True).nth(1).fill("Two")
    options.get_by_label("Option", exact=True).nth(1).press("Alt+ArrowUp")
    names = [each.input_value() for each in options.get_by_label("Option", exact=True).all()]
    assert names == ["Two", "One"]
    wanda.get_by_label("Question").press("Control+Enter")
    wanda.get_by_role("heading", name="By keyboard?").wait_for()
    titles = wanda.locator("#f-options h3").all_inner_texts()
    assert titles == ["Two", "One"]


def test_a_draft_outlives_the_tab(catalogue, wanda):
    address = f"{catalogue.url}/r/UC-1/-/edit"
    wanda.goto(address)
    wanda.get_by_label("Outcome").fill("Half a sentence")
    while not wanda.evaluate(
        "Object.keys(localStorage).some((key) => key.startsWith('draft:UC-1'))"
    ):
        wanda.wait_for_timeout(100)
    wanda.goto(f"{catalogue.url}/stories/")
    wanda.goto(address)
    wanda.get_by_role("button", name="Take it").click()
    assert wanda.get_by_label("Outcome").input_value() == "Half a sentence"
    wanda.get_by_role("button", name="Save").click()
    wanda.locator("#f-outcome", has_text="Half a sentence").wait_for()
    wanda.goto(address)
    assert not wanda.get_by_role("button", name="Take it").is_visible()


def test_two_editors_clash_and_bring_it_together(catalogue, wanda, browser):
    other = sign_in(browser.new_context().new_page(), catalogue, "ada")
    for page in (wanda, other):
        page.goto(f"{catalogue.url}/r/PE-2/-/edit")
    other.get_by_label("Summary").fill("Theirs")
    other.get_by_role("button", name="Save").click()
    other.get_by_text("Theirs").wait_for()
    wanda.get_by_label("Summary").fill("Mine")
    wanda.get_by_role("button", name="Save").click()
    wanda.get_by_role("heading", name="Somebody else changed the same place").wait_for()
    assert wanda.locator(".columns pre").all_inner_texts() == ["", "Theirs", "Mine"]
    assert wanda.get_by_label("Summary").input_value() == "Mine"
    assert not violations(wanda)
    wanda.get_by_label("Summary").fill("Theirs and mine")
    wanda.get_by_role("button", name="Save").click()
    wanda.locator("#f-summary", has_text="Theirs and mine").wait_for()
    other.context.close()


def test_two_people_take_notes_and_see_each_other(catalogue, wanda, browser):
    other = sign_in(browser.new_context().new_page(), catalogue, "ada")
    address = f"{catalogue.url}/r/MT-2/-/minutes"
    wanda.goto(address)
    wanda.get_by_role("button", name="Begin the meeting").click()
    wanda.goto(address)
    wanda.get_by_label("or a new topic").fill("Cron")
    wanda.get_by_label("Line", exact=True).fill("AB: first")
    wanda.get_by_label("Line", exact=True).press("Enter")
    wanda.locator(".lines", has_text="first").wait_for()
    other.goto(address)
    other.get_by_label("Line", exact=True).fill("B: second")
    other.get_by_label("Line", exact=True).press("Enter")
    other.locator(".lines", has_text="second").wait_for()
    wanda.locator(".lines", has_text="second").wait_for()
    wanda.get_by_label("Line", exact=True).fill("AB: third")
    wanda.get_by_label("Line", exact=True).press("Enter")
    other.locator(".lines", has_text="third").wait_for()
    assert not violations(wanda)
    other.context.close()


def test_single_keys_lead_around_but_never_while_typing(catalogue, wanda):
    wanda.goto(f"{catalogue.url}/stories/features/")
    wanda.keyboard.press("/")
    wanda.keyboard.type("e?n")
    assert wanda.get_by_role("searchbox", name="Words").input_value() == "e?n"
    wanda.goto(f"{catalogue.url}/r/FT-4")
    wanda.keyboard.press("?")
    keys = wanda.get_by_role("dialog")
    keys.get_by_text("This list").wait_for()
    assert not keys.get_by_text("A new record").is_visible()
    assert not violations(wanda)
    keys.get_by_label("Use these keys").uncheck()
    keys.get_by_role("button", name="Close").click()
    wanda.keyboard.press("e")
    wanda.get_by_role("button", name="Keyboard shortcuts").click()
    keys.get_by_label("Use these keys").check()
    wanda.keyboard.press("Escape")
    assert wanda.url.endswith("/r/FT-4")
    wanda.keyboard.press("Control+e")
    wanda.keyboard.press("e")
    wanda.wait_for_url(f"{catalogue.url}/r/FT-4/-/edit")


def test_a_mention_leads_to_what_was_said(catalogue, wanda, browser):
    other = sign_in(browser.new_context().new_page(), catalogue, "ada")
    wanda.goto(f"{catalogue.url}/r/FT-3")
    wanda.get_by_label("Tell me of").select_option(label="mentions of me only")
    wanda.locator("#watch").get_by_role("button", name="Save").click()
    wanda.get_by_text("Saved.").wait_for()
    for words in ("Nobody in particular", "What do you say, @wanda?"):
        other.goto(f"{catalogue.url}/r/FT-3/-/discussion")
        other.get_by_label("Say something").fill(words)
        other.get_by_role("button", name="Comment").click()
        other.locator(".said", has_text=words).wait_for()
    wanda.goto(f"{catalogue.url}/stories/notifications/")
    assert not wanda.get_by_text("Nobody in particular").count()
    wanda.get_by_role("link", name="What do you say").click()
    wanda.locator(".comments li:target .mention", has_text="@wanda").wait_for()
    assert not violations(wanda)
    other.context.close()


def test_a_list_is_filtered_while_one_types_and_its_address_is_short(catalogue, wanda):
    wanda.goto(f"{catalogue.url}/stories/meetings/")
    wanda.get_by_text("More filters").click()
    wanda.get_by_role("textbox", name="Notes").fill("cron")
    wanda.wait_for_url("**/stories/meetings/?notes=cron")
    wanda.get_by_label("Date, until").fill("2001-01-01")
    wanda.wait_for_url("**/stories/meetings/?date_until=2001-01-01&notes=cron")
    wanda.get_by_text("There is none of that sort.").wait_for()
    wanda.get_by_label("Date, until").fill("")
    wanda.wait_for_url("**/stories/meetings/?notes=cron")
    wanda.locator("#record-rows tbody tr").first.wait_for()
