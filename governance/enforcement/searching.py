"""Searches for the decision API: whom, and on what, ``decide`` would permit. One compiled statement each."""

from __future__ import annotations

import json
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
    """A page of ids in their order, of one snapshot; ``more``: there are others after the last.

    ``written`` is the page as a JSON array, as PostgreSQL writes it: to read thousands of ids and write them again would cost
    a caller more than the search.
    """

    policy: Policy
    written: str
    count: int
    last: str
    more: bool

    @property
    def ids(self) -> list[str]:
        ids: list[str] = json.loads(self.written)
        return ids


def people_permitted(model: str, capability: str, *, after: str, limit: int, source: Source = DJANGO) -> Found:
    """The ids after ``after`` of at most ``limit`` people who may use the model capability; nobody on one that is not known."""

    def build(policy: Policy) -> Sql:
        item = policy.model_capabilities.get((model, capability))
        found = policy.searches.get(item.id if item else 0)
        if found is None:
            found = policy.searches[item.id if item else 0] = _search(policy, item)
        return Sql(found.text, (after, *found.params, limit + 1))

    policy, rows = on_one_epoch(build, source=source)
    return _page(policy, rows[0][1] or "[]", limit)


BETWEEN = '", "'
"""What stands between two ids, and nowhere else in an array without a backslash: a quotation mark in an id has one before it."""


def _page(policy: Policy, written: str, limit: int) -> Found:
    """A page of what was found; one more than ``limit`` was asked for, to know whether there are others."""
    if "\\" in written or limit == 0 or written == "[]":
        ids = json.loads(written)
        kept = ids[:limit]
        return Found(policy, json.dumps(kept), len(kept), kept[-1] if kept else "", len(ids) > limit)
    count = written.count(BETWEEN) + 1
    more = count > limit
    if more:
        written, count = written[: written.rindex(BETWEEN)] + '"]', count - 1
    return Found(policy, written, count, written[written.rindex('"', 0, -2) + 1 : -2], more)


def _search(policy: Policy, item: ModelCapability | None) -> Sql:
    """The statement of a page, but for its first and last parameter: the id before it, and how many people."""
    where = permitted(policy, item) if item else FALSE
    organisation = reads_organisation(rules_on(policy, item)) if item else False
    people = from_people(organisation=organisation, permissions=True)
    # As JSON: an array of a thousand texts takes PostgreSQL and psycopg longer to write and read than to find.
    return (
        Sql(f"SELECT {_EPOCH}, (SELECT json_agg(page.id ORDER BY page.id)::text FROM (SELECT p.id FROM {people}\n")
        + Sql("WHERE p.id > %s AND ")
        + where
        + Sql(" ORDER BY p.id LIMIT %s) page)")
    )


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
