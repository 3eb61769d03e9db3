"""Reasons are computed: the smallest sets of conditions whose truth alone forces the outcome, held against brute force."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from governance.rules import explain
from governance.rules.attributes import SLOTS
from governance.rules.closures import compile_closure
from governance.rules.language import All, Any_, Const, Leaf, Not, Rule, leaves, parse
from tests.extended import examples
from tests.rules.test_compilers_agree import facts, rules

TRUTHS = (True, False, None)
# One condition for each leaf, each on an attribute of its own, so that a test can give each any truth value.
NAMES = ("person.protected_status", "person.department", "person.location_country", "org.country", "org.id")


def given_truth(index: int) -> Rule:
    value: Any = {0: True, 2: "US", 3: "US"}.get(index, "x")
    return Leaf(NAMES[index], "is", value)


@st.composite
def read_once(draw: Any) -> Rule:
    """A rule of up to five conditions in which no attribute stands twice."""
    parts: list[Rule] = [given_truth(index) for index in range(draw(st.integers(1, 5)))]
    if draw(st.booleans()):
        parts.append(Const(draw(st.booleans())))
    while len(parts) > 1:
        size = min(draw(st.integers(2, 3)), len(parts))
        group = (All if draw(st.booleans()) else Any_)(tuple(parts[:size]))
        parts = [*parts[size:], Not(group) if draw(st.booleans()) else group]
    return parts[0]


def person(truths: tuple[bool | None, ...]) -> tuple[Any, ...]:
    """Somebody for whom the conditions have these truth values."""
    values: dict[str, Any] = {}
    for index, truth in enumerate(truths):
        leaf = given_truth(index)
        assert isinstance(leaf, Leaf)
        other = {0: False, 2: "GB", 3: "GB"}.get(index, "y")
        values[leaf.attr] = None if truth is None else leaf.value if truth else other
    return tuple(values.get(name) for name in SLOTS)


@settings(max_examples=examples(60), deadline=None)
@given(rule=read_once(), data=st.data())
def test_reasons_are_exactly_the_smallest_sets_that_force_the_outcome(rule: Rule, data: Any) -> None:
    order = [NAMES.index(leaf.attr) for leaf in leaves(rule)]
    evaluate = compile_closure(rule)
    width = max(order) + 1
    truths = data.draw(st.tuples(*[st.sampled_from(TRUTHS)] * width))
    outcome = evaluate(person(truths))

    def forces(kept: frozenset[int]) -> bool:
        """Whether the outcome stays whatever the conditions outside ``kept`` are."""
        choices = [[truths[i]] if i in kept else TRUTHS for i in range(width)]
        return all(evaluate(person(tuple(values))) is outcome for values in product(*choices))

    subsets = [frozenset(kept) for size in range(width + 1) for kept in combinations(sorted(order), size)]
    forcing = [kept for kept in subsets if forces(kept)]
    smallest = {kept for kept in forcing if not any(other < kept for other in forcing)}
    node = explain.trace(rule, [person(truths)])
    # Constants stand among the leaves of a trace; they are in no reason.
    numbered = [found.get("attribute") for _, found in explain.flatten(node) if not found["children"]]
    found = {frozenset(NAMES.index(numbered[number]) for number in reason) for reason in node["reasons"]}
    assert found == smallest
    assert node["all_reasons"]
    decided = {
        NAMES.index(leaf["attribute"]) for _, leaf in explain.flatten(node) if leaf["decided"] and "number" in leaf
    }
    assert decided == set().union(*smallest)


@settings(max_examples=examples(60), deadline=None)
@given(rule=rules(), people=st.lists(facts(), min_size=1, max_size=3), any_state=st.booleans())
def test_a_trace_tells_the_truth_of_all_states_and_marks_the_leaves_of_its_reasons(
    rule: Rule, people: list[tuple[Any, ...]], any_state: bool
) -> None:
    node = explain.trace(rule, people, any_state=any_state)
    truths = [compile_closure(rule)(one) for one in people]
    assert node["truth"] == explain.WORDS[explain.combine(truths, any_state=any_state)]
    in_reasons = {number for reason in node["reasons"] for number in reason}
    ends = [found for _, found in explain.flatten(node) if not found["children"]]
    decided = {leaf["number"] for leaf in ends if leaf["decided"]}
    assert decided == in_reasons if node["all_reasons"] else decided >= in_reasons
    for _, part in explain.flatten(node):
        assert part["truth"] in explain.WORDS.values()


def test_either_of_two_conditions_alone_may_decide() -> None:
    rule = parse(
        {
            "any": [
                {"attr": "person.protected_status", "op": "is", "value": True},
                {"attr": "person.permanent_residences", "op": "includes_any", "value": ["US"]},
            ]
        }
    )
    values = dict.fromkeys(SLOTS) | {"person.protected_status": True, "person.permanent_residences": ["US"]}
    node = explain.trace(rule, [tuple(values[name] for name in SLOTS)])
    assert node["reasons"] == [[0], [1]]


COUNTRIES = ["US", "GB", "FR", "DE", "IT", "ES", "PT", "NL", "BE", "AT", "CH", "SE", "NO", "DK", "FI"]


def citizen_of(country: str) -> dict[str, Any]:
    return {"attr": "person.citizenships", "op": "includes_any", "value": [country]}


def traced(rule: Any, **values: Any) -> dict[str, Any]:
    facts = dict.fromkeys(SLOTS) | {f"person.{name}": value for name, value in values.items()}
    return explain.trace(parse(rule), [tuple(facts[name] for name in SLOTS)])


def test_each_of_many_conditions_that_decide_alone_is_marked_and_the_list_says_it_is_cut() -> None:
    node = traced({"any": [citizen_of(country) for country in COUNTRIES]}, citizenships=COUNTRIES)
    assert [leaf["decided"] for leaf in node["children"]] == [True] * 15
    assert (len(node["reasons"]), node["all_reasons"]) == (12, False)
    assert explain.how_many(node) == "At least 12 sets of conditions each decide this alone."
    node = traced({"any": [citizen_of(country) for country in COUNTRIES[:12]]}, citizenships=COUNTRIES)
    assert explain.how_many(node) == "12 sets of conditions each decide this alone."


def test_what_makes_a_long_rule_unknown_is_marked_exactly() -> None:
    """Of what is not known only what keeps the truth open; a condition that is true beside it decides nothing."""
    pairs = [{"all": [{"attr": "person.status", "op": "is", "value": "active"}, citizen_of(c)]} for c in COUNTRIES]
    node = traced({"any": pairs}, status="active")
    ends = [leaf for _, leaf in explain.flatten(node) if not leaf["children"]]
    assert [leaf["decided"] for leaf in ends] == [True, True] * 15
    citizenships = set(range(1, 30, 2))
    assert not node["all_reasons"]
    assert all(citizenships < set(reason) and len(reason) == 16 for reason in node["reasons"])
    node = traced({"any": [*pairs, {"attr": "person.department", "op": "is", "value": "x"}]}, status="active")
    ends = [leaf for _, leaf in explain.flatten(node) if not leaf["children"]]
    assert [leaf["decided"] for leaf in ends] == [False, True] * 15 + [True]
