"""What the role that the programs run as may do in the database: work, but not rewrite the record.

Triggers refuse every change of the ledger to everybody; this role has not even the right to try, and it owns no table, so it
cannot switch a trigger off (DESIGN.md, *Ledger and legal history*).
"""

from __future__ import annotations

from django.db import connection
from psycopg.sql import SQL, Identifier

APPEND_ONLY = (
    "ledger_entry", "ledger_seal", "ledger_treehead", "approvals_vote", "enforcement_decisionbatch",
    "enforcement_decisiongap", "waivers_acceptance", "waivers_condition",
)  # fmt: skip
READ_ONLY = ("django_migrations",)


def grant_program_role(role: str) -> None:
    """Give ``role`` its rights on every table there is. Without effect where the programs run as the owner or a superuser.

    Raises the database's error when there is no such role.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolname = current_user FROM pg_roles WHERE rolname = %s", [role])
        found = cursor.fetchone()
        if found is not None and found[0]:
            return
        name = Identifier(role)
        cursor.execute("SELECT current_database()")
        database = Identifier(cursor.fetchone()[0])
        for statement in (
            SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(database, name),
            SQL("GRANT USAGE ON SCHEMA public TO {}").format(name),
            SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}").format(name),
            SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(name),
            SQL("REVOKE UPDATE, DELETE ON {} FROM {}").format(_tables(APPEND_ONLY), name),
            SQL("REVOKE INSERT, UPDATE, DELETE ON {} FROM {}").format(_tables(READ_ONLY), name),
        ):
            cursor.execute(statement)  # type: ignore[arg-type]  # psycopg's own composed SQL


def _tables(names: tuple[str, ...]) -> SQL:
    return SQL(", ").join(map(Identifier, names))  # type: ignore[return-value]
