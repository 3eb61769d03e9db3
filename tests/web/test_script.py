"""app.js and htmx in a real browser: keys, focus, failures, what hides again; and no finding of axe on the frame's pages.

The pages are rendered first and served to the browser from memory, by a thread of its own: the browser's event loop must not
run where other tests use the database.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.staticfiles import finders
from django.http import HttpResponse
from django.test import Client
from playwright.sync_api import expect

from tests.conftest import REFERENCE
from tests.journeys.conftest import CHROMIUM_FLAGS, find_chromium

pytestmark = [pytest.mark.django_db, pytest.mark.browser]
HOST = "http://portcullis.test"
TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "woff2": "font/woff2"}
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
Pages = dict[str, HttpResponse]


class Window:
    """A browser window over rendered pages. ``pages`` may change while it is open; an address without one fails (500)."""

    def __init__(self, context: Any, pages: Pages) -> None:
        self.pages, self.problems, self.asked = pages, list[str](), list[str]()
        context.route("**/*", self._answer)
        self.page = context.new_page()
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda message: self._heard(message.text))

    def _heard(self, text: str) -> None:
        if "Content Security" in text:
            self.problems.append(text)

    def _answer(self, route: Any) -> None:
        parts = urlsplit(route.request.url)
        address = parts.path + (f"?{parts.query}" if parts.query else "")
        if parts.path.startswith("/static/"):
            found = finders.find(parts.path.removeprefix("/static/"))
            route.fulfill(path=found, content_type=TYPES[parts.path.rsplit(".", 1)[-1]])
            return
        self.asked.append(address)
        answer = self.pages.get(address)
        if answer is None:
            route.fulfill(status=500, body="broken")
        else:
            route.fulfill(status=answer.status_code, headers=dict(answer.items()), body=answer.content)


def browse(pages: Pages, steps: Callable[[Window], None], **options: Any) -> None:
    executable = find_chromium()
    if executable is None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail("REQUIRE_BROWSER=1, and no Chromium or Chrome was found")
        pytest.skip("no Chromium or Chrome was found")

    def run() -> None:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS)
            window = Window(browser.new_context(base_url=HOST, **options), pages)
            steps(window)
            assert not window.problems, window.problems
            browser.close()

    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(run).result()


@pytest.fixture
def people_pages(sign_in: Callable[[str], Client]) -> Pages:
    client = sign_in("lucia")
    found = {"q": "wei", "kind": "", "status": "", "organisation": ""}
    filtered = client.get("/people/", found)
    return {"/people/": client.get("/people/"), "/people/?q=wei&kind=&status=&organisation=": filtered}


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))


def test_keys_find_and_move_and_can_be_turned_off(people_pages: Pages) -> None:
    def steps(window: Window) -> None:
        page = window.page
        page.goto("/people/")
        page.keyboard.press("/")
        assert focused(page) == "q"
        page.keyboard.type("j/k")
        assert page.input_value("#q") == "j/k"  # in a field they are letters
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("j")
        first = focused(page)
        page.keyboard.press("j")
        assert focused(page) != first
        page.keyboard.press("k")
        assert focused(page) == first
        page.keyboard.press("?")
        assert page.locator("#shortcuts").is_visible()
        page.get_by_label("Turn single keys off").check()
        page.keyboard.press("Escape")
        page.reload()
        page.keyboard.press("/")
        assert focused(page) != "q"
        page.get_by_role("button", name="Shortcuts").click()  # still the way back
        assert page.get_by_label("Turn single keys off").is_checked()

    browse(people_pages, steps)


def test_the_account_menu_closes_as_menus_do(people_pages: Pages) -> None:
    def steps(window: Window) -> None:
        page, menu = window.page, window.page.locator(".account")
        page.goto("/people/")
        for close in (lambda: page.keyboard.press("Escape"), lambda: page.locator("h1").click()):
            menu.locator("summary").click()
            assert page.get_by_role("button", name="Sign out").is_visible()
            close()
            assert page.get_by_role("button", name="Sign out").is_hidden()

    browse(people_pages, steps)


def test_a_filter_changes_rows_and_address_while_one_types_on(people_pages: Pages) -> None:
    def steps(window: Window) -> None:
        page = window.page
        page.goto("/people/")
        assert page.locator("#rows tbody tr").count() > 10
        page.locator("#f").press_sequentially("wei")
        page.wait_for_url("**/people/?q=wei*")
        assert page.locator("#rows tbody tr").count() == 1
        assert focused(page) == "f"
        assert page.locator("#rows").count() == 1
        page.go_back()
        expect(page.locator("#rows tbody tr").nth(10)).to_be_visible()

    browse(people_pages, steps)


def test_a_server_that_does_not_answer_is_said_and_the_old_rows_stay(people_pages: Pages) -> None:
    def steps(window: Window) -> None:
        page = window.page
        page.goto("/people/")
        assert page.locator("#connection").is_hidden()
        page.locator("#f").fill("nothing serves this")
        page.locator("#connection").wait_for(state="visible")
        assert page.locator("#rows tbody tr").count() > 10
        page.locator("#f").fill("wei")
        expect(page.locator("#rows tbody tr")).to_have_count(1)
        assert page.locator("#connection").is_hidden()

    browse(people_pages, steps)


def test_a_refusal_takes_the_place_of_the_rows_and_the_focus(
    people_pages: Pages, sign_in: Callable[[str], Client]
) -> None:
    people_pages["/people/?q=wei&kind=&status=&organisation="] = sign_in("wei").get(
        "/people/", headers={"HX-Request": "true"}
    )

    def steps(window: Window) -> None:
        page = window.page
        page.goto("/people/")
        page.locator("#f").fill("wei")
        page.get_by_role("alert").filter(has_text="Nothing was changed").wait_for()
        expect(page.locator("#errors")).to_be_focused()

    browse(people_pages, steps)


def test_revealed_values_hide_again_and_leave_time_to_whoever_asks(sign_in: Callable[[str], Client]) -> None:
    client = sign_in("peter")
    pages = {
        "/people/p009/": client.get("/people/p009/"),
        "/people/p009/reveal": client.post(
            "/people/p009/reveal", {"purpose": "Counsel asked"}, headers={"HX-Request": "true"}
        ),
    }

    def steps(window: Window) -> None:
        page = window.page
        page.clock.install()
        page.goto("/people/p009/")
        page.get_by_label("Why do you need to see it?").select_option(index=1)
        page.get_by_role("button", name="Show").click()
        shown = page.locator("#revealed")
        shown.get_by_text("China").wait_for()
        page.clock.fast_forward(290_000)
        shown.get_by_role("button", name="Five more minutes").click()
        page.clock.fast_forward(290_000)
        assert shown.get_by_text("China").is_visible()
        page.clock.fast_forward(20_000)
        assert shown.get_by_text("China").count() == 0
        assert "Hidden again" in shown.inner_text()

    browse(pages, steps)


def test_values_shown_with_a_decision_hide_again_and_the_steps_stay(
    sign_in: Callable[[str], Client], in_force: Any
) -> None:
    why = "/explain?person=p009&item=fable-5/use"
    pages = {why: sign_in("peter").post(why, {"purpose": "Counsel asked"})}

    def steps(window: Window) -> None:
        page = window.page
        page.clock.install()
        page.goto(why)
        shown = page.locator("[data-hide-after]")
        assert shown.get_by_text("China").is_visible()
        page.clock.fast_forward(290_000)
        shown.get_by_role("button", name="Five more minutes").click()
        page.clock.fast_forward(290_000)
        assert shown.get_by_text("China").is_visible()
        page.clock.fast_forward(20_000)
        assert shown.get_by_text("China").count() == 0
        assert "citizenships include United States; on record: hidden" in shown.inner_text()
        assert shown.get_by_role("link", name="Give a purpose").get_attribute("href") == why

    browse(pages, steps)


def test_the_keyboard_goes_with_what_a_button_of_the_rule_builder_did(sign_in: Callable[[str], Client]) -> None:
    client = sign_in("lucia")
    start = client.get(f"/directives/{REFERENCE}/edit")
    added = client.post(
        f"/directives/{REFERENCE}/edit",
        {"d0": "0", "k0": "not", "d1": "1", "k1": "leaf", "do": "add:0"},
        headers={"HX-Request": "true", "HX-Target": "builder"},
    )
    pages = {f"/directives/{REFERENCE}/edit": start, f"/directives/{REFERENCE}/preview": HttpResponse("<p>Impact</p>")}

    def steps(window: Window) -> None:
        page = window.page
        page.goto(f"/directives/{REFERENCE}/edit")
        window.pages[f"/directives/{REFERENCE}/edit"] = added
        button = page.locator('button[name="do"][value="add:0"]').last
        rows = page.locator(".node").count()
        button.focus()
        page.keyboard.press("Enter")
        expect(page.locator(".node")).not_to_have_count(rows)
        expect(page.locator('[name="a2"]:focus')).to_have_count(1)

    browse(pages, steps)


@pytest.mark.parametrize(("width", "theme"), [(390, "dark"), (1440, "light")])
def test_the_frames_own_pages_have_no_accessibility_finding_and_no_sideways_scroll(
    width: int, theme: str, sign_in: Callable[[str], Client], in_force: Any
) -> None:
    lucia, hana = sign_in("lucia"), sign_in("hana")
    pages = {
        "/sign-in": Client().post("/sign-in", {"username": "lucia", "password": "wrong"}),
        "/password": lucia.post("/password", {}),
        "/approvals/": lucia.get("/approvals/"),
        "/no-such-page": lucia.get("/no-such-page"),
        "/people/": lucia.get("/people/"),
        "/people/?q=zz": lucia.get("/people/?q=zz"),
        "/affected": hana.get("/affected"),
        "/my-access": hana.get("/my-access"),
    }

    def steps(window: Window) -> None:
        from axe_playwright_python.sync_playwright import Axe

        page = window.page
        for address in pages:
            page.goto(address)
            for state in ("closed", "open") if address == "/people/" else ("closed",):
                if state == "open":
                    page.locator(".account summary").click()
                # What an open popup half covers is not looked at twice; it has passed while the popup was closed.
                where = ".account .popup" if state == "open" else None
                options = {"runOnly": {"type": "tag", "values": WCAG}}
                found = Axe().run(page, context=where, options=options).response["violations"]
                assert not found, (address, state, [(f["id"], f["nodes"][0]["html"][:160]) for f in found])
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
        page.goto("/people/")
        if width < 900:
            page.get_by_role("button", name="Menu").click()
            assert page.get_by_role("link", name="Directives").is_visible()

    browse(pages, steps, viewport={"width": width, "height": 900}, color_scheme=theme)
