"""The role that the programs run as has no right to rewrite the record, nor to switch its guards off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction

from governance.ledger.grants import APPEND_ONLY, grant_program_role

pytestmark = pytest.mark.django_db
COLUMNS = dict.fromkeys(APPEND_ONLY, "id") | {"ledger_seal": "position", "ledger_treehead": "size"}
ROLE = "portcullis"  # the embedded database's


@pytest.fixture
def as_program(db: None) -> Iterator[Any]:
    grant_program_role(ROLE)
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {ROLE}")
        yield cursor
        cursor.execute("RESET ROLE")


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_it_may_add_to_the_record_and_not_change_it(table: str, as_program: Any) -> None:
    as_program.execute(f"SELECT count(*) FROM {table}")
    for statement in (
        f"UPDATE {table} SET {COLUMNS[table]} = {COLUMNS[table]}",
        f"DELETE FROM {table}",
        f"TRUNCATE {table} CASCADE",
        f"ALTER TABLE {table} DISABLE TRIGGER USER",
        f"DROP TABLE {table} CASCADE",
    ):
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), transaction.atomic():
            as_program.execute(statement)


def test_it_may_work_with_everything_else(as_program: Any) -> None:
    as_program.execute("UPDATE people_person SET title = title WHERE id = 'p009'")
    assert as_program.rowcount == 1
    as_program.execute("UPDATE catalog_audience SET slug = slug")  # moves the policy epoch by its trigger
    as_program.execute("CREATE TEMPORARY TABLE stage_something (id text) ON COMMIT DROP")


def test_it_may_not_pretend_that_a_migration_was_made(as_program: Any) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        as_program.execute("DELETE FROM django_migrations")


def test_where_the_programs_own_the_tables_there_is_nothing_to_grant(db: None) -> None:
    grant_program_role("postgres")
