"""Which staged changes of people would loosen: turn any decision from deny to permit.

The proposed state is compared with the strictest of the states that count now, for every model capability at once, in SQL over
the staged rows alone. Organisations are judged first: a change of one loosens if it does for any of its people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import connection

from governance.enforcement.policy import ModelCapability, Policy
from governance.enforcement.population import (
    FALSE,
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
from governance.enforcement.states_of_person import (
    HELD_ORGANISATION,
    HELD_PERSON,
    PRESENT,
    WITH_ORGANISATION,
    State,
    joins,
    state,
)

_STAGED_PERSON = State(None, state("n", "no", person_id="p.id"))
_STAGED_PERSON_NEW_ORGANISATION = State("so.id IS NOT NULL", state("n", "so", person_id="p.id"))


def _permits(policy: Policy, item: ModelCapability, states: Sequence[State], *, grants: Sql) -> Sql:
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


def _loosens(policy: Policy, proposed: Sequence[State], *, moves: bool) -> Sql:
    """Any decision that the strictest present state denies and the proposed one permits.

    ``moves``: the organisation may change, so a grant to the new one counts as permission too.
    """
    turns = []
    for item in _distinct(policy):
        before = _permits(policy, item, WITH_ORGANISATION, grants=granted(item.id))
        new_grant = Sql("coalesce(%s = ANY(gn.items), FALSE)", (item.id,)) if moves else FALSE
        after = _permits(policy, item, proposed, grants=any_of([granted(item.id), new_grant]))
        turns.append(all_of([after, Sql("NOT ") + before]))
    return any_of(turns)


def _distinct(policy: Policy) -> Iterable[ModelCapability]:
    """Enabled model capabilities; all of them, since waivers and grants name each on its own."""
    return [item for item in policy.model_capabilities.values() if item.enabled]


def hold_what_loosens(policy: Policy) -> None:
    """Fill ``stage_held_organisation`` and ``stage_held_person`` with the ids of the rows that have to wait."""
    _run(_held_organisations(policy))
    _run(_held_people(policy))


def _held_organisations(policy: Policy) -> Sql:
    """An organisation waits if its change would loosen for any of its people as they are on record."""
    proposed = [
        State(None, state("p", "so")),
        State("h.person_id IS NOT NULL AND h.org_id IS NOT DISTINCT FROM p.org_id", state("h", "so")),
    ]
    replaced = [PRESENT, HELD_PERSON, *proposed]
    return (
        Sql("INSERT INTO stage_held_organisation SELECT so.id, bool_or(ho.organisation_id IS NOT NULL AND ")
        + _loosens(policy, replaced, moves=False)
        + Sql(
            ") FROM stage_organisation so"
            " JOIN people_organisation old ON old.id = so.id"
            " AND (old.type, old.country, old.vetting_status, old.vetting_expires)"
            " IS DISTINCT FROM (so.type, so.country, so.vetting_status, so.vetting_expires)"
            f" JOIN people_person p ON p.org_id = so.id\n{joins(organisation=True, permissions=True)}\nWHERE "
        )
        + _loosens(policy, proposed, moves=False)
        + Sql(" GROUP BY so.id")
    )


def _held_people(policy: Policy) -> Sql:
    """A person's row waits if it would loosen, with the organisation as it is on record or as proposed and not held.

    Where a state is held already and the new one in its place would loosen as well, the earlier one is kept.
    """
    proposed = [_STAGED_PERSON, _STAGED_PERSON_NEW_ORGANISATION]
    replaced = [PRESENT, HELD_ORGANISATION, *proposed]
    return (
        Sql("INSERT INTO stage_held_person SELECT n.id, h.person_id IS NOT NULL AND ")
        + _loosens(policy, replaced, moves=True)
        + Sql(
            " FROM stage_person n JOIN people_person p ON p.id = n.id\n"
            f"{joins(organisation=True, permissions=True)}\n"
            "LEFT JOIN people_organisation no ON no.id = n.org_id\n"
            "LEFT JOIN stage_organisation so ON so.id = n.org_id"
            " AND NOT EXISTS (SELECT 1 FROM stage_held_organisation k WHERE k.id = so.id)\n"
            "LEFT JOIN (SELECT g.organisation_id, array_agg(g.model_capability_id) AS items FROM waivers_grant g"
            " WHERE g.organisation_id IS NOT NULL AND g.starts_at <= statement_timestamp()"
            " AND g.ends_at > statement_timestamp() AND g.ended_at IS NULL GROUP BY g.organisation_id) gn"
            " ON gn.organisation_id = n.org_id\nWHERE "
        )
        + _loosens(policy, proposed, moves=True)
    )


def _run(statement: Sql) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.params)
