"""How many people each part of a rule is true of: what stands beside the parts while a rule is being written."""

from __future__ import annotations

from collections.abc import Sequence
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
from governance.rules import language
from governance.rules.language import RuleError

MOST = 40
"""Parts counted at once; a longer rule shows counts on its first parts only."""


class Count(NamedTuple):
    """People of the population for whom a part is true, and for whom it is unknown."""

    true: int
    unknown: int


def count_parts(parts: Sequence[Any]) -> list[Count | None]:
    """The counts of each part (a rule document), in one statement; None for one that is no rule yet."""
    rules = [_read(part) for part in parts[:MOST]]
    found = [rule for rule in rules if rule is not None]
    if not found:
        return [None] * len(parts)
    states = states_for(found)
    columns = []
    for rule in found:
        truth = covered_truth(rule, states)
        columns += [Sql("count(*) FILTER (WHERE ") + truth + Sql(")")]
        columns += [Sql("count(*) FILTER (WHERE (") + truth + Sql(") IS NULL)")]
    source = from_people(organisation=reads_organisation(found))
    statement = Sql("SELECT ") + join_sql(columns, ", ") + Sql(f" FROM {source} WHERE {POPULATION}")
    figures = iter(DJANGO.rows(statement.text, statement.params)[0])
    counted = [None if rule is None else Count(next(figures), next(figures)) for rule in rules]
    return counted + [None] * (len(parts) - len(counted))


def _read(part: Any) -> CompiledRule | None:
    try:
        return CompiledRule(language.parse(content.expand(part)))
    except RuleError:
        return None
