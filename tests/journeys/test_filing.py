"""Filing in a real browser: from the affected list to *filed* in three page loads, a draft that is saved by itself, an edit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.conftest import REFERENCE
from tests.journeys.conftest import Product
from tests.journeys.test_tour import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("product")]
SAID = "Without access, the weekly evaluation has no sign-off. Priya sits beside each session and ends it if it leaves this work."


@pytest.fixture(scope="module")
def filing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A copy of its own, with the directive in force."""
    running = Product(tmp_path_factory.mktemp("filing") / "data")
    try:
        running.wait_until_ready()
        for act, name in (("submit", "lucia"), ("approve", "peter"), ("activate", "lucia")):
            done = running.manage("directive", act, REFERENCE, "--as", name)
            assert done.returncode == 0, done.stderr
        running.wait_for_run(REFERENCE)
        yield running
    finally:
        running.stop()


def test_three_people_in_three_page_loads(filing: Product, browser: Any) -> None:
    hana = Visitor(browser, filing, "hana")
    page = hana.page
    loads: list[str] = []
    page.on("load", lambda: loads.append(page.url))
    page.goto("/affected")
    hana.check()
    for name in ("Sofia Almeida", "Priya Nair", "Wei Zhang"):
        page.get_by_label(f"Choose {name}").check()
    page.get_by_role("button", name="Ask for those chosen").click()
    expect(page.get_by_role("heading", name="Ask for exceptions for 3 people")).to_be_visible()
    hana.check()
    # What keeps it safe brings its wording, and never over what was typed.
    reason = page.get_by_label("What stops if they have no access?")
    page.get_by_label("Read only").check()
    expect(reason).to_have_value(re.compile("The work only reads"))
    reason.fill(SAID)
    page.get_by_label("Supervised session").check()
    expect(reason).to_have_value(SAID)
    # The way ahead follows the answers.
    ahead = page.locator("#ahead")
    expect(ahead).to_contain_text("Maren Holt could decide")
    page.get_by_label("For how many days?").fill("7")
    expect(ahead).not_to_contain_text("Executive")
    expect(ahead).to_contain_text("Saved as a draft")
    page.get_by_role("button", name="Send 3 requests").click()
    expect(page.get_by_text("3 exceptions are filed")).to_be_visible()
    assert len(loads) == 3, loads
    expect(page.get_by_text("Not filed yet")).to_have_count(0)
    hana.check()
    hana.leave()


def test_a_draft_is_saved_by_itself_and_filed_later_from_another_window(filing: Product, browser: Any) -> None:
    hana = Visitor(browser, filing, "hana")
    page = hana.page
    page.goto("/affected")
    page.get_by_role("link", name="Ask for an exception for Cheng Liu").click()
    page.get_by_label("What stops if Cheng has no access?").fill("Labelling sto")
    expect(page.locator("#ahead")).to_contain_text("Saved as a draft")
    hana.leave()
    again = Visitor(browser, filing, "hana", viewport={"width": 390, "height": 844}, color_scheme="dark")
    page = again.page
    page.goto("/exceptions/")
    again.check()
    page.get_by_role("link", name="Draft for 1 person").click()
    reason = page.get_by_label("What stops if Cheng has no access?")
    expect(reason).to_have_value("Labelling sto")
    reason.fill("Labelling stops.")
    again.check()
    page.get_by_role("button", name="Send request").click()
    expect(page.get_by_text("is filed. You see here how it goes")).to_be_visible()
    again.leave()


def test_an_edit_with_a_file_makes_the_decision_void(filing: Product, browser: Any, tmp_path: Path) -> None:
    hana = Visitor(browser, filing, "hana")
    page = hana.page
    page.goto("/affected")
    page.get_by_role("link", name="Ask for an exception for Oleksii Marchenko").click()
    page.get_by_label("What stops if Oleksii has no access?").fill("The red team stops.")
    page.get_by_role("button", name="Send request").click()
    number = page.url.rstrip("/").rpartition("/")[2]
    assert filing.manage("exception", "approve", number, "--as", "idris").returncode == 0
    page.reload()
    expect(page.get_by_text("Idris Vale: approve")).to_be_visible()
    page.get_by_role("link", name="Change it").click()
    hana.check()
    plan = tmp_path / "plan.txt"
    plan.write_text("Who sits beside whom\n")
    page.get_by_label("Files, if any").set_input_files(plan)
    page.get_by_role("button", name="Change and ask again").click()
    expect(page.get_by_text("1 decision is void")).to_be_visible()
    expect(page.get_by_text("Idris Vale: approve")).to_have_count(0)
    hana.check()
    with page.expect_download() as download:
        page.get_by_role("link", name="plan.txt").click()
    assert download.value.suggested_filename == "plan.txt"
    hana.leave()


def test_who_lost_access_asks_and_the_manager_completes_it(filing: Product, browser: Any) -> None:
    filing.manage("exception", "withdraw", "3", "--as", "hana")
    wei = Visitor(browser, filing, "wei", viewport={"width": 390, "height": 844})
    page = wei.page
    page.goto("/my-access")
    wei.check()
    page.get_by_label("What stops without it?").fill("The sign-off on Friday.")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_text("It is with Hana Kimura")).to_be_visible()
    wei.check()
    hana = Visitor(browser, filing, "hana")
    hana.page.goto("/affected")
    hana.check()
    hana.page.get_by_role("link", name=f"Wei Zhang, {REFERENCE}").click()
    expect(hana.page.get_by_text("The sign-off on Friday.")).to_be_visible()
    hana.check()
    hana.page.get_by_label("What stops if Wei has no access?").fill(SAID)
    hana.page.get_by_role("button", name="Send request").click()
    expect(hana.page.get_by_text("is filed. You see here how it goes")).to_be_visible()
    hana.leave()
    page.reload()
    expect(page.get_by_text("It became exception")).to_be_visible()
    wei.leave()
