"""The rule builder in a real browser, on a directive that is never saved: figures follow rows, and the keyboard follows a row."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys.conftest import Product
from tests.journeys.test_tour import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("product")]
KINDS = {"any": [{"attr": "person.kind", "op": "is", "value": kind} for kind in ("employee", "partner", "customer")]}


class Builder:
    """The page, and what stands on it."""

    def __init__(self, page: Page) -> None:
        self.page, self.says, self.rows = page, page.locator("#impact .lead"), page.locator("#builder .node")

    def value(self, row: int) -> Locator:
        return self.page.locator(f'#builder [name="v{row}"]')

    def button(self, value: str) -> Locator:
        return self.page.locator(f'#builder [name="do"][value="{value}"]').first

    def has(self, *values: str) -> None:
        for row, value in enumerate(values, 1):
            expect(self.value(row)).to_have_value(value)
        named = [f"whose kind is {value}" for value in values]
        expect(self.says).to_have_text(f"People {', or '.join(named)}.")


def test_rows_move_by_key_and_by_pointer_and_everything_can_be_taken_back(product: Product, browser: Any) -> None:
    lucia = Visitor(
        browser, product, "lucia", viewport={"width": 1440, "height": 1600}
    )  # nothing scrolls while it drags
    builder, page = Builder(lucia.page), lucia.page
    page.goto("/directives/new")
    page.get_by_label("Fable 5", exact=True).check()
    expect(builder.says).to_have_text("Everybody.")
    page.get_by_text("The rule as JSON").click()
    page.locator("#json").fill(json.dumps(KINDS))
    page.get_by_role("button", name="Use this rule").click()
    builder.has("employee", "partner", "customer")
    lucia.check()
    # The same key again moves the same row on; where it cannot go further, the way back has the focus.
    builder.button("up:3").press("Enter")
    expect(builder.button("up:2")).to_be_focused()
    page.keyboard.press("Enter")
    builder.has("customer", "employee", "partner")
    expect(builder.button("down:1")).to_be_focused()
    # What is typed is taken back by itself.
    builder.value(1).fill("government")
    builder.has("government", "employee", "partner")
    builder.button("undo").click()
    builder.has("customer", "employee", "partner")
    builder.button("redo").click()
    builder.has("government", "employee", "partner")
    builder.rows.nth(3).locator(".grip").drag_to(builder.rows.nth(1), target_position={"x": 200, "y": 4})
    builder.has("partner", "government", "employee")
    # A preview that waits when a button is pressed never comes beside the rows of before.
    builder.value(1).fill("customer")
    builder.button("down:1").click()
    builder.has("government", "customer", "employee")
    lucia.leave()


def test_countries_are_picked_and_what_is_half_typed_leaves_the_rest(product: Product, browser: Any) -> None:
    lucia = Visitor(browser, product, "lucia")
    builder, page = Builder(lucia.page), lucia.page
    page.goto("/directives/new")
    page.get_by_text("Begin with a template").click()
    page.get_by_role("button", name="Citizens or residents of listed countries").click()
    expect(builder.rows).to_have_count(4)
    picker = page.get_by_label("Add a country or a group").first
    for name in ("France", "Bonaire, Sint Eustatius and Saba"):
        picker.fill(name)
        picker.press("Enter")
        expect(picker).to_have_value("")
        expect(picker).to_be_focused()
    expect(builder.value(1)).to_have_value('France, "Bonaire, Sint Eustatius and Saba"')
    expect(builder.says).to_contain_text("include any of France or Bonaire, Sint Eustatius and Saba")
    builder.value(2).fill("US, Uni")
    expect(page.locator("#count-2")).to_have_text("“Uni” is neither a country nor a group of countries")
    expect(page.locator("#count-1")).to_contain_text("make the difference")
    expect(page.locator("#count-0")).to_have_text("")
    expect(page.locator("#lose")).to_have_count(0)
    lucia.check()
    page.locator('[name="k0"]').select_option("Nobody")
    expect(builder.rows).to_have_count(1)
    expect(builder.says).to_have_text("Nobody.")
    lucia.leave()
