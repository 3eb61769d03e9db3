"""Questions about rules have exact answers: held against brute force, and each counterexample against both compilers."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from datetime import date
from itertools import product
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.enforcement.services.first_start import SCENARIO
from governance.rules import analysis
from governance.rules.analysis import Budget, Coverage, Relation, Verdict
from governance.rules.attributes import SLOTS
from governance.rules.closures import compile_closure
from governance.rules.countries import COUNTRIES
from governance.rules.language import All, Any_, Const, Leaf, Not, Rule, parse
from tests.extended import examples
from tests.rules.test_compilers_agree import rules, truths_in_sql

LISTS = [None, [], ["US"], ["GB"], ["US", "GB"], ["FR"], ["FR", "US"], ["FR", "US", "GB"]]
DOMAIN: dict[str, list[Any]] = {
    "person.citizenships": LISTS,
    "person.status": ["active", "on_leave", "departed"],
    "person.protected_status": [None, True, False],
    "person.start_date": [None, date(2019, 12, 31), date(2020, 1, 1), date(2020, 1, 2)],
}
EVERYBODY = [
    tuple(dict(zip(DOMAIN, values, strict=True)).get(name) for name in SLOTS) for values in product(*DOMAIN.values())
]


@st.composite
def small_leaves(draw: Any) -> Rule:
    """Conditions whose classes of people all have somebody in the small domain."""
    countries = st.lists(st.sampled_from(("US", "GB")), max_size=2, unique=True).map(tuple)
    return draw(
        st.one_of(
            st.builds(Leaf, st.just("person.citizenships"), st.sampled_from(("includes_any", "includes_all", "within")), countries),
            st.builds(Leaf, st.just("person.status"), st.just("is"), st.sampled_from(DOMAIN["person.status"])),
            st.builds(Leaf, st.just("person.protected_status"), st.just("is"), st.booleans()),
            st.builds(
                Leaf, st.just("person.start_date"), st.sampled_from(("before", "on_or_after", "is")), st.just(date(2020, 1, 1))
            ),
            st.builds(
                Leaf, st.sampled_from(("person.citizenships", "person.protected_status", "person.start_date")), st.just("known")
            ),
        )
    )  # fmt: skip


small = rules(small_leaves())
coverages = st.builds(Coverage, small, st.booleans())


def covers(coverage: Coverage, facts: tuple[Any, ...]) -> bool:
    truth = compile_closure(coverage.rule)(facts)
    return truth is True or (truth is None and coverage.unknown)


def facts_of(person: Mapping[str, Any]) -> tuple[Any, ...]:
    """Such a person whole: what is left out is free, but everybody has an id, a kind and a status."""
    whole = {"person.id": "somebody", "person.kind": "employee", "person.status": "active"} | dict(person)
    if any(name.startswith("org.") and value is not None for name, value in person.items()):
        whole.setdefault("org.id", "some")
    return tuple(whole.get(name) for name in SLOTS)


@settings(max_examples=examples(50), deadline=None)
@given(a=coverages, b=coverages)
def test_implication_is_what_looking_at_everybody_says(a: Coverage, b: Coverage) -> None:
    answer = analysis.implies(a, b, budget=Budget(60))
    exceptions = [facts for facts in EVERYBODY if covers(a, facts) and not covers(b, facts)]
    assert bool(answer) is not bool(exceptions)
    if not answer:
        assert answer.person is not None
        found = facts_of(answer.person)
        assert covers(a, found)
        assert not covers(b, found)


@settings(max_examples=examples(50), deadline=None)
@given(a=coverages, b=coverages)
def test_comparison_and_overlap_are_what_looking_at_everybody_says(a: Coverage, b: Coverage) -> None:
    compared = analysis.compare(a, b, budget=Budget(60))
    added = any(covers(a, facts) and not covers(b, facts) for facts in EVERYBODY)
    released = any(covers(b, facts) and not covers(a, facts) for facts in EVERYBODY)
    assert (bool(compared.added), bool(compared.released)) == (added, released)
    wanted = {
        (False, False): Relation.SAME, (True, False): Relation.WIDER, (False, True): Relation.NARROWER,
        (True, True): Relation.NEITHER,
    }  # fmt: skip
    assert compared.relation is wanted[added, released]
    overlap = analysis.overlap(a, b, budget=Budget(60))
    assert bool(overlap) is any(covers(a, facts) and covers(b, facts) for facts in EVERYBODY)


@settings(max_examples=examples(50), deadline=None)
@given(a=coverages)
def test_nobody_and_everybody_are_what_looking_at_everybody_says(a: Coverage) -> None:
    covered = [covers(a, facts) for facts in EVERYBODY]
    assert bool(analysis.covers_nobody(a, budget=Budget(60))) is not any(covered)
    assert bool(analysis.covers_everybody(a, budget=Budget(60))) is all(covered)


def truths(rule: Rule) -> list[bool | None]:
    return [compile_closure(rule)(facts) for facts in EVERYBODY]


@settings(max_examples=examples(40), deadline=None)
@given(a=small, b=small)
def test_equivalence_is_the_same_truth_for_everybody(a: Rule, b: Rule) -> None:
    answer = analysis.equivalent(a, b, budget=Budget(60))
    assert bool(answer) is (truths(a) == truths(b))
    if not answer:
        assert answer.person is not None
        found = facts_of(answer.person)
        assert compile_closure(a)(found) is not compile_closure(b)(found)


@settings(max_examples=examples(25), deadline=None)
@given(rule=small)
def test_a_dead_branch_changes_nothing_for_anybody_and_others_do(rule: Rule) -> None:
    found, whole = analysis.dead_branches(rule, budget=Budget(60))
    assert whole
    without = rule
    for branch in sorted(found, key=lambda one: one.path, reverse=True):
        without = _leave_out(without, branch.path.removeprefix("$"))
    assert truths(without) == truths(rule)
    assert analysis.dead_branches(without, budget=Budget(60)) == ([], True)


def _leave_out(rule: Rule, path: str) -> Rule:
    """The rule with the branch at ``path`` replaced by what changes nothing in its group."""
    match rule:
        case Not(inner):
            return Not(_leave_out(inner, path.removeprefix(".not")))
        case All(parts) | Any_(parts):
            index, _, rest = path[5:].partition("]")
            neutral = Const(isinstance(rule, All))
            changed = _leave_out(parts[int(index)], rest) if rest else neutral
            return type(rule)((*parts[: int(index)], changed, *parts[int(index) + 1 :]))
    raise AssertionError(path)


@pytest.mark.django_db
@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(a=rules(), b=rules(), unknown=st.booleans())
def test_a_counterexample_over_the_whole_language_holds_in_both_compilers(a: Rule, b: Rule, unknown: bool) -> None:
    answer = analysis.implies(Coverage(a, unknown), Coverage(b, unknown), budget=Budget(60))
    if answer.person is None:
        assert answer.verdict is Verdict.YES
        return
    found = facts_of(answer.person)
    assert covers(Coverage(a, unknown), found)
    assert not covers(Coverage(b, unknown), found)
    for rule in (a, b):
        assert truths_in_sql(rule, [found]) == [compile_closure(rule)(found)]


# -- the scenario's questions ------------------------------------------------------------------------------------------

_DOCUMENT = yaml.safe_load((SCENARIO / "scenario.yaml").read_text())
ORDERED = Coverage(parse(_DOCUMENT["directives"][0]["rule"]))
READINGS = {one["slug"]: Coverage(parse(one["rule"])) for one in _DOCUMENT["alternatives"]}


def test_the_export_control_reading_lies_strictly_within_the_order() -> None:
    compared = analysis.compare(READINGS["ear-foreign-person"], ORDERED, budget=Budget())
    assert compared.relation is Relation.NARROWER
    assert compared.added.person is None
    released = facts_of(compared.released.person or {})
    assert covers(ORDERED, released)
    assert not covers(READINGS["ear-foreign-person"], released)


def test_outside_the_united_states_is_neither_narrower_nor_wider_with_a_person_for_each() -> None:
    compared = analysis.compare(READINGS["outside-us"], ORDERED, budget=Budget())
    assert compared.relation is Relation.NEITHER
    added, released = facts_of(compared.added.person or {}), facts_of(compared.released.person or {})
    assert covers(READINGS["outside-us"], added)
    assert not covers(ORDERED, added)
    assert covers(ORDERED, released)
    assert not covers(READINGS["outside-us"], released)


def test_trusted_partners_lies_strictly_within_the_order() -> None:
    assert analysis.compare(READINGS["trusted-partners"], ORDERED, budget=Budget()).relation is Relation.NARROWER
    assert analysis.compare(READINGS["cyber-only"], ORDERED, budget=Budget()).relation is Relation.SAME


def test_when_the_time_is_up_the_answer_is_undetermined() -> None:
    assert analysis.implies(ORDERED, READINGS["outside-us"], budget=Budget(-1)).verdict is Verdict.UNDETERMINED
    assert analysis.compare(ORDERED, READINGS["outside-us"], budget=Budget(-1)).relation is Relation.UNDETERMINED
    assert analysis.dead_branches(Any_((ORDERED.rule, ORDERED.rule)), budget=Budget(-1)) == ([], False)


def test_what_verifying_would_settle() -> None:
    """Somebody of whom no residence is on record: the export-control reading may go either way; the order may not."""
    facts = dict.fromkeys(SLOTS) | {
        "person.id": "x", "person.kind": "partner", "person.status": "active", "person.citizenships": ["IR"],
    }  # fmt: skip
    free = frozenset({"person.permanent_residences", "person.protected_status"})
    reading = READINGS["ear-foreign-person"].rule
    for truth in (True, False):
        assert analysis.possible((reading, [truth]), facts=facts, free=free, budget=Budget())
    assert not analysis.possible((ORDERED.rule, [False]), facts=facts, free=free, budget=Budget())
    assert not analysis.possible((reading, [True]), (reading, [False]), facts=facts, free=free, budget=Budget())


def hard_rule(clauses: int) -> Rule:
    """A rule of random clauses over forty countries, too hard for every question about it to be decided."""
    chance = random.Random(5)
    countries = sorted(COUNTRIES)[:40]

    def literal() -> Any:
        attribute = chance.choice(["person.citizenships", "person.permanent_residences"])
        leaf = {"attr": attribute, "op": "includes_any", "value": [chance.choice(countries)]}
        return leaf if chance.random() < 0.5 else {"not": leaf}

    return parse({"all": [{"any": [literal() for _ in range(3)]} for _ in range(clauses)]})


def test_many_questions_share_one_budget_and_a_search_stops_within_it() -> None:
    rule, other, budget = hard_rule(30), hard_rule(29), Budget(0.3)
    begun = time.monotonic()
    for _ in range(20):
        assert analysis.dead_branches(rule, budget=budget) == ([], False)
        analysis.compare(Coverage(rule), Coverage(other), budget=budget.share(0.1))
    assert time.monotonic() - begun < 1.0, "the rest is for a busy machine"
    assert budget.spent
