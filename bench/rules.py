"""``rule_evaluation``: the compiled function of a rule against one written by hand; other engines on the same rule beside it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import Any

import cedarpy
import celpy

from bench.measure import Result, seconds
from governance.rules.attributes import SLOTS
from governance.rules.closures import compile_closure
from governance.rules.generated import compile_function
from governance.rules.language import parse

RULE = {
    "all": [
        {"attr": "person.status", "op": "in", "value": ["active", "on_leave"]},
        {"not": {"attr": "person.citizenships", "op": "includes_any", "value": ["US"]}},
        {"not": {"attr": "person.permanent_residences", "op": "includes_any", "value": ["US"]}},
        {"attr": "person.kind", "op": "in", "value": ["employee", "contractor"]},
        {"attr": "org.vetting", "op": "is", "value": "vetted"},
    ]
}
PERSON: dict[str, Any] = {
    "person.id": "p009", "person.kind": "employee", "person.status": "active", "person.department": "Research",
    "person.citizenships": ["CN"], "person.permanent_residences": [], "person.protected_status": False,
    "person.residence_country": "US", "person.location_country": "US", "person.start_date": date(2022, 1, 10),
    "org.id": "acme", "org.type": "company", "org.country": "US", "org.vetting": "vetted",
}  # fmt: skip
ROUNDS = 100_000

_CEDAR = """
permit(principal, action, resource) when {
  ["active", "on_leave"].contains(context.status) &&
  !context.citizenships.containsAny(["US"]) && !context.permanent_residences.containsAny(["US"]) &&
  ["employee", "contractor"].contains(context.kind) && context.vetting == "vetted"
};
"""
_CEL = """
status in ["active", "on_leave"] && !("US" in citizenships) && !("US" in permanent_residences)
  && kind in ["employee", "contractor"] && vetting == "vetted"
"""


def by_hand(facts: Sequence[Any]) -> bool | None:
    """The same rule as a careful person writes it: three truth values, the cheap conditions first."""
    kind, status, citizenships, residences, vetting = facts[1], facts[2], facts[4], facts[5], facts[13]
    unknown = False
    if status is None:
        unknown = True
    elif status not in ("active", "on_leave"):
        return False
    if citizenships is None:
        unknown = True
    elif "US" in citizenships:
        return False
    if residences is None:
        unknown = True
    elif "US" in residences:
        return False
    if kind is None:
        unknown = True
    elif kind not in ("employee", "contractor"):
        return False
    if vetting is None:
        unknown = True
    elif vetting != "vetted":
        return False
    return None if unknown else True


def _cedar() -> Callable[[], bool]:
    request = {
        "principal": 'Person::"p009"', "action": 'Action::"use"', "resource": 'Model::"fable-5"',
        "context": json.dumps(_plain()),
    }  # fmt: skip
    return lambda: bool(cedarpy.is_authorized(request, _CEDAR, "[]").allowed)


def _cel() -> Callable[[], bool]:
    environment = celpy.Environment()
    program = environment.program(environment.compile(_CEL))
    facts = {name: celpy.json_to_cel(value) for name, value in _plain().items()}
    return lambda: bool(program.evaluate(facts))


def _plain() -> dict[str, Any]:
    names = ("status", "citizenships", "permanent_residences", "kind")
    return {name: PERSON[f"person.{name}"] for name in names} | {"vetting": PERSON["org.vetting"]}


def _micros(act: Callable[[], Any], rounds: int) -> float:
    def repeat() -> None:
        for _ in range(rounds):
            act()

    return seconds(repeat) / rounds * 1e6


def measure(samples: int) -> list[Result]:
    facts = tuple(PERSON[name] for name in SLOTS)
    rule = parse(RULE)
    compiled, closure, cedar, cel = compile_function(rule), compile_closure(rule), _cedar(), _cel()
    for engine in (partial(compiled, facts), partial(closure, facts), partial(by_hand, facts), cedar, cel):
        assert engine() is True
    pairs = []
    for number in range(samples + 1):
        pair = (_micros(partial(compiled, facts), ROUNDS), _micros(partial(by_hand, facts), ROUNDS))
        if number:  # the first pair only warms up
            pairs.append(pair)
    beside = {
        "tree of closures": (partial(closure, facts), ROUNDS), "cedarpy": (cedar, 200), "cel-python": (cel, 200),
    }  # fmt: skip
    note = ", ".join(
        f"{name} {statistics.median(_micros(act, rounds) for _ in range(samples)):.3g} µs"
        for name, (act, rounds) in beside.items()
    )
    return [
        Result(
            "rule_evaluation", "µs (lower is better)", [a for a, _ in pairs], [b for _, b in pairs],
            f"a function written by hand, 5 conditions; {note}",
        )
    ]  # fmt: skip
