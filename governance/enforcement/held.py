"""Held changes as a second person judges them: what would change, and what confirming or refusing would open.

Both can open something: while a state is held, decisions take the stricter of it and the present one, so dropping it may turn a
decision to permit as well as putting it in force.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import QuerySet

from governance.enforcement.loosening import permits
from governance.enforcement.policy import Policy
from governance.enforcement.population import Sql, granted, join_sql, on_one_epoch
from governance.enforcement.states_of_person import (
    GRANTS_BY,
    HELD_BOTH,
    HELD_ORGANISATION,
    PRESENT,
    WITH_ORGANISATION,
    State,
    joins,
    state,
)
from governance.people.models import HeldOrganisation, HeldPerson, HeldWhat
from governance.rules.attributes import ATTRIBUTES


@dataclass(frozen=True)
class Effect:
    """How many decisions would turn from deny to permit, of how many people."""

    decisions: int = 0
    people: int = 0


@dataclass(frozen=True)
class Effects:
    confirmed: Effect = Effect()
    refused: Effect = Effect()


_AFTERWARDS = "({0}.status <> 'departed' AND {1})"
_PERSON_CONFIRMED = (
    State(None, state("h", "hpo")),
    State("hpho.organisation_id IS NOT NULL", HELD_BOTH.columns),
)
_PERSON_REFUSED = (PRESENT, HELD_ORGANISATION)
_HERE, _ELSEWHERE = "{0}.org_id IS NOT DISTINCT FROM x.organisation_id", "{0}.org_id IS DISTINCT FROM x.organisation_id"
_HELD = "h.person_id IS NOT NULL AND "
_OTHERS = (
    State(_ELSEWHERE.format("p"), state("p", "o")),
    State(_ELSEWHERE.format("p") + " AND ho.organisation_id IS NOT NULL", HELD_ORGANISATION.columns),
    State(_HELD + _ELSEWHERE.format("h"), state("h", "hpo")),
    State(_HELD + _ELSEWHERE.format("h") + " AND hpho.organisation_id IS NOT NULL", HELD_BOTH.columns),
)
_ORGANISATION_CONFIRMED = (
    State(_HERE.format("p"), state("p", "x", org_id="x.organisation_id")),
    State(_HELD + _HERE.format("h"), state("h", "x", org_id="x.organisation_id")),
    *_OTHERS,
)
_ORGANISATION_REFUSED = (
    State(_HERE.format("p"), state("p", "o")),
    State(_HELD + _HERE.format("h"), state("h", "hpo")),
    *_OTHERS,
)
_PEOPLE_OF = """people_heldorganisation x
  JOIN LATERAL (SELECT id FROM people_person WHERE org_id = x.organisation_id
                 UNION SELECT person_id FROM people_heldperson WHERE org_id = x.organisation_id) its ON TRUE
  JOIN people_person p ON p.id = its.id
"""
_GRANTS = (
    f"\nLEFT JOIN ({GRANTS_BY.format('person_id')}) pg ON pg.person_id = p.id"
    f"\nLEFT JOIN ({GRANTS_BY.format('organisation_id')}) gh ON gh.organisation_id = h.org_id"
)


def of_people(keys: Sequence[str]) -> dict[str, Effects]:
    """What each of these held people would open, by person id. One statement."""

    def turned(policy: Policy) -> tuple[Sql, Sql]:
        return (
            _turned(policy, _PERSON_CONFIRMED, person="h", organisation="gh.items"),
            _turned(policy, _PERSON_REFUSED, person="p", organisation="go.items"),
        )

    source = f"people_person p\n{joins(organisation=True, permissions=True)}{_GRANTS}"
    return _effects(keys, turned, "h.person_id", source)


def of_organisations(keys: Sequence[str]) -> dict[str, Effects]:
    """What each of these held organisations would open for the people it has, by organisation id. One statement."""

    def turned(policy: Policy) -> tuple[Sql, Sql]:
        return _turned(policy, _ORGANISATION_CONFIRMED), _turned(policy, _ORGANISATION_REFUSED)

    source = f"{_PEOPLE_OF}{joins(organisation=True, permissions=True)}"
    return _effects(keys, turned, "x.organisation_id", source)


def _turned(policy: Policy, after: Sequence[State], *, person: str = "", organisation: str = "") -> Sql:
    """How many decisions about a person turn from deny to permit once ``after`` are the states that count.

    ``person`` and ``organisation`` say whose status and whose grants count then; as now, where they are not given.
    """
    turns = []
    for item in policy.model_capabilities.values():
        if not item.enabled:
            continue
        grants = granted(item.id)
        if person:
            given = granted(item.id, person="pg.items", organisation=organisation)
            grants = Sql(_AFTERWARDS.format(person, given.text), given.params)
        now = permits(policy, item, WITH_ORGANISATION, grants=granted(item.id))
        turns.append(Sql("(") + permits(policy, item, after, grants=grants) + Sql(" AND NOT ") + now + Sql(")::int"))
    return Sql("(") + (join_sql(turns, "\n + ") if turns else Sql("0")) + Sql(")")


def _effects(keys: Sequence[str], turned: Any, key: str, source: str) -> dict[str, Effects]:
    def build(policy: Policy) -> Sql:
        confirmed, refused = turned(policy)
        return (
            Sql(
                "SELECT (SELECT value FROM enforcement_policyepoch), e.* FROM (VALUES (1)) one LEFT JOIN ("
                "SELECT key, sum(yes), count(*) FILTER (WHERE yes > 0), sum(no), count(*) FILTER (WHERE no > 0) FROM ("
                f"SELECT {key} AS key, "
            )
            + confirmed
            + Sql(" AS yes, ")
            + refused
            + Sql(f" AS no FROM {source}\nWHERE {key} = ANY(%s)) each_person GROUP BY key) e ON TRUE", (list(keys),))
        )

    _, rows = on_one_epoch(build)
    found = {
        row[1]: Effects(Effect(int(row[2]), int(row[3])), Effect(int(row[4]), int(row[5]))) for row in rows if row[1]
    }
    return {key: found.get(key, Effects()) for key in keys}


# -- what would change -------------------------------------------------------------------------------------------------

_SENSITIVE = {name.partition(".")[2] for name, attribute in ATTRIBUTES.items() if attribute.sensitive}
_PERSON = (
    "kind", "status", "given_name", "family_name", "email", "department", "title", "citizenships",
    "permanent_residences", "protected_status", "residence_country", "location_country", "start_date", "organisation",
    "manager",
)  # fmt: skip
_ORGANISATION = ("name", "type", "country", "vetting_status", "vetting_expires", "parent")


@dataclass(frozen=True)
class Difference:
    """One attribute; of a sensitive one only that it differs."""

    label: str
    hidden: bool
    before: str = ""
    after: str = ""


def differences(held: HeldPerson | HeldOrganisation) -> list[Difference]:
    """What a held state would change, without any sensitive value."""
    person = isinstance(held, HeldPerson)
    present = held.person if isinstance(held, HeldPerson) else held.organisation
    found = []
    for name in _PERSON if person else _ORGANISATION:
        before, after = getattr(present, name), getattr(held, name)
        if before == after:
            continue
        label = name.replace("_", " ").capitalize()
        hidden = person and name in _SENSITIVE
        found.append(Difference(label, hidden) if hidden else Difference(label, False, _shown(before), _shown(after)))
    return found


def _shown(value: Any) -> str:
    return "–" if value is None or value == "" else str(value)


# -- as JSON -----------------------------------------------------------------------------------------------------------

_TABLES: tuple[tuple[HeldWhat, Any, tuple[str, ...]], ...] = (
    (HeldWhat.PERSON, HeldPerson, ("person__organisation", "person__manager", "organisation", "manager")),
    (HeldWhat.ORGANISATION, HeldOrganisation, ("organisation__parent", "parent")),
)


def rows_of(what: HeldWhat) -> QuerySet[Any]:
    """The held changes of a sort by their id, with what their differences are read from."""
    _, model, related = next(each for each in _TABLES if each[0] == what)
    found: QuerySet[Any] = model.objects.select_related(*related).order_by("pk")
    return found


def as_json(what: HeldWhat, rows: Sequence[HeldPerson | HeldOrganisation]) -> list[dict[str, Any]]:
    """Held changes for programs and commands, with the effect of each and without any sensitive value."""
    effects = (of_people if what == HeldWhat.PERSON else of_organisations)([row.pk for row in rows])
    return [
        {
            "id": row.pk,
            "proposed_by": row.proposed_by,
            "proposed_at": row.proposed_at.isoformat(),
            "differences": [asdict(one) for one in differences(row)],
            "if_confirmed": asdict(effects[row.pk].confirmed),
            "if_refused": asdict(effects[row.pk].refused),
        }
        for row in rows
    ]


def everything(most: int = 500) -> list[dict[str, Any]]:
    """Everything that is held, up to ``most`` of people and of organisations."""
    return [{"what": str(what)} | one for what, _, _ in _TABLES for one in as_json(what, list(rows_of(what)[:most]))]
