"""AuthZEN evaluations: defaults, the three semantics, errors of single items, a constant number of queries."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from governance.accounts.services import create_token
from tests.wire import Kept, Wire, question, services

pytestmark = pytest.mark.django_db
URL = "/access/v1/evaluations"
DENIED, PERMITTED = {"type": "person", "id": "p009"}, {"type": "person", "id": "p001"}
MODEL, USE = {"type": "model", "id": "fable-5"}, {"name": "use"}


@pytest.fixture
def wire(machine: Any, in_force: Any) -> Wire:
    return Wire(services(), create_token(actor=machine, name="gateway", scopes=["decide"]))


def verdicts(response: Any) -> list[bool]:
    assert response.status_code == 200, response.json()
    assert set(response.json()) == {"evaluations"}
    return [found["decision"] for found in response.json()["evaluations"]]


def batch(*subjects: Any, semantic: str | None = None, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"action": USE, "resource": MODEL, "evaluations": [{"subject": s} for s in subjects], **more}
    return body | ({"options": {"evaluations_semantic": semantic}} if semantic else {})


def test_defaults_fill_in_what_items_leave_out(wire: Wire) -> None:
    assert verdicts(wire.send(URL, batch(PERMITTED, DENIED))) == [True, False]
    body = question("p001", evaluations=[{}, {"subject": DENIED}, {"action": {"name": "nothing"}}])
    assert verdicts(wire.send(URL, body)) == [True, False, False]


def test_an_item_replaces_a_default_whole_and_merges_nothing_into_it(wire: Wire) -> None:
    body = question("p001", evaluations=[{"subject": {"id": "p001"}}, {"resource": {"id": "fable-5"}}, {}])
    found = wire.send(URL, body).json()["evaluations"]
    assert [item["decision"] for item in found] == [False, False, True]
    assert [item["context"]["error"]["status"] for item in found[:2]] == [400, 400]


def test_defaults_that_nobody_uses_are_not_looked_at(wire: Wire) -> None:
    body = {"subject": 7, "resource": {"type": "model"}, "action": USE}
    body["evaluations"] = [{"subject": PERMITTED, "resource": MODEL}]
    assert verdicts(wire.send(URL, body)) == [True]


@pytest.mark.parametrize(
    ("semantic", "order", "answered"),
    [
        ("execute_all", [PERMITTED, DENIED, PERMITTED], [True, False, True]),
        ("deny_on_first_deny", [PERMITTED, DENIED, PERMITTED], [True, False]),
        ("deny_on_first_deny", [PERMITTED, PERMITTED], [True, True]),
        ("deny_on_first_deny", [DENIED, PERMITTED], [False]),
        ("permit_on_first_permit", [DENIED, PERMITTED, DENIED], [False, True]),
        ("permit_on_first_permit", [DENIED, DENIED], [False, False]),
        ("permit_on_first_permit", [PERMITTED, DENIED], [True]),
        ("deny_on_first_deny", [PERMITTED, {"type": "person"}, PERMITTED], [True, False]),
        ("permit_on_first_permit", [{"type": "person"}, PERMITTED, DENIED], [False, True]),
    ],
)
def test_the_three_semantics(semantic: str, order: list[Any], answered: list[bool], wire: Wire) -> None:
    assert verdicts(wire.send(URL, batch(*order, semantic=semantic))) == answered


@pytest.mark.parametrize("missing", ["subject", "action", "resource"])
def test_an_item_that_lacks_an_entity_is_its_own_error(missing: str, wire: Wire) -> None:
    broken = {k: v for k, v in question("p001").items() if k != missing}
    response = wire.send(URL, {"evaluations": [broken, question("p001")]})
    assert verdicts(response) == [False, True]
    assert missing in response.json()["evaluations"][0]["context"]["error"]["message"]


@pytest.mark.parametrize(
    "item", [7, None, "x", [], {"subject": PERMITTED, "context": 7}, {"context": {"at": "2026-01-01T00:00:00Z"}}]
)
def test_an_item_that_makes_no_sense_is_its_own_error(item: Any, wire: Wire) -> None:
    found = wire.send(URL, question("p001", evaluations=[item, {}])).json()["evaluations"]
    assert found[0]["context"]["error"]["status"] == 400
    assert found[1]["decision"] is True


def test_an_item_of_a_node_that_is_behind_is_503_for_that_item_alone(wire: Wire) -> None:
    found = wire.send(URL, question("p001", evaluations=[{"context": {"min_epoch": 10**9}}, {}])).json()["evaluations"]
    assert found[0] == {"decision": False, "context": {"error": found[0]["context"]["error"]}}
    assert found[0]["context"]["error"]["status"] == 503
    assert found[1]["decision"] is True


@pytest.mark.parametrize("more", [{}, {"evaluations": []}])
def test_without_items_it_answers_as_the_single_evaluation(more: dict[str, Any], wire: Wire) -> None:
    answer = wire.send(URL, question("p001", **more)).json()
    assert answer["decision"] is True
    assert "evaluations" not in answer


@pytest.mark.parametrize(
    "body",
    [
        {"evaluations": 7}, {"evaluations": None}, {"evaluations": {}}, [], {"evaluations": [{}], "options": 7},
        {"evaluations": [{}], "options": {"evaluations_semantic": "first"}},
        {"evaluations": [{}], "options": {"evaluations_semantic": None}}, {}, {"evaluations": []},
    ],
)  # fmt: skip
def test_a_malformed_batch_is_400(body: Any, wire: Wire) -> None:
    assert wire.send(URL, body).status_code == 400


def test_a_batch_is_as_large_as_said_and_not_larger(wire: Wire) -> None:
    assert len(verdicts(wire.send(URL, batch(*[PERMITTED] * 1000)))) == 1000
    assert wire.send(URL, batch(*[PERMITTED] * 1001)).status_code == 413
    assert wire.send(URL, batch(PERMITTED, pad="x" * 1_100_000)).status_code == 413


def test_a_thousand_questions_take_as_many_queries_as_one(wire: Wire) -> None:
    people = [{"type": "person", "id": f"p{n:03}"} for n in range(1, 38)] * 27
    wire.send(URL, batch(PERMITTED))

    def queries(*subjects: Any) -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert len(verdicts(wire.send(URL, batch(*subjects)))) == len(subjects)
        return len(captured)

    assert queries(PERMITTED) == queries(*people) == 1


def test_all_answers_of_a_batch_are_of_one_moment_and_recorded(machine: Any, in_force: Any) -> None:
    kept = Kept()
    wire = Wire(services(recorder=kept), create_token(actor=machine, name="gateway", scopes=["decide"]))
    found = wire.send(URL, batch(PERMITTED, DENIED, {"type": "person"}), x_request_id="r-1").json()["evaluations"]
    assert len({item["context"]["evaluated_at"] for item in found[:2]}) == 1
    assert [(a[0], a[2], a[5], a[6]) for a in kept.answers] == [
        (found[0]["context"]["id"], "p001", True, "audience"),
        (found[1]["context"]["id"], "p009", False, "directive"),
    ]
    assert {a[-1] for a in kept.answers} == {"r-1"}
    assert all(a[-2].count(":") == 2 for a in kept.answers)
