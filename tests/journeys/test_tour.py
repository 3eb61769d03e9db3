"""The tour of the README in a real browser: from the letter to the waiver for Wei, and the rescission."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.conftest import REFERENCE
from tests.journeys.conftest import PASSWORD, Product

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("product")]


class Visitor:
    """Somebody signed in, in a window of their own. Script errors and blocked content fail the test."""

    def __init__(self, browser: Any, product: Product, name: str, **options: Any) -> None:
        self.context = browser.new_context(base_url=product.address, **options)
        self.page: Page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on(
            "console",
            lambda message: self.problems.append(message.text) if "Content Security" in message.text else None,
        )
        self.page.goto("/sign-in")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("button", name="Sign in")).to_have_count(0)

    def check(self) -> None:
        """No accessibility finding (WCAG 2.2 AA, axe) on the page as it is."""
        findings = (
            Axe()
            .run(
                self.page,
                options={
                    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
                },
            )
            .response["violations"]
        )
        short = [(f["id"], [node["html"][:160] for node in f["nodes"][:3]]) for f in findings]
        assert not short, (self.page.url, short)

    def leave(self) -> None:
        assert not self.problems, self.problems
        self.context.close()


def test_the_tour_of_the_readme(product: Product, browser: Any) -> None:
    def visit(name: str) -> Visitor:
        return Visitor(browser, product, name)

    # Lucía opens the draft that came with the letter, sees who loses access, and asks for approval.
    lucia = visit("lucia")
    page = lucia.page
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    lucia.check()
    page.get_by_role("link", name=re.compile(REFERENCE)).first.click()
    lucia.check()
    page.get_by_role("link", name="Open draft version 1").click()
    expect(page.locator("#lose")).to_have_text("21")
    lucia.check()
    # The preview follows what is typed, and nothing is stored by it.
    page.get_by_label("Value: citizenships").fill("US, IN")
    expect(page.locator("#lose")).to_have_text("19")
    page.get_by_label("Value: citizenships").fill("US")
    expect(page.locator("#lose")).to_have_text("21")
    page.get_by_label("Type the number of people").fill("20")
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.get_by_text("The number does not match the plan")).to_be_visible()
    page.goto(f"/directives/{REFERENCE}/edit")
    page.get_by_label("Type the number of people").fill("21")
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.get_by_text("Submitted. It waits for: Second person.")).to_be_visible()

    # She cannot approve it herself; Peter can.
    page.get_by_role("link", name="Open the request").click()
    expect(page.get_by_text("You cannot decide this one. You asked for it.")).to_be_visible()
    peter = visit("peter")
    peter.page.get_by_role("link", name=re.compile("Approvals")).first.click()
    peter.check()
    peter.page.get_by_role("link", name=re.compile("Put version 1 in force")).click()
    peter.check()
    peter.page.get_by_role("button", name="Approve").click()
    expect(peter.page.get_by_text("The request is approved")).to_be_visible()
    peter.leave()

    # Activation: everybody covered is denied at the commit; the run writes the lists.
    page.goto(f"/directives/{REFERENCE}/")
    page.get_by_role("button", name="Activate version 1").click()
    expect(page.get_by_text("Everybody covered is denied from now on")).to_be_visible()
    page.get_by_role("link", name=re.compile("Open run")).click()
    expect(page.locator("#live").get_by_text("Finished")).to_be_visible(timeout=20_000)
    expect(page.locator("#live").get_by_text("21 exist now")).to_be_visible()
    lucia.check()

    # Wei reads why; Hana asks for an exception.
    wei = visit("wei")
    expect(wei.page.get_by_role("heading", name=re.compile("You can't use .*, Wei"))).to_be_visible()
    wei.check()
    hana = visit("hana")
    hana.page.goto("/affected")
    hana.check()
    hana.page.get_by_role("link", name="Ask for an exception for Wei Zhang").click()
    hana.check()
    hana.page.get_by_label("For how many days?").fill("10")
    hana.page.get_by_role("button", name="Send request").click()
    expect(hana.page.get_by_role("alert")).to_contain_text("still has [what stops, and for whom]")
    hana.page.get_by_label("What stops if Wei has no access?").fill("The weekly safety evaluation has no sign-off.")
    hana.page.get_by_role("button", name="Send request").click()
    expect(hana.page.get_by_text("is filed. You see here how it goes")).to_be_visible()
    hana.check()
    hana.leave()

    # Lead, counsel and, because of a tier-4 capability for more than seven days, the executive.
    for name in ("idris", "peter", "maren"):
        approver = visit(name)
        approver.page.goto("/approvals/")
        approver.page.get_by_role("link", name=re.compile("Wei Zhang")).first.click()
        approver.check()
        approver.page.get_by_label("Comment").fill("Supervised, and under the licence.")
        approver.page.get_by_role("button", name="Approve").click()
        expect(approver.page.get_by_role("button", name="Approve")).to_have_count(0)
        approver.leave()
    wei.page.goto("/my-access")
    expect(wei.page.get_by_text("On, by waiver").first).to_be_visible()

    # Legal reads the history; the ledger fits.
    anjali = visit("anjali")
    anjali.page.goto(f"/directives/{REFERENCE}/history")
    expect(anjali.page.get_by_role("rowheader", name="directive.activated")).to_be_visible()
    anjali.check()
    anjali.leave()
    assert product.manage("verify_ledger").returncode == 0

    # The order is withdrawn: Lucía asks, Idris approves, and it is over for everybody.
    page.goto(f"/directives/{REFERENCE}/")
    page.get_by_label("Reason").fill("Withdrawn in writing")
    page.get_by_role("button", name="Ask to rescind").click()
    idris = visit("idris")
    idris.page.goto("/approvals/")
    idris.page.get_by_role("link", name=re.compile("Rescind")).click()
    idris.page.get_by_role("button", name="Approve").click()
    expect(idris.page.get_by_text("The request is approved")).to_be_visible()
    idris.leave()
    wei.page.goto("/my-access")
    expect(wei.page.get_by_role("heading", name="No order stops you, Wei")).to_be_visible()
    wei.leave()
    page.goto("/")
    expect(page.get_by_text("No directive is in force")).to_have_count(2)
    for address in ("/directives/", "/runs/", "/people/", "/people/p009/", "/matrix", "/exceptions/", "/history"):
        page.goto(address)
        lucia.check()
    page.goto("/explain?person=p009&item=fable-5%2Fuse")
    lucia.check()
    lucia.leave()
