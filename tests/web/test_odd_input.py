"""Whatever is typed into a form or an address, the answer is a page or a refusal, never a breakdown."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.directives.models import Directive
from governance.waivers.models import ExceptionRequest
from tests.conftest import REFERENCE
from tests.extended import examples
from tests.odd import ODD_TEXT

pytestmark = pytest.mark.django_db
FORM = "application/x-www-form-urlencoded"
Fields = dict[str, str]
FUZZ = settings(
    max_examples=examples(20), deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
DRAFT: Fields = {
    "reference": "US-9", "title": "A pause", "authority": "U.S. government", "kind": "order", "comply_immediately": "",
    "received_at": "2026-06-12T17:21", "comply_by": "2026-06-13T17:21", "position": "", "legal_basis": "A letter",
    "definitions": "", "effect": "deny", "waivable": "", "waivers": "keep", "replaces": "", "effective_at": "",
    "expires_at": "", "restart_verify": "", "include_derived": "on", "unknown": "verify", "hours": "72",
    "model": "fable-5", "caps-fable-5": "some", "cap-fable-5": "use",
    "past": "", "future": "", "shown": "", "json": "", "json-shown": "", "p1": "",
    "k0": "all", "d0": "0", "k1": "leaf", "d1": "1", "a1": "person.citizenships", "o1": "includes_any", "v1": "CN",
    "k2": "leaf", "d2": "1", "a2": "person.start_date", "o2": "before", "v2": "2026-01-01",
}  # fmt: skip
EXCEPTION: Fields = {
    "person": "p009", "directive": REFERENCE, "item": "fable-5/use", "days": "7", "reason": "evaluation",
    "mitigation": "supervised", "licence": "",
}  # fmt: skip
TEST_PERSON: Fields = {
    "name": "Two passports", "expected": "covered", "fact-person.citizenships": "US, CN", "fact-person.start_date": "2026-01-01",
    "fact-person.protected_status": "yes", "fact-person.department": "Research", "fact-org.vetting": "vetted",
}  # fmt: skip
PARAMETERS = (
    "q", "state", "kind", "status", "directive", "organisation", "action", "actor", "subject", "sort", "after", "before",
    "page", "person", "item", "can",
)  # fmt: skip


def encoded(fields: Fields) -> str:
    """As a hostile client would: halves of surrogate pairs included."""
    return urlencode(fields, errors="surrogatepass")


def texts() -> st.SearchStrategy[str]:
    odd = [
        "²",
        "٣",
        "1e9",
        "-1",
        "9" * 5_000,
        "a" * 41,
        "a" * 201,
        "add:²",
        '{"attr": "\\ud800", "op": "is", "value": NaN}',
        '{"\\ud800": 1, "op": "is"}',
        '{"attr": "person.citizenships", "op": "within", "value": ["group:\\udfff", [1]]}',
        "import",
        "undo",
        '[{"all": ["\\ud800"]}]',
        "[[[]]]",
    ]
    return st.sampled_from([*odd, *ODD_TEXT]) | st.text(max_size=20)


def cursors() -> st.SearchStrategy[str]:
    part = (
        st.none()
        | st.integers()
        | st.sampled_from([10**4_000, "²", "\ud800", "2026-06-12", "0001-01-01T00:00:00+14:00"])
    )
    return st.tuples(part, part).map(lambda pair: base64.urlsafe_b64encode(json.dumps(pair).encode()).decode())


def with_one_odd(fields: Fields, *more: str) -> st.SearchStrategy[Fields]:
    """The form as it would be accepted, but for one field or two: a second refusal must not hide a first breakdown."""
    odd = st.dictionaries(st.sampled_from([*fields, *more]), texts(), min_size=1, max_size=2)
    return odd.map(lambda changes: fields | changes)


def never_breaks(client: Client, address: str, fields: st.SearchStrategy[Fields], *, then: str) -> None:
    """Post and take back; where the form was accepted, the page that lists it must show."""

    @FUZZ
    @given(fields)
    def holds(typed: Fields) -> None:
        with transaction.atomic():
            response = client.post(address, encoded(typed), content_type=FORM)
            assert response.status_code < 500
            if response.status_code == 302:
                assert client.get(then).status_code == 200
            transaction.set_rollback(True)

    holds()


def test_nothing_typed_into_a_new_directive_breaks_the_page(sign_in: Callable[[str], Client]) -> None:
    never_breaks(sign_in("lucia"), "/directives/new", with_one_odd(DRAFT, "do"), then="/directives/")


def test_nothing_typed_into_a_draft_breaks_the_page(sign_in: Callable[[str], Client]) -> None:
    never_breaks(sign_in("lucia"), f"/directives/{REFERENCE}/edit", with_one_odd(DRAFT, "do"), then="/directives/")


def test_nothing_typed_breaks_the_plan_beside_the_form(sign_in: Callable[[str], Client]) -> None:
    never_breaks(sign_in("lucia"), f"/directives/{REFERENCE}/preview", with_one_odd(DRAFT), then="/directives/")


def test_nothing_typed_breaks_what_stands_beside_a_new_directive(sign_in: Callable[[str], Client]) -> None:
    never_breaks(sign_in("lucia"), "/directives/preview", with_one_odd(DRAFT), then="/directives/")


def test_no_odd_button_breaks_the_builder(sign_in: Callable[[str], Client]) -> None:
    odd = st.sampled_from(["place:1:2:below", "place:9:²:x", "place:::", "undo", "redo", "pick:²", "up:-1", "out:2:1"])
    pressed = st.tuples(with_one_odd(DRAFT), odd).map(lambda both: both[0] | {"do": both[1]})
    never_breaks(sign_in("lucia"), "/directives/new", pressed, then="/directives/")


def test_nothing_imported_into_the_builder_breaks_the_page(sign_in: Callable[[str], Client]) -> None:
    typed = texts().map(lambda text: DRAFT | {"do": "import", "json": text})
    never_breaks(sign_in("lucia"), f"/directives/{REFERENCE}/edit", typed, then="/directives/")


def test_nothing_typed_about_a_test_person_breaks_the_page(sign_in: Callable[[str], Client]) -> None:
    address = f"/directives/{REFERENCE}/test-people"
    never_breaks(sign_in("lucia"), address, with_one_odd(TEST_PERSON), then=f"/directives/{REFERENCE}/edit")


def test_nothing_typed_into_a_new_exception_breaks_the_page(sign_in: Callable[[str], Client], in_force: Any) -> None:
    never_breaks(sign_in("hana"), "/exceptions/new", with_one_odd(EXCEPTION), then="/exceptions/")


def test_no_address_breaks_a_list(sign_in: Callable[[str], Client], in_force: Any) -> None:
    lucia, hana, idris = sign_in("lucia"), sign_in("hana"), sign_in("idris")
    pages = [
        (lucia, "/find"), (lucia, "/directives/"), (lucia, f"/directives/{REFERENCE}/people"), (lucia, "/history"),
        (lucia, f"/directives/{REFERENCE}/history"), (lucia, "/people/"), (lucia, "/runs/"), (lucia, "/explain"),
        (lucia, "/exceptions/"), (hana, "/exceptions/"), (hana, "/affected"), (hana, "/exceptions/new"),
        (idris, "/approvals/"),
    ]  # fmt: skip
    sorts = st.sampled_from(["name", "-received", "received", "since", "-id", "department", "title"])

    @FUZZ
    @given(
        st.sampled_from(pages), st.dictionaries(st.sampled_from(PARAMETERS), texts() | cursors() | sorts, max_size=3)
    )
    def holds(page: tuple[Client, str], asked: Fields) -> None:
        client, address = page
        assert client.get(f"{address}?{encoded(asked)}").status_code < 500

    holds()


@pytest.mark.parametrize(
    ("field", "typed", "reason"),
    [
        ("title", "x" * 201, "is longer than 200 characters"),
        ("authority", "x" * 201, "is longer than 200 characters"),
        ("reference", "x" * 61, "is longer than 60 characters"),
        ("hours", "²", "must be a whole number of hours from 1 to 8760"),
        ("hours", "9" * 5_000, "must be a whole number of hours from 1 to 8760"),
        ("received_at", "0001-01-01T00:00:00+14:00", "must lie in the years 1900 to 9998"),
        ("received_at", "9999-12-31T23:59:59-14:00", "must lie in the years 1900 to 9998"),
    ],
)
def test_the_form_says_what_would_be_right(
    field: str, typed: str, reason: str, sign_in: Callable[[str], Client]
) -> None:
    response = sign_in("lucia").post("/directives/new", DRAFT | {field: typed})
    assert response.status_code == 422
    assert reason in response.content.decode()
    assert not Directive.objects.filter(reference=DRAFT["reference"]).exists()


def test_a_name_too_long_for_a_test_person_is_refused(sign_in: Callable[[str], Client]) -> None:
    response = sign_in("lucia").post(f"/directives/{REFERENCE}/test-people", TEST_PERSON | {"name": "x" * 101})
    assert response.status_code == 422
    assert "is longer than 100 characters" in response.content.decode()


def test_a_title_too_long_for_a_draft_is_refused_too(sign_in: Callable[[str], Client]) -> None:
    response = sign_in("lucia").post(f"/directives/{REFERENCE}/edit", DRAFT | {"title": "x" * 201})
    assert response.status_code == 422
    assert "is longer than 200 characters" in response.content.decode()
    assert len(Directive.objects.get(reference=REFERENCE).title) < 200


@pytest.mark.parametrize(
    ("field", "typed", "reason"),
    [
        ("days", "²", "must be from 1 to 90"),
        ("days", "9" * 5_000, "must be from 1 to 90"),
        ("mitigation", "x" * 41, "is longer than 40 characters"),
    ],
)
def test_an_exception_says_what_would_be_right(
    field: str, typed: str, reason: str, sign_in: Callable[[str], Client], in_force: Any
) -> None:
    response = sign_in("hana").post("/exceptions/new", EXCEPTION | {field: typed})
    assert response.status_code == 422
    assert reason in response.content.decode()
    assert not ExceptionRequest.objects.exists()


def test_finding_a_superscript_finds_nothing(sign_in: Callable[[str], Client]) -> None:
    assert sign_in("lucia").get("/find", {"q": "²"}).status_code == 200


def test_the_forms_are_accepted_as_they_stand_here(sign_in: Callable[[str], Client], in_force: Any) -> None:
    assert sign_in("lucia").post("/directives/new", DRAFT).status_code == 302
    assert sign_in("lucia").post("/directives/US-9/test-people", TEST_PERSON).status_code == 302
    assert sign_in("hana").post("/exceptions/new", EXCEPTION).status_code == 302
