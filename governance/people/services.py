"""Writing people and organisations in bulk: stage, then merge. ``enforcement.services.people`` orchestrates both.

Staging tables have the columns of the base tables under the same names, so that rules compile against them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from governance.accounts.actor import Actor
from governance.people.imports import Parsed, RowError

PERSON = (
    "id", "kind", "given_name", "family_name", "email", "org_id", "department", "title", "manager_id", "status",
    "citizenships", "permanent_residences", "protected_status", "residence_country", "location_country", "start_date",
)  # fmt: skip
ORGANISATION = ("id", "name", "type", "country", "parent_org_id", "vetting_status", "vetting_expires")
_FILE_NAMES = {"id": "person_id"}

_STAGE = """
DROP TABLE IF EXISTS stage_person, stage_organisation, stage_held_person, stage_held_organisation, stage_changed_person,
    stage_changed_organisation;
CREATE TEMPORARY TABLE stage_person (line integer, LIKE people_person) ON COMMIT DROP;
CREATE TEMPORARY TABLE stage_organisation (line integer, LIKE people_organisation) ON COMMIT DROP;
ALTER TABLE stage_person DROP COLUMN updated_at;
CREATE TEMPORARY TABLE stage_held_person (id text COLLATE "C" PRIMARY KEY, keep boolean NOT NULL) ON COMMIT DROP;
CREATE TEMPORARY TABLE stage_held_organisation (id text COLLATE "C" PRIMARY KEY, keep boolean NOT NULL) ON COMMIT DROP;
CREATE TEMPORARY TABLE stage_changed_person (id text COLLATE "C" PRIMARY KEY) ON COMMIT DROP;
CREATE TEMPORARY TABLE stage_changed_organisation (id text COLLATE "C" PRIMARY KEY) ON COMMIT DROP;
"""


@dataclass(frozen=True)
class Counts:
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    held: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.created + other.created,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.held + other.held,
        )

    def as_json(self) -> dict[str, int]:
        return {"created": self.created, "updated": self.updated, "unchanged": self.unchanged, "held": self.held}


def _execute(statement: str, params: Sequence[Any] = ()) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.rowcount


def _rows(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def stage(parsed: Parsed) -> list[RowError]:
    """Copy parsed rows into temporary tables of this transaction; returns errors of references, each with its line."""
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        _copy(cursor, "stage_organisation", ORGANISATION, "org_id", parsed.organisations)
        _copy(cursor, "stage_person", PERSON, "person_id", parsed.people)
        cursor.execute("CREATE UNIQUE INDEX ON stage_person (id)")
        cursor.execute("CREATE UNIQUE INDEX ON stage_organisation (id)")
        cursor.execute("ANALYZE stage_person; ANALYZE stage_organisation")
    return _check_references(parsed)


def _copy(
    cursor: Any, table: str, columns: Sequence[str], key: str, rows: Sequence[tuple[int, dict[str, Any]]]
) -> None:
    with cursor.copy(f"COPY {table} (line, {', '.join(columns)}) FROM STDIN") as copy:
        for line, row in rows:
            copy.write_row([line, *(row[key] if name == "id" else row[name] for name in columns)])


_CHECKS: tuple[tuple[str, str, str, str], ...] = (
    (
        "organisations",
        "parent_org_id",
        "there is no such organisation",
        """SELECT s.line FROM stage_organisation s WHERE s.parent_org_id IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM stage_organisation o WHERE o.id = s.parent_org_id)
             AND NOT EXISTS (SELECT 1 FROM people_organisation o WHERE o.id = s.parent_org_id)""",
    ),
    (
        "people",
        "org_id",
        "there is no such organisation",
        """SELECT s.line FROM stage_person s WHERE s.org_id IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM stage_organisation o WHERE o.id = s.org_id)
             AND NOT EXISTS (SELECT 1 FROM people_organisation o WHERE o.id = s.org_id)""",
    ),
    (
        "people",
        "manager_id",
        "there is no such person",
        """SELECT s.line FROM stage_person s WHERE s.manager_id IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM stage_person m WHERE m.id = s.manager_id)
             AND NOT EXISTS (SELECT 1 FROM people_person m WHERE m.id = s.manager_id)""",
    ),
    (
        "people",
        "email",
        "is the address of somebody else",
        """SELECT s.line FROM stage_person s JOIN people_person p ON lower(p.email) = lower(s.email) AND p.id <> s.id
            WHERE NOT EXISTS (SELECT 1 FROM stage_person t WHERE t.id = p.id AND lower(t.email) <> lower(s.email))""",
    ),
    (
        "people",
        "manager_id",
        "a circle of managers",
        """WITH RECURSIVE boss AS (
               SELECT p.id, p.manager_id FROM people_person p WHERE NOT EXISTS (SELECT 1 FROM stage_person s WHERE s.id = p.id)
               UNION ALL SELECT s.id, s.manager_id FROM stage_person s),
           up(start, at) AS (
               SELECT s.id, s.manager_id FROM stage_person s WHERE s.manager_id IS NOT NULL
               UNION SELECT up.start, b.manager_id FROM up JOIN boss b ON b.id = up.at
                WHERE b.manager_id IS NOT NULL AND up.at <> up.start)
           SELECT s.line FROM up JOIN stage_person s ON s.id = up.start WHERE up.at = up.start""",
    ),
    (
        "organisations",
        "parent_org_id",
        "a circle of organisations",
        """WITH RECURSIVE whole AS (
               SELECT o.id, o.parent_org_id FROM people_organisation o
                WHERE NOT EXISTS (SELECT 1 FROM stage_organisation s WHERE s.id = o.id)
               UNION ALL SELECT s.id, s.parent_org_id FROM stage_organisation s),
           up(start, at) AS (
               SELECT s.id, s.parent_org_id FROM stage_organisation s WHERE s.parent_org_id IS NOT NULL
               UNION SELECT up.start, w.parent_org_id FROM up JOIN whole w ON w.id = up.at
                WHERE w.parent_org_id IS NOT NULL AND up.at <> up.start)
           SELECT s.line FROM up JOIN stage_organisation s ON s.id = up.start WHERE up.at = up.start""",
    ),
)


def _check_references(parsed: Parsed) -> list[RowError]:
    files = {"people": parsed.people_file, "organisations": parsed.organisations_file}
    return [
        RowError(files[kind], line, column, reason)
        for kind, column, reason, statement in _CHECKS
        for (line,) in sorted(_rows(statement))
    ]


def _same(columns: Sequence[str], left: str, right: str) -> str:
    names = [name for name in columns if name != "id"]
    return (
        f"({', '.join(f'{left}.{n}' for n in names)}) IS NOT DISTINCT FROM ({', '.join(f'{right}.{n}' for n in names)})"
    )


def _assign(columns: Sequence[str], source: str) -> str:
    return ", ".join(f"{name} = {source}.{name}" for name in columns if name != "id")


def merge(*, actor: Actor) -> Counts:
    """Write the staged rows: changed ones only. Rows named in ``stage_held_…`` go to the held tables instead.

    A row that is as on record takes back a change that was held for it only if enforcement put it not into
    ``stage_held_…``. Leaves the ids of created and updated people in ``stage_changed_person``.
    """
    actor.require("manage_people")
    organisations = _merge_organisations(actor)
    people = _merge_people(actor)
    _execute(
        """INSERT INTO stage_changed_person SELECT p.id FROM people_person p
            WHERE p.org_id IN (SELECT id FROM stage_changed_organisation UNION SELECT id FROM stage_held_organisation)
           ON CONFLICT DO NOTHING"""
    )
    return organisations + people


def _merge_organisations(actor: Actor) -> Counts:
    held = _hold("organisation", ORGANISATION, "organisation_id", actor)
    columns = ", ".join(ORGANISATION)
    # Parents may come later in the file: the foreign key is deferred to the end of the transaction.
    updated = _execute(
        f"""WITH changed AS (
              UPDATE people_organisation o SET {_assign(ORGANISATION, "s")} FROM stage_organisation s
               WHERE s.id = o.id AND NOT {_same(ORGANISATION, "o", "s")}
                 AND NOT EXISTS (SELECT 1 FROM stage_held_organisation h WHERE h.id = o.id) RETURNING o.id)
            INSERT INTO stage_changed_organisation SELECT id FROM changed"""
    )
    created = _execute(
        f"""INSERT INTO people_organisation ({columns}) SELECT {columns} FROM stage_organisation s
             WHERE NOT EXISTS (SELECT 1 FROM people_organisation o WHERE o.id = s.id)"""
    )
    total = _rows("SELECT count(*) FROM stage_organisation")[0][0]
    return Counts(created, updated, total - created - updated - held, held)


def _merge_people(actor: Actor) -> Counts:
    held = _hold("person", PERSON, "person_id", actor)
    columns = ", ".join(PERSON)
    updated = _execute(
        f"""WITH changed AS (
              UPDATE people_person p SET {_assign(PERSON, "s")}, updated_at = statement_timestamp() FROM stage_person s
               WHERE s.id = p.id AND NOT {_same(PERSON, "p", "s")}
                 AND NOT EXISTS (SELECT 1 FROM stage_held_person h WHERE h.id = p.id) RETURNING p.id)
            INSERT INTO stage_changed_person SELECT id FROM changed"""
    )
    created = _execute(
        f"""WITH fresh AS (
              INSERT INTO people_person ({columns}) SELECT {columns} FROM stage_person s
               WHERE NOT EXISTS (SELECT 1 FROM people_person p WHERE p.id = s.id) RETURNING id)
            INSERT INTO stage_changed_person SELECT id FROM fresh"""
    )
    _execute("INSERT INTO stage_changed_person SELECT id FROM stage_held_person ON CONFLICT DO NOTHING")
    total = _rows("SELECT count(*) FROM stage_person")[0][0]
    return Counts(created, updated, total - created - updated - held, held)


def _hold(what: str, columns: Sequence[str], key: str, actor: Actor) -> int:
    """Put the proposed states of held rows beside the present ones; take back those a later file made needless.

    A row marked ``keep`` has a held state already that the new one would loosen: the earlier one stays. Returns how many
    rows are held.
    """
    names = [name for name in columns if name != "id"]
    _execute(
        f"""DELETE FROM people_held{what} h USING stage_{what} s WHERE h.{key} = s.id
             AND NOT EXISTS (SELECT 1 FROM stage_held_{what} k WHERE k.id = s.id)"""
    )
    _execute(
        f"""INSERT INTO people_held{what} ({key}, proposed_by, {", ".join(names)})
            SELECT s.id, %s, {", ".join(f"s.{name}" for name in names)}
              FROM stage_{what} s JOIN stage_held_{what} k ON k.id = s.id AND NOT k.keep
            ON CONFLICT ({key}) DO UPDATE SET proposed_by = EXCLUDED.proposed_by, proposed_at = statement_timestamp(),
              {", ".join(f"{name} = EXCLUDED.{name}" for name in names)}""",
        [actor.name],
    )
    return int(_rows(f"SELECT count(*) FROM stage_held_{what}")[0][0])
