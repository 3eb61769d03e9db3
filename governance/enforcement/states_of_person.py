"""The states of a person that count: the one on record, and those that wait for a second person's confirmation.

While directives are in force, a change that would loosen is *held* (DESIGN.md, *No loosening sideways*): the proposed state
lies beside the present one and decisions take the stricter of both. Permission is ``audience and not covered``, so
the stricter of several states is the Kleene AND of the audience and the Kleene OR of each directive's rule over all
of them. This module names those states in SQL, for one person and for everybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from governance.rules import sql as rule_sql
from governance.rules.closures import SLOTS


@dataclass(frozen=True)
class State:
    """One state in SQL: ``guard`` is true where a person has it (``None``: everybody has), ``columns`` are its attributes."""

    guard: str | None
    columns: dict[str, str]


def _columns(person: str, organisation: str, *, person_id: str = "p.id", org_id: str) -> dict[str, str]:
    columns = dict(rule_sql.person_columns(person, organisation))
    columns["person.id"] = person_id
    columns["org.id"] = org_id
    return columns


def state(person: str, organisation: str, *, person_id: str = "p.id", org_id: str | None = None) -> dict[str, str]:
    """The attribute columns of table alias ``person`` with its organisation's alias."""
    return _columns(person, organisation, person_id=person_id, org_id=org_id or f"{organisation}.id")


PRESENT = State(None, state("p", "o"))
HELD_PERSON = State("h.person_id IS NOT NULL", state("h", "hpo"))
HELD_ORGANISATION = State("ho.organisation_id IS NOT NULL", state("p", "ho", org_id="ho.organisation_id"))
HELD_BOTH = State(
    "h.person_id IS NOT NULL AND hpho.organisation_id IS NOT NULL",
    state("h", "hpho", org_id="hpho.organisation_id"),
)
WITHOUT_ORGANISATION: Sequence[State] = (PRESENT, HELD_PERSON)
WITH_ORGANISATION: Sequence[State] = (PRESENT, HELD_PERSON, HELD_ORGANISATION, HELD_BOTH)

# Whatever was ended stays ended, whatever the clock says: ``ended_at`` is set when it is, and never to a time to come.
_IN_FORCE = "{0}.starts_at <= statement_timestamp() AND {0}.ends_at > statement_timestamp() AND {0}.ended_at IS NULL"
_WAIVERS = f"""(SELECT w.person_id, array_agg(w.directive_id || '/' || c.model_capability_id) AS pairs
       FROM waivers_waiver w JOIN waivers_waivercapability c ON c.waiver_id = w.id
      WHERE {_IN_FORCE.format("w")} GROUP BY w.person_id)"""
GRANTS_BY = f"""SELECT g.{{0}}, array_agg(g.model_capability_id) AS items FROM waivers_grant g
      WHERE g.{{0}} IS NOT NULL AND {_IN_FORCE.format("g")} GROUP BY g.{{0}}"""
"""The grants in force by ``person_id`` or ``organisation_id``, whatever the state of those they are for."""

# Whoever has left, on record or in a held state, is permitted nothing by a grant (docs/decisions/0009).
_GRANTS_OF_PEOPLE = f"""(SELECT granted.* FROM ({GRANTS_BY.format("person_id")}) granted
      WHERE NOT EXISTS (SELECT 1 FROM people_person gp WHERE gp.id = granted.person_id AND gp.status = 'departed')
        AND NOT EXISTS (SELECT 1 FROM people_heldperson gh
                         WHERE gh.person_id = granted.person_id AND gh.status = 'departed'))"""


def joins(*, organisation: bool, permissions: bool = False) -> str:
    """What a question about people ``p`` joins: organisations where a rule reads them, held states always, and with
    ``permissions`` the waivers (``w.pairs``) and grants (``g.items``, ``go.items``) in force.

    Few people have a held state, a waiver or a grant. They are put together first and joined once, so that everybody else
    costs one look into a small hash table instead of five.
    """
    of_organisation = "people_organisation o LEFT JOIN people_heldorganisation ho ON ho.organisation_id = o.id"
    few = ["SELECT person_id FROM people_heldperson"]
    of_few = ["LEFT JOIN people_heldperson h ON h.person_id = few.person_id"]
    grants = f"LEFT JOIN ({GRANTS_BY.format('organisation_id')}) go ON go.organisation_id ="
    if organisation:
        of_few.append("LEFT JOIN people_organisation hpo ON hpo.id = h.org_id")
        of_few.append("LEFT JOIN people_heldorganisation hpho ON hpho.organisation_id = h.org_id")
    if permissions:
        few.append("SELECT person_id FROM waivers_waiver")
        few.append("SELECT person_id FROM waivers_grant WHERE person_id IS NOT NULL")
        of_few.append(f"LEFT JOIN {_WAIVERS} w ON w.person_id = few.person_id")
        of_few.append(f"LEFT JOIN {_GRANTS_OF_PEOPLE} g ON g.person_id = few.person_id")
        of_organisation += f" {grants} o.id"
    joined = f"LEFT JOIN (({' UNION '.join(few)}) few {' '.join(of_few)}) ON few.person_id = p.id"
    if organisation:
        return f"LEFT JOIN ({of_organisation}) ON o.id = p.org_id\n{joined}"
    return f"{grants} p.org_id\n{joined}" if permissions else joined


GRANTS_OF_ORGANISATION = (
    "CASE WHEN p.status <> 'departed' AND (h.person_id IS NULL"
    " OR (h.status <> 'departed' AND h.org_id IS NOT DISTINCT FROM p.org_id)) THEN go.items END"
)
"""The grants of a person's organisation; none to whoever has left, or while a move to another one is held."""


def _values(columns: dict[str, str]) -> str:
    return ", ".join(columns[name] for name in SLOTS)


FACTS = _values(PRESENT.columns)
"""The present state's attribute values in the order of ``SLOTS``."""

STATES_JSON = f"""(
    SELECT json_agg(held.state) FROM (
        SELECT json_build_array({_values(HELD_PERSON.columns)}) AS state
          FROM people_heldperson h LEFT JOIN people_organisation hpo ON hpo.id = h.org_id WHERE h.person_id = p.id
        UNION ALL
        SELECT json_build_array({_values(HELD_ORGANISATION.columns)})
          FROM people_heldorganisation ho WHERE ho.organisation_id = p.org_id
        UNION ALL
        SELECT json_build_array({_values(HELD_BOTH.columns)})
          FROM people_heldperson h JOIN people_heldorganisation hpho ON hpho.organisation_id = h.org_id
         WHERE h.person_id = p.id
    ) held)"""
"""One person's held states as JSON arrays in the order of ``SLOTS``; NULL when there is none."""
