"""Figures on pages: small counts stay hidden, bars fit, the chart says only what is known, every figure opens its list."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from governance.enforcement.population import who_can_use
from governance.ledger.models import Entry
from governance.web import figures, telling
from governance.web.templatetags.portcullis import kinds
from tests.conftest import REFERENCE

KINDS = {"employee": 11, "customer": 8, "government": 2}
FIGURES = {
    "population": 36, "covered": 17, "unknown": 4, "lose_access": 21, "to_verify": 0, "keep_by_waiver": 0,
    "regain_access": 0,
}  # fmt: skip
NOW = datetime(2026, 6, 12, 22, 10, tzinfo=UTC)


def test_a_total_does_not_give_the_one_small_group_away() -> None:
    assert figures.vague(KINDS) == {"employee": "11", "customer": "5 or more", "government": "fewer than 5"}
    assert figures.vague({"a": 3, "b": 2, "c": 9}) == {"a": "fewer than 5", "b": "fewer than 5", "c": "9"}
    assert figures.vague({"a": 12, "b": 0}) == {"a": "12", "b": "0"}


def test_a_bar_as_long_as_a_hidden_count_is_not_drawn() -> None:
    bars = figures.breakdown(KINDS, exact=False)
    assert [(bar.name, bar.width) for bar in bars] == [("employee", 1000), ("customer", None), ("government", None)]
    assert [bar.width for bar in figures.breakdown(KINDS, exact=True)] == [1000, 727, 181]
    assert figures.breakdown(None, exact=True) == []


def test_a_hidden_count_of_one_is_not_told_by_its_grammar() -> None:
    assert kinds(KINDS | {"government": 1, "partner": 2}, exact=False) == (
        "11 employees; 8 customers; fewer than 5 each of government users, partner users"
    )
    assert kinds({"government": 1, "employee": 11}, exact=True) == "11 employees, 1 government user"


def test_a_plan_says_covered_and_unknown_apart_only_to_whom_may_know() -> None:
    assert figures.plan(FIGURES, exact=True).summed == "17 covered, 4 unknown"
    assert figures.plan(FIGURES, exact=False).summed == "21 covered or unknown"
    assert figures.plan(FIGURES | {"unknown": 9}, exact=False).summed == "17 covered, 9 unknown"


def test_the_bar_of_a_plan_holds_everybody_once() -> None:
    shape = figures.plan(FIGURES, exact=True)
    assert shape.unchanged == 15
    assert [part.kind for part in shape.parts] == ["bar-loss", "bar-same"]
    assert all(part.x >= 0 and part.x + part.width <= 1000 for part in shape.parts)
    nobody = dict.fromkeys(FIGURES, 0)
    assert figures.plan(nobody, exact=True).parts == []
    everybody = figures.plan(FIGURES | {"lose_access": 36}, exact=True)
    assert everybody.unchanged == 0


def chart(received: datetime) -> figures.Exposure | None:
    active = NOW - timedelta(minutes=6)
    events = [
        ("Received", received),
        ("Drafted", active - timedelta(minutes=30)),
        ("Approved", active - timedelta(minutes=2)),
    ]
    return figures.exposure([*events, ("Submitted", None)], active, 21, NOW)


def test_the_chart_falls_at_the_commit_and_labels_do_not_touch() -> None:
    found = chart(NOW - timedelta(minutes=49))
    assert found is not None
    assert [mark.title for mark in found.marks] == ["Received", "Drafted", "Approved", "In force"]
    assert found.left < found.drop < found.right
    rows: dict[int, list[int]] = {}
    for mark in found.marks:
        rows.setdefault(mark.y, []).append(mark.x)
    assert all(after - before >= 118 for xs in rows.values() for before, after in itertools.pairwise(xs))


def test_the_chart_leaves_out_a_letter_of_long_ago_and_says_nothing_without_a_commit() -> None:
    found = chart(NOW - timedelta(days=40))
    assert found is not None
    assert next(mark.title for mark in found.marks) == "Drafted"
    assert figures.exposure([("Received", NOW)], None, 21, NOW) is None
    assert figures.exposure([("Received", NOW)], NOW, 0, NOW) is None


def test_an_entry_reads_as_a_sentence_and_an_unknown_act_by_its_code() -> None:
    assert telling.sentence("directive.activated", '{"data": {"version": 2}}') == "Put version 2 in force"
    assert telling.sentence("approval.voted", '{"data": {"verdict": "reject", "stage": "Executive"}}') == (
        "Rejected at the stage “Executive”"
    )
    assert telling.sentence("people.held", "{}") == "People: held"
    assert telling.sentence("exception.filed", "no json") == "Asked for an exception, – days"


# -- on the pages ------------------------------------------------------------------------------------------------------


def text(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


@pytest.mark.django_db
def test_small_counts_of_a_directive_are_not_told_to_an_executive(
    sign_in: Callable[[str], Client], in_force: Any
) -> None:
    for address in (f"/directives/{REFERENCE}/", f"/directives/{REFERENCE}/alternatives"):
        seen = text(sign_in("maren").get(address))
        assert "4 unknown" not in seen
        assert "21 covered or unknown" in seen
    summary = text(sign_in("maren").get(f"/directives/{REFERENCE}/"))
    assert "Government users fewer than 5" in summary
    assert "Government users 1" in text(sign_in("lucia").get(f"/directives/{REFERENCE}/"))


@pytest.mark.django_db
def test_a_cell_opens_exactly_the_people_whom_the_decision_permits(
    sign_in: Callable[[str], Client], in_force: Any
) -> None:
    client = sign_in("lucia")
    assert "/people/?can=fable-5/use&amp;kind=employee" in client.get("/matrix").content.decode()
    html = client.get("/people/?can=fable-5/use").content.decode()
    assert sorted(set(re.findall(r'href="/people/([^/"?]+)/"', html))) == who_can_use("fable-5", "use")
    assert Entry.objects.filter(action="look.list", subject="model_capability:fable-5/use", actor="lucia").exists()
    assert client.get("/people/?can=fable-5/nothing").status_code == 404


@pytest.mark.django_db
def test_who_can_use_something_is_not_for_those_who_may_not_see_covered_people(
    sign_in: Callable[[str], Client], in_force: Any
) -> None:
    assert sign_in("teo").get("/people/?can=fable-5/use").status_code == 403
    assert "?can=" not in sign_in("maren").get("/matrix").content.decode()


@pytest.mark.django_db
def test_everything_missing_in_an_exception_is_named_at_once_and_at_its_field(
    sign_in: Callable[[str], Client], in_force: Any
) -> None:
    form = {"person": "p009", "directive": REFERENCE, "reason": " ", "days": "99", "mitigation": "redacted"}
    response = sign_in("hana").post("/exceptions/new", form)
    html = response.content.decode()
    assert response.status_code == 422
    for field in ("reason", "capabilities", "days"):
        assert f'href="#{field}"' in html
        assert f'id="{field}-error"' in html
    assert 'value="99"' in html
    assert 'value="redacted" checked' in html


@pytest.mark.django_db
def test_a_person_sees_who_looked_at_their_citizenship_and_what_for(
    sign_in: Callable[[str], Client], in_force: Any
) -> None:
    assert "Nobody has looked at yours" in text(sign_in("wei").get("/my-access"))
    sign_in("peter").post("/people/p009/reveal", {"purpose": "Counsel asked"})
    assert "counsel asked" in text(sign_in("wei").get("/my-access"))
    assert "China" not in text(sign_in("wei").get("/my-access"))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("Wei Zhang", "Denied by"), ("wei.zhang@example.com", "Denied by"), ("p009", "Denied by"),
        ("e", "Which person?"), ("zzz", "Nobody fits"),
    ],
)  # fmt: skip
def test_a_decision_is_explained_for_a_name_an_address_or_an_id(
    asked: str, words: str, sign_in: Callable[[str], Client], in_force: Any
) -> None:
    response = sign_in("lucia").get("/explain", {"person": asked, "item": "fable-5/use"})
    assert words in text(response)


@pytest.mark.django_db
def test_a_manager_finds_the_same_people_in_the_list_and_in_its_counts(
    sign_in: Callable[[str], Client], in_force: Any
) -> None:
    client = sign_in("hana")
    seen = text(client.get("/affected"))
    assert "Access off 5" in seen
    assert "unknown" not in seen.lower()
    assert "Nobody fits" in text(client.get("/affected?view=waived"))
    assert client.get("/affected?view=nothing").status_code == 200


@pytest.mark.django_db
def test_whoever_cannot_decide_is_told_why_and_with_whom_it_is(
    sign_in: Callable[[str], Client], act_as: Callable[[str], Any]
) -> None:
    from governance.enforcement.services import lifecycle

    asked = lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    seen = text(sign_in("lucia").get(f"/approvals/{asked.pk}/"))
    assert "You cannot decide this one. You asked for it." in seen
    assert "Asked for by you" in seen
    assert "Peter Osei" in seen
