"""Rules as SQL boolean expressions. SQL's NULL logic *is* Kleene's, so unknown is NULL and nothing needs translating.

Values always travel as parameters; only column names, which the caller owns, stand in the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance.rules.attributes import ATTRIBUTES, Type
from governance.rules.language import All, Any_, Const, Leaf, Not, Rule

_ARRAY = {
    Type.TEXT: "text[]",
    Type.COUNTRY: "text[]",
    Type.COUNTRIES: "text[]",
    Type.BOOLEAN: "boolean[]",
    Type.DATE: "date[]",
}
_SINGLE = {Type.TEXT: "text", Type.COUNTRY: "text", Type.BOOLEAN: "boolean", Type.DATE: "date"}


def person_columns(person: str, organisation: str) -> dict[str, str]:
    """Where each attribute stands, for a table alias of people and one of their organisations.

    ``org.vetting`` reads *expired* once the date lies before today (UTC); an empty date never expires.
    """
    p, o = person, organisation
    return {
        "person.id": f"{p}.id",
        "person.kind": f"{p}.kind",
        "person.status": f"{p}.status",
        "person.department": f"{p}.department",
        "person.citizenships": f"{p}.citizenships",
        "person.permanent_residences": f"{p}.permanent_residences",
        "person.protected_status": f"{p}.protected_status",
        "person.residence_country": f"{p}.residence_country",
        "person.location_country": f"{p}.location_country",
        "person.start_date": f"{p}.start_date",
        "org.id": f"{o}.id",
        "org.type": f"{o}.type",
        "org.country": f"{o}.country",
        "org.vetting": (
            f"CASE WHEN {o}.vetting_status = 'vetted' AND {o}.vetting_expires < "
            f"(statement_timestamp() AT TIME ZONE 'UTC')::date THEN 'expired' ELSE {o}.vetting_status END"
        ),
    }


def compile_sql(rule: Rule, columns: Mapping[str, str]) -> tuple[str, list[Any]]:
    """A three-valued SQL expression for the rule, and its parameters in order (``%s`` placeholders)."""
    params: list[Any] = []
    return _expression(rule, columns, params), params


def _expression(rule: Rule, columns: Mapping[str, str], params: list[Any]) -> str:
    match rule:
        case Const(value):
            return "TRUE" if value else "FALSE"
        case Not(inner):
            return f"NOT ({_expression(inner, columns, params)})"
        case All(rules):
            return " AND ".join(f"({_expression(inner, columns, params)})" for inner in rules) or "TRUE"
        case Any_(rules):
            return " OR ".join(f"({_expression(inner, columns, params)})" for inner in rules) or "FALSE"
        case Leaf():
            return _leaf(rule, columns[rule.attr], params)
    raise AssertionError(rule)


def _leaf(leaf: Leaf, column: str, params: list[Any]) -> str:
    if leaf.op == "known":
        return f"({column}) IS NOT NULL"
    kind = ATTRIBUTES[leaf.attr].type
    if leaf.op in ("in", "includes_any", "includes_all", "within"):
        params.append(list(leaf.value))
        array = f"%s::{_ARRAY[kind]}"
        return {
            # ANY of an empty list is false even for NULL; a condition on what is not known is unknown.
            "in": f"({column}) = ANY({array})"
            if leaf.value
            else f"CASE WHEN ({column}) IS NOT NULL THEN ({column}) = ANY({array}) END",
            "includes_any": f"{column} && {array}",
            "includes_all": f"{column} @> {array}",
            "within": f"{column} <@ {array}",
        }[leaf.op]
    params.append(leaf.value)
    operator = {"is": "=", "before": "<", "on_or_after": ">="}[leaf.op]
    return f"({column}) {operator} %s::{_SINGLE[kind]}"
