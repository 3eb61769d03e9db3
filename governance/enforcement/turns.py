"""Which decisions turn between one policy and another, over everybody: what a change of the catalog opens and closes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from governance.enforcement import policy as policies
from governance.enforcement.held import Effect
from governance.enforcement.policy import CannotDecide, Policy, Raw
from governance.enforcement.population import FALSE, Sql, from_people, join_sql, permitted
from governance.enforcement.sources import DJANGO, tries

NOTHING = Effect()


@dataclass(frozen=True)
class Turns:
    """``opened``: decisions from deny to permit, ``closed``: from permit to deny; ``to`` has the e-mail addresses of those, among
    the ones asked about, for whom one is opened."""

    opened: Effect = NOTHING
    closed: Effect = NOTHING
    to: frozenset[str] = frozenset()


Pair = tuple[Policy, Policy]


def between(ask: Callable[[Raw], Sequence[Pair]], addresses: Collection[str] = ()) -> list[Turns]:
    """For each pair of policies that ``ask`` makes of the present rows, what turns from the first to the second. One statement.

    Raises ``CannotDecide`` if the policy keeps changing.
    """
    for _ in tries(DJANGO):
        raw = policies.read()
        pairs = ask(raw)
        if not pairs:
            return []
        statement = _statement(pairs, sorted(addresses))
        epoch, *columns = DJANGO.rows(statement.text, statement.params)[0]
        if epoch == raw.epoch:
            each = [columns[at : at + _WIDTH] for at in range(0, len(columns), _WIDTH)]
            return [Turns(Effect(*found[:2]), Effect(*found[2:4]), frozenset(found[4] or ())) for found in each]
    raise CannotDecide("the policy kept changing")


_WIDTH = 5


def _statement(pairs: Sequence[Pair], addresses: list[str]) -> Sql:
    figures, columns = [], []
    for at, (before, after) in enumerate(pairs):
        figures.append(_turned(before, after) + Sql(f" AS u{at}, ") + _turned(after, before) + Sql(f" AS d{at}"))
        for name in (f"u{at}", f"d{at}"):
            columns.append(Sql(f"coalesce(sum({name}), 0)::bigint, count(*) FILTER (WHERE {name} > 0)"))
        columns.append(Sql(f"array_agg(address) FILTER (WHERE u{at} > 0 AND address = ANY(%s))", (addresses,)))
    return (
        Sql("SELECT (SELECT value FROM enforcement_policyepoch), ")
        + join_sql(columns, ", ")
        + Sql(" FROM (SELECT lower(p.email) AS address, ")
        + join_sql(figures, ", ")
        + Sql(f"\nFROM {from_people(organisation=True, permissions=True)}) each_person")
    )


def _turned(before: Policy, after: Policy) -> Sql:
    """How many decisions about a person the policy ``after`` permits and ``before`` denies."""
    turned = []
    for key, item in after.model_capabilities.items():
        former = before.model_capabilities.get(key)
        if not item.enabled or (former is not None and _same(before, after, key)):
            continue
        denied = Sql("NOT ") + (permitted(before, former) if former else FALSE)
        turned.append(Sql("(") + permitted(after, item) + Sql(" AND ") + denied + Sql(")::int"))
    return Sql("(") + (join_sql(turned, " + ") if turned else Sql("0")) + Sql(")")


def _same(before: Policy, after: Policy, key: tuple[str, str]) -> bool:
    """Whether nothing that a decision on the model capability looks at differs."""
    one, other = before.model_capabilities[key], after.model_capabilities[key]
    return (
        one.enabled == other.enabled
        and (one.audience and one.audience.rule.tree) == (other.audience and other.audience.rule.tree)
        and {rule.directive_id for rule in before.directives_on.get(one.id, ())}
        == {rule.directive_id for rule in after.directives_on.get(other.id, ())}
    )
