"""The founding scenario's right answers: every figure, and every decision before, during and after."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import call_command

from governance.enforcement.decision import decide
from governance.enforcement.models import Restriction
from governance.enforcement.population import who_can_use
from governance.enforcement.services import lifecycle, runs
from tests.conftest import EXPECTED, REFERENCE

pytestmark = pytest.mark.django_db
PEOPLE = [f"p{number:03d}" for number in range(1, 38)]
ITEMS = sorted(EXPECTED["baseline"])


def command(*arguments: str) -> Any:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return json.loads(out.getvalue())


def permitted() -> dict[str, list[str]]:
    return {item: [person for person in PEOPLE if decide(person, *item.split("/")).permit] for item in ITEMS}


def test_the_baseline_decisions_are_right_for_everybody_and_every_model_capability() -> None:
    assert len(ITEMS) == 10
    assert permitted() == EXPECTED["baseline"]


@pytest.mark.parametrize("item", ITEMS)
def test_who_can_use_answers_as_the_decisions_do(item: str) -> None:
    model, capability = item.split("/")
    assert command("who_can_use", "--model", model, "--capability", capability, "--format", "json") == EXPECTED[
        "baseline"
    ].get(item)


@pytest.mark.parametrize("name", sorted(EXPECTED["directives"]))
def test_the_preview_command_prints_every_figure(name: str) -> None:
    wanted = {key: value for key, value in EXPECTED["directives"][name].items() if key != "people"}
    extra = [] if name == REFERENCE else ["--alternative", name]
    found = command("directive", "preview", REFERENCE, "--json", *extra)
    assert {key: found[key] for key in wanted} == wanted
    assert found["population"] == EXPECTED["population"]
    assert found["covered"] + found["unknown"] + found["not_covered"] == found["population"]
    assert found["regain_access"] == found["to_verify"] == found["keep_by_waiver"] == 0


def test_decisions_during_the_directive_are_the_baseline_without_those_covered_or_unknown(in_force: Any) -> None:
    people = EXPECTED["directives"][REFERENCE]["people"]
    denied = set(people["covered"]) | set(people["unknown"])
    wanted = {item: [p for p in found if p not in denied] for item, found in EXPECTED["baseline"].items()}
    assert permitted() == wanted
    assert {item: who_can_use(*item.split("/")) for item in ITEMS} == wanted
    assert decide("p009", "fable-5", "use").code == "directive"
    assert decide("p014", "fable-5", "use").code == "directive_unknown"


def test_restrictions_are_the_people_covered_or_unknown_and_drift_is_none(in_force: Any) -> None:
    people = EXPECTED["directives"][REFERENCE]["people"]
    assert set(Restriction.objects.values_list("person_id", flat=True)) == {*people["covered"], *people["unknown"]}
    assert command("drift", "--json") == {"drift": 0, "missing": 0, "extra": 0, "due": 0}


def test_decisions_after_the_rescission_are_the_baseline_again(in_force: Any, act_as: Any) -> None:
    lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="rescission", reason="withdrawn in writing")
    lifecycle.vote(actor=act_as("idris"), reference=REFERENCE, verdict="approve")
    assert permitted() == EXPECTED["baseline"]
    status = command("directive", "status", REFERENCE, "--json")
    runs.complete(run_id=status["run"]["id"], worker="test")
    assert not Restriction.objects.exists()
    assert command("directive", "status", REFERENCE, "--json")["state"] == "rescinded"


def test_the_ledger_fits_after_all_of_it(in_force: Any) -> None:
    assert command("verify_ledger", "--json")["ok"]
