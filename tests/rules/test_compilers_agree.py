"""SQL ≡ closure ≡ compiled function, on random rules and random people with unknowns, in the real database."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.rules.attributes import ATTRIBUTES, LIST_OPERATORS, SLOTS, Type
from governance.rules.closures import compile_closure
from governance.rules.generated import compile_function
from governance.rules.language import All, Any_, Const, Leaf, Not, Rule, dump, parse
from governance.rules.sql import compile_sql, person_columns
from tests.extended import examples

pytestmark = pytest.mark.django_db
COUNTRIES = ("US", "GB", "CN", "JP")
DATES = (date(2020, 1, 1), date(2024, 6, 1), date(2026, 6, 12))
VALUES: dict[Type, Any] = {
    Type.COUNTRY: st.sampled_from(COUNTRIES),
    Type.COUNTRIES: st.sampled_from(COUNTRIES),
    Type.BOOLEAN: st.booleans(),
    Type.DATE: st.sampled_from(DATES),
}


def value_of(name: str) -> Any:
    attribute = ATTRIBUTES[name]
    if attribute.choices:
        return st.sampled_from(attribute.choices[:3])
    return VALUES.get(attribute.type, st.sampled_from(("a", "b", "c")))


@st.composite
def leaves(draw: Any, names: tuple[str, ...] = SLOTS) -> Rule:
    name = draw(st.sampled_from(names))
    op = draw(st.sampled_from(ATTRIBUTES[name].operators))
    if op == "known":
        return Leaf(name, op)
    if op in LIST_OPERATORS:
        return Leaf(name, op, tuple(draw(st.lists(value_of(name), max_size=3, unique=True))))
    return Leaf(name, op, draw(value_of(name)))


def rules(leaf: Any = None) -> Any:
    return st.recursive(
        (leaf if leaf is not None else leaves()) | st.builds(Const, st.booleans()),
        lambda inner: (
            st.builds(Not, inner)
            | st.lists(inner, max_size=3).map(lambda parts: All(tuple(parts)))
            | st.lists(inner, max_size=3).map(lambda parts: Any_(tuple(parts)))
        ),
        max_leaves=8,
    )


@st.composite
def facts(draw: Any) -> tuple[Any, ...]:
    found: dict[str, Any] = {}
    for name in SLOTS:
        value = value_of(name)
        if ATTRIBUTES[name].type is Type.COUNTRIES:
            value = st.lists(st.sampled_from(COUNTRIES), max_size=3, unique=True)
        found[name] = draw(st.none() | value)
    if found["org.id"] is None:  # without an organisation everything about it is unknown
        found |= dict.fromkeys(("org.type", "org.country", "org.vetting"))
    return tuple(found[name] for name in SLOTS)


_TABLES = """
CREATE TEMPORARY TABLE p (n int, id text, kind text, status text, department text, citizenships text[],
  permanent_residences text[], protected_status boolean, residence_country text, location_country text, start_date date,
  org text) ON COMMIT DROP;
CREATE TEMPORARY TABLE o (n int, id text, type text, country text, vetting_status text, vetting_expires date) ON COMMIT DROP;
"""


def truths_in_sql(rule: Rule, people: list[tuple[Any, ...]]) -> list[bool | None]:
    """The compiled SQL over temporary tables with the columns of the real ones."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS p, o")
        cursor.execute(_TABLES)
        with cursor.copy("COPY p FROM STDIN") as copy:
            for n, person in enumerate(people):
                copy.write_row((n, *person[:10], person[10]))
        with cursor.copy("COPY o (n, id, type, country, vetting_status) FROM STDIN") as copy:
            for n, person in enumerate(people):
                if person[10] is not None:
                    copy.write_row((n, *person[10:14]))
        text, params = compile_sql(rule, person_columns("p", "o"))
        cursor.execute(f"SELECT {text} FROM p LEFT JOIN o ON o.n = p.n ORDER BY p.n", params)
        return [row[0] for row in cursor.fetchall()]


@settings(max_examples=examples(80), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rule=rules(), people=st.lists(facts(), min_size=1, max_size=12))
def test_sql_closure_and_compiled_function_give_the_same_truth(rule: Rule, people: list[tuple[Any, ...]]) -> None:
    closure, function = compile_closure(rule), compile_function(rule)
    truths = [closure(person) for person in people]
    assert truths_in_sql(rule, people) == truths
    assert [function(person) for person in people] == truths


@settings(max_examples=examples(80), deadline=None)
@given(rule=rules())
def test_a_rule_survives_being_written_and_read(rule: Rule) -> None:
    names = {name for name in SLOTS if name in str(rule)}
    if "person.id" not in names:
        assert parse(dump(rule)) == rule


def test_org_vetting_expires_the_day_after_its_date() -> None:
    text, params = compile_sql(parse({"attr": "org.vetting", "op": "is", "value": "expired"}), person_columns("p", "o"))
    source = io.StringIO(text).read()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT array_agg(({source}) ORDER BY o.n) FROM (VALUES (1, NULL::text)) p(id, x), (VALUES "
            "(1, 'vetted', (now() AT TIME ZONE 'UTC')::date - 1), (2, 'vetted', (now() AT TIME ZONE 'UTC')::date), "
            "(3, 'vetted', NULL), (4, 'pending', '2000-01-01')) o(n, vetting_status, vetting_expires)",
            params,
        )
        assert cursor.fetchone()[0] == [True, False, False, False]
