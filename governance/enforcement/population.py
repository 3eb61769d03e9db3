"""SQL over everybody: who is covered, who may use what. Compiled from the same policy that decisions use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from governance.enforcement import policy as policies
from governance.enforcement.policy import Audience, CompiledRule, DirectiveRule, ModelCapability, Policy
from governance.enforcement.sources import DJANGO, CannotDecide, Source, tries
from governance.enforcement.states_of_person import (
    GRANTS_OF_ORGANISATION,
    WITH_ORGANISATION,
    WITHOUT_ORGANISATION,
    State,
    joins,
)
from governance.rules import sql as rule_sql
from governance.rules.language import attributes_of


@dataclass(frozen=True)
class Sql:
    """A piece of SQL and its parameters, in order."""

    text: str
    params: tuple[Any, ...] = ()

    def __add__(self, other: Sql) -> Sql:
        return Sql(self.text + other.text, self.params + other.params)


TRUE, FALSE = Sql("TRUE"), Sql("FALSE")
NOW = "statement_timestamp()"


def join_sql(parts: Iterable[Sql], between: str) -> Sql:
    parts = list(parts)
    return Sql(between.join(part.text for part in parts), tuple(p for part in parts for p in part.params))


def all_of(parts: Iterable[Sql]) -> Sql:
    parts = [part for part in parts if part != TRUE]
    return Sql("(") + join_sql(parts, " AND ") + Sql(")") if parts else TRUE


def any_of(parts: Iterable[Sql]) -> Sql:
    parts = [part for part in parts if part != FALSE]
    return Sql("(") + join_sql(parts, " OR ") + Sql(")") if parts else FALSE


def reads_organisation(rules: Iterable[CompiledRule]) -> bool:
    return any(name.startswith("org.") for rule in rules for name in attributes_of(rule.tree))


def states_for(rules: Iterable[CompiledRule]) -> Sequence[State]:
    return WITH_ORGANISATION if reads_organisation(rules) else WITHOUT_ORGANISATION


def covered_truth(rule: CompiledRule, states: Sequence[State] | None = None) -> Sql:
    """Three-valued: the rule is true of any state that counts (the stricter covers)."""
    parts = []
    for state in states or states_for([rule]):
        truth = Sql(*_pair(rule, state))
        parts.append(truth if state.guard is None else Sql(f"({state.guard} AND ") + truth + Sql(")"))
    return any_of(parts)


def audience_truth(audience: Audience | None, states: Sequence[State] | None = None) -> Sql:
    """Three-valued: the audience is true of every state that counts (the stricter admits)."""
    if audience is None:
        return FALSE
    parts = []
    for state in states or states_for([audience.rule]):
        truth = Sql(*_pair(audience.rule, state))
        parts.append(truth if state.guard is None else Sql(f"(NOT ({state.guard}) OR ") + truth + Sql(")"))
    return all_of(parts)


def _pair(rule: CompiledRule, state: State) -> tuple[str, tuple[Any, ...]]:
    text, params = rule_sql.compile_sql(rule.tree, state.columns)
    return f"({text})", tuple(params)


def clock(rule: DirectiveRule) -> Sql:
    """Whether the clock has the directive in force at the statement's time."""
    parts = []
    if rule.effective_at is not None:
        parts.append(Sql(f"{NOW} >= %s::timestamptz", (rule.effective_at,)))
    if rule.expires_at is not None:
        parts.append(Sql(f"{NOW} < %s::timestamptz", (rule.expires_at,)))
    return all_of(parts)


def settle(truth: Sql, rule: DirectiveRule) -> Sql:
    """Two-valued: true, or unknown where unknown denies at the statement's time."""
    if rule.on_unknown == "deny":
        unknown = TRUE
    elif rule.on_unknown == "verify" and rule.verify_deadline is not None:
        unknown = Sql(f"{NOW} >= %s::timestamptz", (rule.verify_deadline,))
    else:
        unknown = FALSE
    return Sql("coalesce(") + truth + Sql(", ") + unknown + Sql(")")


def restricted(rule: DirectiveRule, states: Sequence[State] | None = None) -> Sql:
    """Two-valued: a restriction exists for the person (CONTRACTS.md, *Who is covered*), population aside."""
    return all_of([clock(rule), settle(covered_truth(rule.rule, states), rule)])


POPULATION = "p.status <> 'departed'"


def waived(directive_id: int, item_id: int, *, pairs: str = "w.pairs") -> Sql:
    """Whether a waiver in force answers the directive for the model capability; ``pairs`` is the column with those of a person."""
    return Sql(f"coalesce(%s = ANY({pairs}), FALSE)", (f"{directive_id}/{item_id}",))


def granted(item_id: int, *, person: str = "g.items", organisation: str = GRANTS_OF_ORGANISATION) -> Sql:
    """Whether a grant in force, to the person or the organisation, has the model capability."""
    text = f"(coalesce(%s = ANY({person}), FALSE) OR coalesce(%s = ANY({organisation}), FALSE))"
    return Sql(text, (item_id, item_id))


def permitted(policy: Policy, item: ModelCapability) -> Sql:
    """Two-valued: the person may use the model capability. Needs ``from_people(permissions=True)``."""
    if not item.enabled:
        return FALSE
    admitted = any_of([Sql("(") + audience_truth(item.audience) + Sql(") IS TRUE"), granted(item.id)])
    kept = [
        Sql("NOT (") + restricted(rule) + Sql(" AND NOT ") + waived(rule.directive_id, item.id) + Sql(")")
        for rule in policy.directives_on.get(item.id, ())
        if rule.effect == "deny"
    ]
    return all_of([admitted, *kept])


def rules_on(policy: Policy, item: ModelCapability) -> list[CompiledRule]:
    """The rules that decide on one model capability."""
    audience = [item.audience.rule] if item.audience else []
    return audience + [rule.rule for rule in policy.directives_on.get(item.id, ())]


def rules_of(policy: Policy) -> list[CompiledRule]:
    audiences = [item.audience.rule for item in policy.model_capabilities.values() if item.audience]
    return audiences + [rule.rule for rule in policy.directives]


def from_people(*, organisation: bool, permissions: bool = False) -> str:
    """Everybody, with what rules about them read; ``permissions`` brings waivers and grants in force."""
    return f"people_person p\n{joins(organisation=organisation, permissions=permissions)}"


def on_one_epoch(build: Callable[[Policy], Sql], source: Source = DJANGO) -> tuple[Policy, list[tuple[Any, ...]]]:
    """Run SQL compiled from the policy and make sure that policy was in force in the statement's snapshot.

    ``build`` returns a SELECT whose first column is ``(SELECT value FROM enforcement_policyepoch)``; it must return at
    least one row. Raises ``CannotDecide`` if the policy keeps changing.
    """
    stale: int | None = None
    for _ in tries(source):
        policy = policies.current(other_than=stale, source=source)
        statement = build(policy)
        rows = source.rows(statement.text, statement.params)
        if rows and rows[0][0] == policy.epoch:
            return policy, rows
        stale = policy.epoch
    raise CannotDecide("the policy kept changing")


def who_can_use(model: str, capability: str) -> list[str] | None:
    """The ids of everybody for whom ``decide`` permits, sorted; None for a model capability that does not exist.

    One compiled statement, nobody visited one by one.
    """

    def build(policy: Policy) -> Sql:
        item = policy.model_capabilities.get((model, capability))
        where = permitted(policy, item) if item else FALSE
        return (
            Sql(
                "SELECT (SELECT value FROM enforcement_policyepoch), array_agg(p.id ORDER BY p.id) FROM "
                + from_people(organisation=True, permissions=True)
                + "\nWHERE "
            )
            + where
        )

    policy, rows = on_one_epoch(build)
    if (model, capability) not in policy.model_capabilities:
        return None
    return list(rows[0][1] or ())
