"""Searches for the decision API: whom, and on what, ``decide`` would permit. One compiled statement each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from governance.enforcement.policy import ModelCapability, Policy
from governance.enforcement.population import (
    FALSE,
    Sql,
    from_people,
    join_sql,
    on_one_epoch,
    permitted,
    reads_organisation,
    rules_on,
)
from governance.enforcement.sources import DJANGO, Source

_EPOCH = "(SELECT value FROM enforcement_policyepoch)"


@dataclass(frozen=True)
class Found:
    """A page of ids in their order, of one snapshot; ``more``: there are others after the last."""

    policy: Policy
    ids: list[str]
    more: bool


def people_permitted(model: str, capability: str, *, after: str, limit: int, source: Source = DJANGO) -> Found:
    """The ids after ``after`` of at most ``limit`` people who may use the model capability; nobody on one that is not known."""

    def build(policy: Policy) -> Sql:
        item = policy.model_capabilities.get((model, capability))
        where = permitted(policy, item) if item else FALSE
        organisation = reads_organisation(rules_on(policy, item)) if item else False
        page = (
            Sql(
                f"SELECT p.id FROM {from_people(organisation=organisation, permissions=True)}\nWHERE p.id > %s AND ",
                (after,),
            )
            + where
            + Sql(" ORDER BY p.id LIMIT %s", (limit + 1,))
        )
        return Sql(f"SELECT {_EPOCH}, ARRAY(") + page + Sql(")")

    policy, rows = on_one_epoch(build, source=source)
    ids = rows[0][1]
    return Found(policy, ids[:limit], len(ids) > limit)


def model_capabilities_permitted(
    person_id: str, choose: Callable[[ModelCapability], bool], source: Source = DJANGO
) -> tuple[Policy, list[ModelCapability]]:
    """The chosen model capabilities that the person may use, and the policy that said so."""

    def build(policy: Policy) -> Sql:
        parts = [
            Sql("CASE WHEN ") + permitted(policy, item) + Sql(" THEN %s::bigint END", (item.id,))
            for item in policy.by_id.values()
            if choose(item)
        ]
        answer = Sql("ARRAY[") + join_sql(parts, ", ") + Sql("]::bigint[]")
        person = Sql(f" FROM {from_people(organisation=True, permissions=True)}\nWHERE p.id = %s", (person_id,))
        return Sql(f"SELECT {_EPOCH}, (SELECT ") + answer + person + Sql(")")

    policy, rows = on_one_epoch(build, source=source)
    return policy, [policy.by_id[item] for item in rows[0][1] or () if item is not None]
