"""Restrictions against rules, in set-based SQL: reconcile a range of people, re-evaluate some people, measure drift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from django.db import connection

from governance.enforcement import vetting
from governance.enforcement.policy import DirectiveRule, Policy
from governance.enforcement.population import FALSE, POPULATION, Sql, from_people, reads_organisation, restricted


@dataclass(frozen=True)
class Change:
    """What one reconciliation wrote. ``digest`` is SHA-256 (hex) over the sorted ids of the people added and released."""

    added: int
    released: int
    moved: int
    people: int
    digest: str


@dataclass(frozen=True)
class Drift:
    """Restrictions against rules: people without the restriction they should have, and rows that should not exist.

    ``due``: differences that the clock alone made, and that the sweep has not written down yet. They are no drift.
    """

    missing: int
    extra: int
    due: int = 0

    @property
    def total(self) -> int:
        return self.missing + self.extra


def _expected(rule: DirectiveRule | None) -> tuple[str, Sql]:
    if rule is None:
        return from_people(organisation=False), FALSE
    return from_people(organisation=reads_organisation([rule.rule])), restricted(rule)


def _range(key_from: str | None, key_to: str | None, column: str) -> Sql:
    text, params = "", []
    if key_from is not None:
        text += f" AND {column} >= %s"
        params.append(key_from)
    if key_to is not None:
        text += f" AND {column} < %s"
        params.append(key_to)
    return Sql(text, tuple(params))


def reconcile(
    *,
    directive_id: int,
    version_id: int,
    rule: DirectiveRule | None,
    key_from: str | None = None,
    key_to: str | None = None,
) -> Change:
    """Make the restrictions of one directive in a range of people what the rule says; ``rule`` None releases them.

    Running it twice changes nothing the second time: rows are inserted by anti-join and deleted where the rule does not
    ask for them. ``ON CONFLICT`` would double the cost (docs/decisions/0003); the primary key stays as the guard.
    """
    source, wanted = _expected(rule)
    people, rows = _range(key_from, key_to, "p.id"), _range(key_from, key_to, "r.person_id")
    released = Sql("DELETE FROM enforcement_restriction r WHERE r.directive_id = %s", (directive_id,)) + rows
    if rule is not None:
        released = released + Sql(
            f" AND NOT EXISTS (SELECT 1 FROM {source} WHERE p.id = r.person_id AND {POPULATION} AND "
        )
        released = released + wanted + Sql(")")
    statement = Sql("WITH released AS (") + released + Sql(" RETURNING r.person_id), moved AS (")
    statement += Sql(
        "UPDATE enforcement_restriction r SET version_id = %s WHERE r.directive_id = %s AND r.version_id <> %s",
        (version_id, directive_id, version_id),
    )
    statement += rows + Sql(" AND r.person_id NOT IN (SELECT person_id FROM released) RETURNING 1), added AS (")
    statement += Sql(
        "INSERT INTO enforcement_restriction (person_id, directive_id, version_id, since) "
        f"SELECT p.id, %s, %s, statement_timestamp() FROM {source} WHERE {POPULATION}",
        (directive_id, version_id),
    )
    statement += people + Sql(" AND ") + wanted
    statement += Sql(
        " AND NOT EXISTS (SELECT 1 FROM enforcement_restriction r WHERE r.person_id = p.id AND r.directive_id = %s)"
        " RETURNING person_id), changed AS (SELECT person_id FROM added UNION ALL SELECT person_id FROM released)"
        " SELECT (SELECT count(*) FROM added), (SELECT count(*) FROM released), (SELECT count(*) FROM moved),"
        " (SELECT encode(sha256(convert_to(coalesce(string_agg(person_id, ',' ORDER BY person_id), ''), 'UTF8')), 'hex')"
        " FROM changed), ",
        (directive_id,),
    )
    statement += Sql(f"(SELECT count(*) FROM people_person p WHERE {POPULATION}") + people + Sql(")")
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.params)
        added, released_count, moved, digest, population = cursor.fetchone()
    return Change(added, released_count, moved, population, digest)


def reevaluate(policy: Policy, changed: str) -> int:
    """Adjust the restrictions of the people whose ids stand in table ``changed(id)``; returns how many rows changed."""
    total = 0
    for rule in policy.directives:
        source, wanted = _expected(rule)
        delete = Sql(
            f"DELETE FROM enforcement_restriction r USING {changed} c WHERE r.person_id = c.id AND r.directive_id = %s "
            f"AND NOT EXISTS (SELECT 1 FROM {source} WHERE p.id = r.person_id AND {POPULATION} AND ",
            (rule.directive_id,),
        )
        delete += wanted + Sql(")")
        insert = Sql(
            "INSERT INTO enforcement_restriction (person_id, directive_id, version_id, since) "
            f"SELECT p.id, %s, %s, statement_timestamp() FROM {source} JOIN {changed} c ON c.id = p.id "
            f"WHERE {POPULATION} AND ",
            (rule.directive_id, rule.version_id),
        )
        insert += wanted + Sql(
            " AND NOT EXISTS (SELECT 1 FROM enforcement_restriction r WHERE r.person_id = p.id AND r.directive_id = %s)",
            (rule.directive_id,),
        )
        with connection.cursor() as cursor:
            for statement in (delete, insert):
                cursor.execute(statement.text, statement.params)
                total += cursor.rowcount
    return total


def drift(directive_id: int, rule: DirectiveRule | None) -> Drift:
    """Compare the restrictions of one directive with its rule, everybody at once."""
    source, wanted = _expected(rule)
    late = "FALSE"
    if rule is not None and vetting.reads_vetting(rule):
        late = f"coalesce(e.id, r.person_id) IN {vetting.people_of(vetting.DUE)}"
    head = (
        f"SELECT count(*) FILTER (WHERE r.person_id IS NULL AND NOT {late}),"
        f" count(*) FILTER (WHERE e.id IS NULL AND NOT {late}), count(*) FILTER (WHERE {late})"
        f" FROM (SELECT p.id FROM {source} WHERE {POPULATION} AND "
    )
    tail = (
        ") e FULL JOIN (SELECT person_id FROM enforcement_restriction WHERE directive_id = %s) r ON r.person_id = e.id"
        " WHERE r.person_id IS NULL OR e.id IS NULL"
    )
    statement = Sql(head) + wanted + Sql(tail, (directive_id,))
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.params)
        return Drift(*cursor.fetchone())


def split(size: int) -> Sequence[tuple[str | None, str | None]]:
    """Ranges of person ids of about ``size`` people each; together they hold every id there is or will be."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM people_person) numbered "
            "WHERE n %% %s = 0 ORDER BY id",
            [size],
        )
        borders = [row[0] for row in cursor.fetchall()]
    edges: list[str | None] = [None, *borders, None]
    return list(pairwise(edges))
