"""Which staged changes of people would loosen: turn any decision from deny to permit.

What a person would be permitted afterwards is compared with what the strictest of the states that count permits now, for every
model capability at once, in SQL over the staged rows. Organisations are judged first, with people as they are on record; then
people, with organisations as they will be. Afterwards only states that are certain to remain are looked at: a state that
another row of the same file might yet replace vouches for nothing, so rows that are harmless each alone wait when they are not
together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import connection

from governance.enforcement.policy import ModelCapability, Policy
from governance.enforcement.population import (
    Sql,
    all_of,
    any_of,
    audience_truth,
    clock,
    covered_truth,
    granted,
    settle,
    waived,
)
from governance.enforcement.states_of_person import GRANTS_BY, WITH_ORGANISATION, State, joins, state

# One organisation's change, ``so``. Its people have it now (``p``) or in a held state (``h``). A held state that the file
# restates (``n``) is judged with the person's row; an organisation that the file restates too (``sp``) is not certain.
# Guards are true or false, never unknown: an unknown one would make a permission unknown.
_ITS_OWN = "p.org_id IS NOT DISTINCT FROM so.id"
_ELSEWHERE = "p.org_id IS DISTINCT FROM so.id AND sp.id IS NULL"
_HELD_HERE = "h.org_id IS NOT DISTINCT FROM so.id AND n.id IS NULL"
_ORGANISATION_PROPOSED = (
    State(_ITS_OWN, state("p", "so")),
    State(_HELD_HERE, state("h", "so")),
    State(_ELSEWHERE, state("p", "o")),
    State(f"{_ELSEWHERE} AND ho.organisation_id IS NOT NULL", state("p", "ho", org_id="ho.organisation_id")),
)
_ORGANISATION_HELD = (
    *_ORGANISATION_PROPOSED,
    State(_ITS_OWN, state("p", "o")),
    State(_HELD_HERE, state("h", "hpo")),
)


def _settled(person: str, *, present: str, held: str, staged: str, waits: str) -> tuple[State, ...]:
    """A person's states once the organisations of the file are merged: each has its old attributes, the new ones, or both."""
    return (
        State(f"({staged}.id IS NULL OR {waits}.id IS NOT NULL)", state(person, present, person_id="p.id")),
        State(
            f"{staged}.id IS NOT NULL AND {waits}.keep IS NOT TRUE",
            state(person, staged, person_id="p.id"),
        ),
        State(
            f"{held}.organisation_id IS NOT NULL AND ({staged}.id IS NULL OR {waits}.keep IS TRUE)",
            state(person, held, person_id="p.id", org_id=f"{held}.organisation_id"),
        ),
    )


_PERSON_PROPOSED = _settled("n", present="no", held="nho", staged="sn", waits="kn")
_PERSON_HELD = (*_settled("p", present="o", held="ho", staged="sp", waits="kp"), *_PERSON_PROPOSED)


def permits(policy: Policy, item: ModelCapability, states: Sequence[State], *, grants: Sql) -> Sql:
    admitted = any_of([Sql("(") + audience_truth(item.audience, states) + Sql(") IS TRUE"), grants])
    kept = [
        Sql("NOT (")
        + all_of([clock(rule), settle(covered_truth(rule.rule, states), rule)])
        + Sql(" AND NOT ")
        + waived(rule.directive_id, item.id)
        + Sql(")")
        for rule in policy.directives_on.get(item.id, ())
        if rule.effect == "deny"
    ]
    return all_of([admitted, *kept])


def _loosens(policy: Policy, afterwards: Sequence[State], *, new_grants: bool) -> Sql:
    """Any decision that the strictest present state denies and the states ``afterwards`` permit.

    ``new_grants``: status and organisation may change, so the grants of the staged row count instead of the present ones.
    """
    turns = []
    for item in _distinct(policy):
        before = permits(policy, item, WITH_ORGANISATION, grants=granted(item.id))
        grants = _granted_afterwards(item.id) if new_grants else granted(item.id)
        after = permits(policy, item, afterwards, grants=grants)
        turns.append(all_of([after, Sql("NOT ") + before]))
    return any_of(turns)


def _granted_afterwards(item_id: int) -> Sql:
    return Sql("(n.status <> 'departed' AND ") + granted(item_id, person="pg.items", organisation="gn.items") + Sql(")")


def _distinct(policy: Policy) -> Iterable[ModelCapability]:
    """Enabled model capabilities; all of them, since waivers and grants name each on its own."""
    return [item for item in policy.model_capabilities.values() if item.enabled]


def hold_what_loosens(policy: Policy) -> None:
    """Fill ``stage_held_organisation`` and ``stage_held_person`` with the ids of the rows that have to wait."""
    _run(_held_organisations(policy))
    _run(_held_people(policy))


# Rows whose attributes are as on record take a held state back; that may loosen like any other change.
_ORGANISATIONS_CHANGED = """ FROM stage_organisation so
  JOIN people_organisation old ON old.id = so.id
   AND ((old.type, old.country, old.vetting_status, old.vetting_expires)
        IS DISTINCT FROM (so.type, so.country, so.vetting_status, so.vetting_expires)
        OR EXISTS (SELECT 1 FROM people_heldorganisation w WHERE w.organisation_id = so.id))
  JOIN LATERAL (SELECT id FROM people_person WHERE org_id = so.id
                 UNION SELECT person_id FROM people_heldperson WHERE org_id = so.id) its ON TRUE
  JOIN people_person p ON p.id = its.id
"""


def _held_organisations(policy: Policy) -> Sql:
    """An organisation waits if its change would loosen for any of the people it has, now or in a held state."""
    return (
        Sql(
            "INSERT INTO stage_held_organisation SELECT so.id, bool_or("
            "EXISTS (SELECT 1 FROM people_heldorganisation w WHERE w.organisation_id = so.id) AND "
        )
        + _loosens(policy, _ORGANISATION_HELD, new_grants=False)
        + Sql(
            f"){_ORGANISATIONS_CHANGED}{joins(organisation=True, permissions=True)}\n"
            "LEFT JOIN stage_organisation sp ON sp.id = p.org_id\n"
            "LEFT JOIN stage_person n ON n.id = p.id\nWHERE "
        )
        + _loosens(policy, _ORGANISATION_PROPOSED, new_grants=False)
        + Sql(" GROUP BY so.id")
    )


def _organisation_of(person: str, *, staged: str, waits: str) -> str:
    return (
        f"LEFT JOIN stage_organisation {staged} ON {staged}.id = {person}.org_id\n"
        f"LEFT JOIN stage_held_organisation {waits} ON {waits}.id = {person}.org_id\n"
    )


def _held_people(policy: Policy) -> Sql:
    """A person's row waits if it would loosen, with organisations as they will be once those not held are merged.

    Where a state is held already and the new one in its place would loosen as well, the earlier one is kept.
    """
    return (
        Sql("INSERT INTO stage_held_person SELECT n.id, h.person_id IS NOT NULL AND ")
        + _loosens(policy, _PERSON_HELD, new_grants=True)
        + Sql(
            " FROM stage_person n JOIN people_person p ON p.id = n.id\n"
            f"{joins(organisation=True, permissions=True)}\n"
            + _organisation_of("p", staged="sp", waits="kp")
            + "LEFT JOIN people_organisation no ON no.id = n.org_id\n"
            "LEFT JOIN people_heldorganisation nho ON nho.organisation_id = n.org_id\n"
            + _organisation_of("n", staged="sn", waits="kn")
            + f"LEFT JOIN ({GRANTS_BY.format('person_id')}) pg ON pg.person_id = n.id\n"
            f"LEFT JOIN ({GRANTS_BY.format('organisation_id')}) gn ON gn.organisation_id = n.org_id\nWHERE "
        )
        + _loosens(policy, _PERSON_PROPOSED, new_grants=True)
    )


def _run(statement: Sql) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.params)
