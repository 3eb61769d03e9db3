"""How many people each part of a rule is true of: what stands beside the parts while a rule is being written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from governance.directives import content
from governance.enforcement.policy import CompiledRule
from governance.enforcement.population import (
    POPULATION,
    Sql,
    covered_truth,
    from_people,
    join_sql,
    reads_organisation,
    states_for,
)
from governance.enforcement.sources import DJANGO
from governance.enforcement.states_of_person import State
from governance.rules import language
from governance.rules.attributes import SENSITIVE
from governance.rules.language import All, Any_, Leaf, Not, Rule, RuleError

MOST = 40
"""Parts counted at once; a longer rule shows counts on its first parts only."""


class Count(NamedTuple):
    """People of the population for whom a part is true, and for whom it is unknown.

    ``turned`` and ``kept``: of the people whose *sensitive* values decide it, for how many they make it true, and false.
    Both None where no sensitive value is asked for, or where it was not counted.
    """

    true: int
    unknown: int
    turned: int | None = None
    kept: int | None = None


def count_parts(parts: Sequence[Any], *, apart: bool = False) -> list[Count | None]:
    """The counts of each part (a rule document), in one statement; None for one that is no rule yet.

    ``apart``: tell what sensitive values decide apart (docs/decisions/0012).
    """
    rules = [_read(part) for part in parts[:MOST]]
    found = [rule for rule in rules if rule is not None]
    if not found:
        return [None] * len(parts)
    states = states_for(found)
    columns = [column for rule in found for column in _columns(rule, states, apart=apart)]
    source = from_people(organisation=reads_organisation(found))
    statement = Sql("SELECT ") + join_sql(columns, ", ") + Sql(f" FROM {source} WHERE {POPULATION}")
    figures = iter(DJANGO.rows(statement.text, statement.params)[0])
    counted = [None if rule is None else _count(islice(figures, 4)) for rule in rules]
    return counted + [None] * (len(parts) - len(counted))


def _count(figures: Iterator[Any]) -> Count:
    true, unknown, turned, kept = figures
    return Count(true, unknown, turned, kept)


def _columns(rule: CompiledRule, states: Sequence[State], *, apart: bool) -> list[Sql]:
    """The four figures of a count as columns."""
    truth = covered_truth(rule, states)
    columns = [_people(truth, Sql("")), _people(truth, Sql(" IS NULL"))]
    if not apart or not language.uses_sensitive(rule.tree):
        return [*columns, Sql("NULL"), Sql("NULL")]
    # With every sensitive value unknown, the rule is unknown exactly of those whom such a value can decide.
    blind = covered_truth(CompiledRule(_blind(rule.tree)), [_without(state) for state in states])
    decided = Sql(" AND (") + blind + Sql(") IS NULL")
    return [*columns, _people(truth, decided), _people(truth, Sql(" IS FALSE") + decided)]


def _people(truth: Sql, more: Sql) -> Sql:
    return Sql("count(*) FILTER (WHERE (") + truth + Sql(")") + more + Sql(")")


_STAND_IN = Leaf("person.protected_status", "is", True)


def _blind(rule: Rule) -> Rule:
    """The rule with one condition in the place of each that asks for a sensitive value."""
    match rule:
        case Leaf():
            return _STAND_IN if rule.attr in SENSITIVE else rule
        case Not(inner):
            return Not(_blind(inner))
        case All(rules):
            return All(tuple(_blind(inner) for inner in rules))
        case Any_(rules):
            return Any_(tuple(_blind(inner) for inner in rules))
    return rule


def _without(state: State) -> State:
    """The state with that condition unknown of everybody."""
    return State(state.guard, state.columns | {_STAND_IN.attr: "NULL::boolean"})


def _read(part: Any) -> CompiledRule | None:
    try:
        return CompiledRule(language.parse(content.expand(part)))
    except RuleError:
        return None
