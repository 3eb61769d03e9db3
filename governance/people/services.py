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


def stage(parsed: Parsed) -> None:
    """Copy parsed rows into temporary tables of this transaction. Nothing is compared yet, so no lock is needed."""
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        _copy(cursor, "stage_organisation", ORGANISATION, "org_id", parsed.organisations)
        _copy(cursor, "stage_person", PERSON, "person_id", parsed.people)
        cursor.execute("CREATE UNIQUE INDEX ON stage_person (id)")
        cursor.execute("CREATE UNIQUE INDEX ON stage_organisation (id)")
        cursor.execute("ANALYZE stage_person; ANALYZE stage_organisation")


def _copy(
    cursor: Any, table: str, columns: Sequence[str], key: str, rows: Sequence[tuple[int, dict[str, Any]]]
) -> None:
    with cursor.copy(f"COPY {table} (line, {', '.join(columns)}) FROM STDIN") as copy:
        for line, row in rows:
            copy.write_row([line, *(row[key] if name == "id" else row[name] for name in columns)])


def _circle(what: str, column: str, *, applied: str = "TRUE") -> str:
    """The lines of staged rows on a circle, if the rows ``applied`` take the place of those on record."""
    staged = f"(SELECT id, {column}, line FROM stage_{what} s WHERE {applied})"
    return f"""WITH RECURSIVE applied AS {staged}, above AS (
               SELECT o.id, o.{column} AS up FROM people_{what} o WHERE NOT EXISTS (SELECT 1 FROM applied a WHERE a.id = o.id)
               UNION ALL SELECT a.id, a.{column} FROM applied a),
           path(start, at) AS (
               SELECT a.id, a.{column} FROM applied a WHERE a.{column} IS NOT NULL
               UNION SELECT path.start, above.up FROM path JOIN above ON above.id = path.at
                WHERE above.up IS NOT NULL AND path.at <> path.start)
           SELECT a.line FROM path JOIN applied a ON a.id = path.start WHERE path.at = path.start"""


def _missing(what: str, column: str, target: str) -> str:
    return f"""SELECT s.line FROM stage_{what} s WHERE s.{column} IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM stage_{target} t WHERE t.id = s.{column})
             AND NOT EXISTS (SELECT 1 FROM people_{target} t WHERE t.id = s.{column})"""


def _not_held(what: str) -> str:
    return f"NOT EXISTS (SELECT 1 FROM stage_held_{what} k WHERE k.id = s.id)"


# An address is free once its owner's row gives it up and does not wait itself.
_ADDRESS_TAKEN = f"""SELECT s.line FROM stage_person s JOIN people_person p ON lower(p.email) = lower(s.email) AND p.id <> s.id
    WHERE NOT EXISTS (SELECT 1 FROM stage_person t WHERE t.id = p.id AND lower(t.email) <> lower(p.email)
                         AND {_not_held("person").replace("s.id", "t.id")})"""

# Rows are checked as the file wants them and as they will be while some of them are held.
_CHECKS: tuple[tuple[str, str, str, str], ...] = (
    ("organisation", "parent_org_id", "there is no such organisation", _missing("organisation", "parent_org_id", "organisation")),
    ("person", "org_id", "there is no such organisation", _missing("person", "org_id", "organisation")),
    ("person", "manager_id", "there is no such person", _missing("person", "manager_id", "person")),
    ("person", "email", "is the address of somebody else", _ADDRESS_TAKEN),
    ("person", "manager_id", "a circle of managers", _circle("person", "manager_id")),
    ("organisation", "parent_org_id", "a circle of organisations", _circle("organisation", "parent_org_id")),
)  # fmt: skip
_CHECKS_WHILE_HELD: tuple[tuple[str, str, str, str], ...] = (
    (
        "person", "manager_id", "a circle of managers, as long as a row that would loosen waits",
        _circle("person", "manager_id", applied=_not_held("person")),
    ),
    (
        "organisation", "parent_org_id", "a circle of organisations, as long as a row that would loosen waits",
        _circle("organisation", "parent_org_id", applied=_not_held("organisation")),
    ),
)  # fmt: skip


def check(parsed: Parsed) -> list[RowError]:
    """Errors of references, each with its line. Called with the people lock, once it is known which rows are held.

    Without the lock another import could commit between this look and the merge: two files that are right each alone can make
    a circle together.
    """
    files = {"person": parsed.people_file, "organisation": parsed.organisations_file}
    errors: list[RowError] = []
    for checks in (_CHECKS, _CHECKS_WHILE_HELD):
        errors += [
            RowError(files[what], line, column, reason)
            for what, column, reason, statement in checks
            for (line,) in sorted(_rows(statement))
        ]
        if errors:
            break
    return errors


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
    moved = "(SELECT id FROM stage_changed_organisation UNION SELECT id FROM stage_held_organisation)"
    _execute(
        f"""INSERT INTO stage_changed_person SELECT p.id FROM people_person p WHERE p.org_id IN {moved}
            UNION SELECT h.person_id FROM people_heldperson h WHERE h.org_id IN {moved} ON CONFLICT DO NOTHING"""
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
            INSERT INTO stage_changed_organisation SELECT id FROM changed ON CONFLICT DO NOTHING"""
    )
    created = _execute(
        f"""INSERT INTO people_organisation ({columns}) SELECT {columns} FROM stage_organisation s
             WHERE NOT EXISTS (SELECT 1 FROM people_organisation o WHERE o.id = s.id)"""
    )
    total = _rows("SELECT count(*) FROM stage_organisation")[0][0]
    return Counts(created, updated, total - created - updated - held, held)


# Addresses are unique at every moment, and two people may exchange theirs: whoever gives one up to another row of the file
# holds what is no address until the merge, a moment later in this transaction.
_SET_ADDRESSES_ASIDE = f"""UPDATE people_person p SET email = 'aside:' || p.id FROM stage_person s, stage_person t
    WHERE s.id = p.id AND lower(s.email) <> lower(p.email) AND {_not_held("person")}
      AND lower(t.email) = lower(p.email) AND t.id <> p.id
      AND {_not_held("person").replace("s.id", "t.id")}"""


def _merge_people(actor: Actor) -> Counts:
    held = _hold("person", PERSON, "person_id", actor)
    _execute(_SET_ADDRESSES_ASIDE)
    columns = ", ".join(PERSON)
    updated = _execute(
        f"""WITH changed AS (
              UPDATE people_person p SET {_assign(PERSON, "s")}, updated_at = statement_timestamp() FROM stage_person s
               WHERE s.id = p.id AND NOT {_same(PERSON, "p", "s")}
                 AND NOT EXISTS (SELECT 1 FROM stage_held_person h WHERE h.id = p.id) RETURNING p.id)
            INSERT INTO stage_changed_person SELECT id FROM changed ON CONFLICT DO NOTHING"""
    )
    created = _execute(
        f"""WITH fresh AS (
              INSERT INTO people_person ({columns}) SELECT {columns} FROM stage_person s
               WHERE NOT EXISTS (SELECT 1 FROM people_person p WHERE p.id = s.id) RETURNING id)
            INSERT INTO stage_changed_person SELECT id FROM fresh ON CONFLICT DO NOTHING"""
    )
    _execute("INSERT INTO stage_changed_person SELECT id FROM stage_held_person ON CONFLICT DO NOTHING")
    total = _rows("SELECT count(*) FROM stage_person")[0][0]
    return Counts(created, updated, total - created - updated - held, held)


def _hold(what: str, columns: Sequence[str], key: str, actor: Actor) -> int:
    """Put the proposed states of held rows beside the present ones; take back those a later file made needless.

    A row marked ``keep`` has a held state already that the new one would loosen: the earlier one stays. Returns how many
    rows are held. What is taken back counts as a change: its people are judged anew.
    """
    names = [name for name in columns if name != "id"]
    _execute(
        f"""WITH taken_back AS (
              DELETE FROM people_held{what} h USING stage_{what} s WHERE h.{key} = s.id AND {_not_held(what)}
              RETURNING h.{key})
            INSERT INTO stage_changed_{what} SELECT {key} FROM taken_back"""
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


# -- held changes ------------------------------------------------------------------------------------------------------

_OF_ITS_OWN = {
    "person": "SELECT %s::text",
    "organisation": """SELECT id FROM people_person WHERE org_id = %s
                       UNION SELECT person_id FROM people_heldperson WHERE org_id = %s""",
}


def settle_held(what: str, key: str, *, confirmed: bool) -> None:
    """Put a held state in the place of the present one, or drop it. The caller holds the people lock.

    Leaves the ids of the people who are to be judged anew in ``stage_changed_person``.
    """
    its_own = _OF_ITS_OWN[what]
    _execute("DROP TABLE IF EXISTS stage_changed_person")
    _execute(
        f"CREATE TEMPORARY TABLE stage_changed_person ON COMMIT DROP AS SELECT * FROM ({its_own}) its(id)",
        [key] * its_own.count("%s"),
    )
    if confirmed:
        columns = PERSON if what == "person" else ORGANISATION
        touched = ", updated_at = statement_timestamp()" if what == "person" else ""
        _execute(
            f"""UPDATE people_{what} p SET {_assign(columns, "h")}{touched} FROM people_held{what} h
                 WHERE h.{what}_id = p.id AND p.id = %s""",
            [key],
        )
    _execute(f"DELETE FROM people_held{what} WHERE {what}_id = %s", [key])
