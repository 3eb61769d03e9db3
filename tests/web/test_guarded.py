"""Writing a rule is no way to learn one person's citizenship (docs/decisions/0012)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from governance.enforcement.services import lifecycle
from governance.people.models import Person
from tests.conftest import REFERENCE

pytestmark = pytest.mark.django_db
PREVIEW = f"/directives/{REFERENCE}/preview"
REVEALS, DRAFTS = "anjali", "lucia"  # legal, who may reveal sensitive values; an operator, who may not


def words(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def form(*rows: tuple[int, str, str, str, str]) -> dict[str, Any]:
    """The form of a draft with these rows: depth, kind, attribute, test, value."""
    found: dict[str, Any] = {
        "model": ["fable-5"], "caps-fable-5": "all", "unknown": "deny", "effect": "deny", "legal_basis": "Letter",
    }  # fmt: skip
    for n, (depth, kind, attribute, test, value) in enumerate(rows):
        found |= {f"d{n}": str(depth), f"k{n}": kind, f"a{n}": attribute, f"o{n}": test, f"v{n}": value}
    return found


def one_person(code: str, *, wrapped: str = "") -> dict[str, Any]:
    """A rule about the only person of a department, and whether they are a citizen of a country."""
    narrow = [("leaf", "person.department", "is", "Alone"), ("leaf", "person.citizenships", "includes_any", code)]
    rows: list[tuple[int, str, str, str, str]] = []
    if wrapped:
        rows.append((0, wrapped, "", "", ""))
    if wrapped == "any":
        rows.append((1, "leaf", "person.kind", "is", "employee"))
    depth = 1 if wrapped else 0
    rows.append((depth, "all", "", "", ""))
    rows += [(depth + 1, *leaf) for leaf in narrow]
    return form(*rows)


@pytest.fixture
def alone(db: None) -> None:
    Person.objects.filter(pk="p009").update(department="Alone", kind="contractor", citizenships=["CN"])


@pytest.mark.parametrize("wrapped", ["", "not", "any"])
def test_a_rule_that_singles_one_person_out_reads_the_same_whatever_their_citizenship(
    wrapped: str, alone: None, sign_in: Callable[[str], Client]
) -> None:
    """By itself, turned round, and hidden among people whose figure is known: no figure differs, none of none or one."""
    client = sign_in(DRAFTS)
    true, false = (words(client.post(PREVIEW, one_person(code, wrapped=wrapped))) for code in ("CN", "GB"))
    assert true.replace("China", "X") == false.replace("the United Kingdom", "X").replace("United Kingdom", "X")
    assert "Fewer than 5 people make the difference: not shown" in true
    assert "The values of fewer than 5 people decide what this rule does" in true
    assert not re.search(r"covers (nobody|everybody)", true)


def test_a_draft_of_a_time_to_come_tells_as_little(alone: None, sign_in: Callable[[str], Client]) -> None:
    client = sign_in(DRAFTS)
    later = {"effective_at": "2035-01-01T00:00"}
    true, false = (words(client.post(PREVIEW, one_person(code) | later)) for code in ("CN", "GB"))
    assert "some people lose access then" in true
    assert "some people lose access then" in false
    many = form((0, "not", "", "", ""), (1, "leaf", "person.citizenships", "includes_any", "US"))
    assert "21 people lose access then" in words(client.post(PREVIEW, many | later))


def test_whoever_may_reveal_sensitive_values_sees_every_figure(alone: None, sign_in: Callable[[str], Client]) -> None:
    seen = words(sign_in(REVEALS).post(PREVIEW, one_person("CN")))
    assert "True of 1 person" in seen
    assert "1 covered, 2 unknown" in seen


def test_what_asks_for_no_sensitive_value_is_exact_for_everybody(alone: None, sign_in: Callable[[str], Client]) -> None:
    rule = form((0, "leaf", "person.department", "is", "Alone"))
    assert "True of 1 person" in words(sign_in(DRAFTS).post(PREVIEW, rule))


def test_figures_of_many_stay_exact_and_small_ones_are_left_vague(sign_in: Callable[[str], Client]) -> None:
    rule = form((0, "not", "", "", ""), (1, "leaf", "person.citizenships", "includes_any", "US"))
    seen = words(sign_in(DRAFTS).post(PREVIEW, rule))
    assert "True of 17 people, unknown of fewer than 5" in seen
    assert "Lose access 21" in seen
    for place in ("By department", "By place of work", "By organisation"):
        assert place not in seen, "divided, a figure of many is figures of few"


def test_a_draft_as_it_was_saved_shows_its_exact_plan_where_many_decide_what_it_does(
    sign_in: Callable[[str], Client],
) -> None:
    client = sign_in(DRAFTS)
    seen = words(client.get(f"/directives/{REFERENCE}/edit"))
    assert "17 covered, 4 unknown" in seen
    rule = form((0, "not", "", "", ""), (1, "leaf", "person.citizenships", "includes_any", "US, IN"))
    assert "Save the draft to see its exact plan" in words(client.post(PREVIEW, rule))
    saved = client.post(f"/directives/{REFERENCE}/edit", rule | {"title": "Narrower"})
    assert saved.status_code == 302, words(saved)
    assert "Save the draft" not in words(client.get(f"/directives/{REFERENCE}/edit"))


def test_a_saved_draft_about_few_tells_no_more_on_its_other_pages_nor_by_what_is_typed(
    alone: None, sign_in: Callable[[str], Client]
) -> None:
    client = sign_in(DRAFTS)
    saved = client.post(f"/directives/{REFERENCE}/edit", one_person("CN") | {"title": "One person"})
    assert saved.status_code == 302, words(saved)
    for page in ("versions/1", "alternatives", "edit"):
        seen = words(client.get(f"/directives/{REFERENCE}/{page}"))
        assert not re.search(r"\d covered", seen)
        assert "not shown" in seen, page
    for typed in ("0", "1"):
        refused = client.post(f"/directives/{REFERENCE}/act", {"act": "submit", "count": typed})
        assert refused.status_code == 422
        assert "losing access, not shown" in words(refused)
    accepted = client.post(f"/directives/{REFERENCE}/act", {"act": "submit", "count": "not shown"})
    assert accepted.status_code == 302


def test_a_version_that_was_submitted_has_its_exact_figures(
    sign_in: Callable[[str], Client], act_as: Callable[[str], Any]
) -> None:
    lifecycle.submit(actor=act_as(DRAFTS), reference=REFERENCE)
    assert "17 covered, 4 unknown" in words(sign_in(DRAFTS).get(f"/directives/{REFERENCE}/versions/1"))
