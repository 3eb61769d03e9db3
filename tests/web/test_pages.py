"""Every page for every account: what is open, what is refused, and nothing breaks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver

from tests.conftest import REFERENCE

pytestmark = pytest.mark.django_db
EVERYBODY = frozenset(
    ["lucia", "tomas", "idris", "peter", "anjali", "maren", "teo", "hana", "jonas", "wei", "auditor", "admin"]
)
DIRECTIVES = frozenset(["lucia", "tomas", "idris", "peter", "anjali", "maren", "auditor"])
COVERED = DIRECTIVES - {"maren"}
PEOPLE = COVERED | {"teo"}
PAGES: dict[str, tuple[str, frozenset[str]]] = {
    "home": ("/", DIRECTIVES),
    "find": ("/find?q=wei", EVERYBODY),
    "password": ("/password", EVERYBODY),
    "tokens": ("/tokens", EVERYBODY),
    "delegations": ("/delegations", EVERYBODY),
    "my-access": ("/my-access", EVERYBODY),
    "directives": ("/directives/", DIRECTIVES),
    "directive-new": ("/directives/new", frozenset(["lucia", "tomas", "idris", "anjali"])),
    "directive": (f"/directives/{REFERENCE}/", DIRECTIVES),
    "directive-people": (f"/directives/{REFERENCE}/people", COVERED),
    "directive-case": (f"/directives/{REFERENCE}/case", DIRECTIVES),
    "directive-alternatives": (f"/directives/{REFERENCE}/alternatives", DIRECTIVES),
    "directive-history": (f"/directives/{REFERENCE}/history", COVERED),
    "directive-version": (f"/directives/{REFERENCE}/versions/1", DIRECTIVES),
    "directive-messages": (f"/directives/{REFERENCE}/messages", COVERED),
    "runs": ("/runs/", DIRECTIVES),
    "run": ("/runs/{run}/", DIRECTIVES),
    "run-live": ("/runs/{run}/live", DIRECTIVES),
    "people": ("/people/", PEOPLE),
    "person": ("/people/p009/", PEOPLE),
    "affected": ("/affected", frozenset(["lucia", "idris", "anjali", "hana", "jonas", "maren"])),
    "exceptions": ("/exceptions/", EVERYBODY),
    "exception-new": (f"/exceptions/new?person=p009&directive={REFERENCE}", frozenset(["hana", "maren"])),
    "waivers": ("/waivers/", EVERYBODY),
    "break-glass": ("/break-glass/", DIRECTIVES),
    "break-glass-new": ("/break-glass/new", frozenset(["idris", "maren"])),
    "notifications": ("/notifications/", EVERYBODY),
    "approvals": ("/approvals/", frozenset(["idris", "peter", "maren"])),
    "approvals-decide": ("/approvals/decide", frozenset(["idris", "peter", "maren"])),
    "policies": ("/policies/", frozenset(["admin"])),
    "policy": ("/policies/exception/", frozenset(["admin"])),
    "policy-edit": ("/policies/exception/edit", frozenset(["admin"])),
    "rights": ("/rights/", frozenset(["auditor", "admin"])),
    "rights-of": ("/rights/directives/", frozenset(["auditor", "admin"])),
    "rights-account": ("/rights/accounts/idris/", frozenset(["auditor", "admin"])),
    "rights-object": (f"/rights/directives/{REFERENCE}/", frozenset(["auditor", "admin"])),
    "held": ("/held/", PEOPLE),
    "matrix": ("/matrix", DIRECTIVES),
    "audiences": ("/audiences/", DIRECTIVES),
    "explain": ("/explain?person=p009&item=fable-5/use", COVERED),
    "gateways": ("/gateways", DIRECTIVES),
    "history": ("/history", COVERED),
}
POSTED = {
    "sign-out", "theme", "directive-preview", "directive-new-preview", "directive-act", "run-steer", "person-reveal", "exception-withdraw",
    "exception-accept", "exception-decline", "waiver-revoke", "waiver-renew", "break-glass-confirm", "break-glass-review",
    "approval-vote", "approval-act", "delegation-revoke", "draft-save", "draft-delete", "draft-decline", "exception-ask",
    "ask-take-back", "test-person-save", "test-person-remove", "rights-give", "rights-take", "held-decide",
    "audience-preview", "rights-roles", "messages-word", "messages-hold", "announcement-act",
    "notifications-read", "notifications-choose", "token-revoke",
}  # fmt: skip
OPEN = {"unsubscribe", "sign-in", "health-live", "health-ready", "metrics"}
BY_OBJECT = {
    "directive-edit", "case-document", "exception", "exception-edit", "exception-file", "approval", "waiver",
    "break-glass-one", "audience", "announcement", "announcement-live",
}  # fmt: skip


def names() -> set[str]:
    """Of pages; endpoints for programs have tests of their own (tests/api)."""
    patterns = [pattern for included in get_resolver().url_patterns for pattern in included.url_patterns]
    return {pattern.name for pattern in patterns if hasattr(pattern, "name")}


def test_every_address_is_in_this_test() -> None:
    assert names() == set(PAGES) | POSTED | OPEN | BY_OBJECT


@pytest.mark.parametrize("account", sorted(EVERYBODY))
def test_each_account_sees_its_pages_and_no_others(
    account: str, sign_in: Callable[[str], Client], in_force: Any
) -> None:
    client = sign_in(account)
    for name, (address, allowed) in PAGES.items():
        response = client.get(address.format(run=in_force.run.pk))
        wanted = {200} if account in allowed else {302} if name == "home" else {403}
        assert response.status_code in wanted, (name, response.status_code, account)
        if response.status_code == 200:
            assert "default-src 'none'" in response["Content-Security-Policy"], name
            assert response["Cache-Control"] == "no-store", name


def test_a_stranger_is_sent_to_sign_in_from_every_page() -> None:
    client = Client()
    for name, (address, _) in PAGES.items():
        response = client.get(address.format(run=1))
        assert response.status_code == 302, name
        assert response["Location"].startswith("/sign-in"), name


def test_a_lost_session_under_htmx_sends_the_whole_page_to_sign_in() -> None:
    response = Client().get("/runs/1/live", headers={"HX-Request": "true", "HX-Current-URL": "/runs/1/"})
    assert response.status_code == 401
    assert response["HX-Redirect"].startswith("/sign-in")


@pytest.mark.parametrize(
    ("address", "most"),
    [
        ("/", 34), ("/directives/", 18), (f"/directives/{REFERENCE}/", 30), (f"/directives/{REFERENCE}/people", 32),
        ("/people/", 20), ("/people/p009/", 26), ("/matrix", 18), ("/history", 19), ("/runs/", 18),
    ],
)  # fmt: skip
def test_pages_ask_a_bounded_number_of_questions(
    address: str, most: int, sign_in: Callable[[str], Client], in_force: Any
) -> None:
    client = sign_in("lucia")
    client.get(address)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    assert len(captured) <= most, [query["sql"][:90] for query in captured]


def test_no_page_shows_a_citizenship(sign_in: Callable[[str], Client], in_force: Any) -> None:
    client = sign_in("auditor")
    for address in (
        "/people/p009/",
        "/people/",
        "/explain?person=p009&item=fable-5/use",
        f"/directives/{REFERENCE}/people",
    ):
        text = client.get(address).content.decode()
        assert "China" not in text
        assert not re.search(r"\bCN\b", text)


def test_a_reveal_needs_the_right_and_a_purpose_and_is_recorded_first(sign_in: Callable[[str], Client]) -> None:
    from governance.ledger.models import Entry

    assert sign_in("lucia").post("/people/p009/reveal", {"purpose": "Counsel asked"}).status_code == 403
    assert sign_in("peter").post("/people/p009/reveal", {"purpose": ""}).status_code == 422
    assert not Entry.objects.filter(action="person.revealed").exists()
    response = sign_in("peter").post("/people/p009/reveal", {"purpose": "Counsel asked"})
    assert "China" in response.content.decode()
    assert response["Cache-Control"] == "no-store"
    entry = Entry.objects.get(action="person.revealed")
    assert (entry.actor, entry.subject) == ("peter", "person:p009")
    assert "CN" not in entry.record
