"""Every page of approvals, exceptions and waivers: light on a desk and dark on a phone, without a finding, in its window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.conftest import REFERENCE
from tests.journeys.conftest import ROOT, Product
from tests.journeys.test_tour import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("product")]
PAUSE = """
directives:
  - reference: CO-2026-07
    title: Pause of Fable 5 for Engineering
    received_at: 2026-07-01T09:00:00-04:00
    effect: deny
    scope:
      - {model: fable-5, capabilities: [use]}
    rule: {attr: person.department, op: is, value: Engineering}
    on_unknown: {then: deny}
    waivable: company
"""
LOOKS: tuple[dict[str, Any], ...] = (
    {"color_scheme": "light", "viewport": {"width": 1440, "height": 900}},
    {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
)
PAGES = {
    "peter": [
        "/approvals/", "/approvals/?requester=nobody", "/approvals/5/", "/approvals/6/",
        "/approvals/decide?chosen=5&chosen=3", "/exceptions/", f"/exceptions/?directive={REFERENCE}&state=rejected",
        "/exceptions/1/", "/waivers/", "/waivers/?state=accepting", "/waivers/?state=ended", "/waivers/1/",
        "/break-glass/", "/break-glass/?state=overdue", "/break-glass/1/", "/held/", "/held/?of=organisations",
        "/held/?of=catalog", "/held/?of=roles", "/held/?of=policies", "/audiences/", "/audiences/internal-research/",
        "/delegations", "/tokens", "/notifications/", f"/directives/{REFERENCE}/messages", "/announcements/1/", "/runs/",
    ],
    "idris": ["/break-glass/new?person=p013&directive=CO-2026-07", "/approvals/5/", "/held/?of=catalog"],
    "lucia": ["/audiences/internal-research/"],
    "admin": [
        "/policies/", "/policies/exception/", "/policies/exception/edit", "/rights/", "/rights/accounts/idris/",
        "/rights/models/", "/rights/models/mythos-5/", "/held/?of=roles",
    ],
    "hana": ["/affected", "/affected?view=waived", "/exceptions/new?person=p020&directive=US-2026-06-12", "/exceptions/3/"],
    "wei": ["/my-access", "/waivers/1/", "/notifications/"],
}  # fmt: skip


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A copy of its own in which something of everything has happened."""
    place = tmp_path_factory.mktemp("looks")
    running = Product(place / "data")
    try:
        running.wait_until_ready()
        _live(running, place)
        yield running
    finally:
        running.stop()


def _live(product: Product, place: Path) -> None:
    """By commands, all of them in one process: each start costs more than what it does."""
    acts: list[list[str]] = []

    def do(*arguments: str) -> None:
        acts.append(list(arguments))

    def file(person: str, model: str, capability: str, *more: str) -> None:
        do("exception", "file", "--directive", REFERENCE, "--person", person, "--model", model, "--capability", capability,
           "--days", "7", "--reason", "The weekly evaluation has no sign-off.", "--as", "hana", *more)  # fmt: skip

    (place / "pause.yaml").write_text(PAUSE)
    do("directive", "load", str(place / "pause.yaml"), "--as", "lucia")
    for reference in (REFERENCE, "CO-2026-07"):
        do("directive", "submit", reference, "--as", "lucia")
        do("directive", "approve", reference, "--as", "peter")
        do("directive", "activate", reference, "--as", "lucia", "--wait")
    # One that runs, one that waits to be accepted, one at its second stage, one rejected.
    file("p009", "mythos-5", "code-review")
    file("p008", "fable-5", "use", "--mitigation", "supervised")
    file("p010", "fable-5", "use")
    file("p012", "fable-5", "use")
    for number, name in ((1, "idris"), (1, "peter"), (2, "idris"), (2, "peter"), (3, "idris")):
        do("exception", "approve", str(number), "--as", name)
    do("exception", "reject", "4", "--as", "idris")
    # A person, a capability and a role that wait for a second person.
    data = ROOT / "governance/data"
    people = (data / "people.csv").read_text()
    known = people.replace("p013,active,,,,US,US,2026-06-01", "p013,active,US,none,no,US,US,2026-06-01")
    (place / "people.csv").write_text(known)
    do("import_people", "--people", str(place / "people.csv"))
    catalog = (data / "scenario.yaml").read_text().replace("audience: internal-research", "audience: everyone")
    (place / "catalog.yaml").write_text(catalog)
    do("import_catalog", "--hold", str(place / "catalog.yaml"))
    do("set_roles", "tomas", "--role", "operator", "--role", "trust-and-safety lead")
    done = product.manage(
        "shell", "-c", f"from django.core.management import call_command\nfor act in {acts!r}:\n    call_command(*act)"
    )
    assert done.returncode == 0, done.stderr


def _act(product: Product, browser: Any) -> None:
    """What only a page does: two break the glass, somebody gives a delegation, a steward and a policy are named."""
    idris, maren, admin = (Visitor(browser, product, name) for name in ("idris", "maren", "admin"))
    page = idris.page
    page.goto("/break-glass/new?person=p013&directive=CO-2026-07")
    page.get_by_role("button", name="Ask a second person").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose at least one")
    idris.check()
    page.locator("[name=item]").first.check()
    page.get_by_label("What cannot wait for approval?").fill("Inference is down in two regions.")
    page.get_by_role("button", name="Ask a second person").click()
    expect(page.get_by_text("It waits for a second person")).to_be_visible()
    idris.check()
    maren.page.goto("/break-glass/1/")
    maren.check()
    maren.page.get_by_role("button", name="Open it for 1 hour").click()
    maren.page.goto("/delegations")
    maren.page.get_by_role("button", name="Let them decide").click()
    expect(maren.page.get_by_label("Who", exact=True)).to_have_attribute("aria-invalid", "true")
    maren.check()
    page = admin.page
    page.goto("/rights/models/mythos-5/")
    page.get_by_label("To the account").fill("lucia")
    page.get_by_role("button", name="Give it").click()
    page.goto("/policies/exception/edit")
    page.get_by_label("How many decide").first.fill("many")
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.get_by_role("alert")).to_contain_text("Stage 1, “How many decide”")
    admin.check()
    page.get_by_label("How many decide").first.fill("1")
    page.get_by_label("Due after hours").first.fill("6")
    page.get_by_label("What changes, and why").fill("Longer for the lead")
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.get_by_text("It takes force when a second person approves it.")).to_be_visible()
    for somebody in (idris, maren, admin):
        somebody.leave()


def test_each_page_has_no_finding_and_fits_its_window(working: Product, browser: Any) -> None:
    _act(working, browser)
    for look in LOOKS:
        for name, addresses in PAGES.items():
            visitor = Visitor(browser, working, name, **look)
            for address in addresses:
                answer = visitor.page.goto(address)
                assert answer is not None, address
                assert answer.status == 200, (name, address, answer.status)
                visitor.check()
                too_wide = visitor.page.evaluate(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                assert too_wide <= 0, (name, address, look["viewport"], too_wide)
            visitor.leave()


def test_what_a_manager_can_do_is_in_sight_on_a_desk(working: Product, browser: Any) -> None:
    hana = Visitor(browser, working, "hana", viewport={"width": 1440, "height": 900})
    hana.page.goto("/affected")
    table = hana.page.locator(".table-wrap").filter(has=hana.page.locator("#rows"))
    assert table.evaluate("wrap => wrap.scrollWidth - wrap.clientWidth") <= 0
    hana.leave()


def test_the_current_section_is_in_sight_on_a_phone(working: Product, browser: Any) -> None:
    peter = Visitor(browser, working, "peter", viewport={"width": 390, "height": 844})
    peter.page.goto("/held/?of=policies")
    expect(peter.page.locator(".tabs [aria-current]")).to_be_in_viewport(ratio=0.9)  # its rule lies on the row's own
    peter.leave()
