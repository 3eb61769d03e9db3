"""The policy epoch moves with everything that decisions are compiled from, whoever writes it: raw SQL moves it, or is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from governance.enforcement import policy as policies
from tests.conftest import REFERENCE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_force")]
IN_FORCE = f"(SELECT version_in_force_id FROM directives_directive WHERE reference = '{REFERENCE}')"


def another(table: str, changes: str, where: str = "TRUE") -> str:
    """An INSERT of a row like one that is there, with some values of its own."""
    return (
        f"INSERT INTO {table} SELECT (jsonb_populate_record(x, jsonb_build_object('id', 900001, {changes}))).*"
        f" FROM {table} x WHERE {where} LIMIT 1"
    )


MOVING = {
    "catalog_provider": another("catalog_provider", "'slug', 'odd'"),
    "catalog_aimodel": another("catalog_aimodel", "'slug', 'odd'"),
    "catalog_capability": another("catalog_capability", "'slug', 'odd'"),
    "catalog_modelcapability": another(
        "catalog_modelcapability",
        "'capability_id', (SELECT id FROM catalog_capability c WHERE NOT EXISTS (SELECT 1 FROM catalog_modelcapability i"
        " WHERE (i.model_id, i.capability_id) = (x.model_id, c.id)) LIMIT 1)",
        "x.model_id = (SELECT model_id FROM catalog_modelcapability GROUP BY model_id ORDER BY count(*) LIMIT 1)",
    ),
    "catalog_audience": another("catalog_audience", "'slug', 'odd'"),
    "accounts_apitoken": another("accounts_apitoken", "'digest', repeat('0', 64), 'name', 'odd'"),
}
"""Tables of which every write moves the epoch, with a row that could be added."""
VERSION = f"UPDATE directives_directiveversion SET {{}} WHERE id = {IN_FORCE}"
ACTIVE = f"UPDATE directives_directive SET {{}} WHERE reference = '{REFERENCE}'"
DIRECTIVE = ("title = 'odd'", "kind = 'pause'")
CONTENT = (
    "rule = 'true'", "expanded_rule = 'true'", "on_unknown_then = 'allow'", "include_derived = NOT include_derived",
    "effect = 'monitor'", "waivable = 'company'", "effective_at = now()", "expires_at = now()", "directive_id = 900001",
)  # fmt: skip
REFUSED = [
    *(VERSION.format(change) for change in CONTENT),
    another("directives_directiveversion", "'number', 99", f"x.id = {IN_FORCE}"),
    f"DELETE FROM directives_directiveversion WHERE id = {IN_FORCE}",
    f"UPDATE directives_scopeitem SET capability_id = NULL WHERE version_id = {IN_FORCE}",
    f"DELETE FROM directives_scopeitem WHERE version_id = {IN_FORCE}",
    another("directives_scopeitem", "'capability_id', NULL", f"x.version_id = {IN_FORCE}"),
    *(ACTIVE.format(change) for change in ("reference = 'ODD'", "verify_deadline = now()", "state = 'suspended'")),
    f"DELETE FROM directives_directive WHERE reference = '{REFERENCE}'",
    "DELETE FROM enforcement_policyepoch",
    "INSERT INTO enforcement_policyepoch (id, value) VALUES (2, 1)",
    "UPDATE enforcement_policyepoch SET value = value - 1",
    "UPDATE enforcement_policyepoch SET value = value",
    *(
        f"TRUNCATE {table} CASCADE"
        for table in ("directives_directiveversion", "directives_scopeitem", "directives_directive")
    ),
]
"""Writes of what is fixed, or of the number itself: no decision could follow them."""


@pytest.fixture(autouse=True)
def _one_token(machine: Any) -> None:
    from governance.accounts.services import create_token

    create_token(actor=machine, name="gateway", scopes=["decide"])


def epoch() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT value FROM enforcement_policyepoch")
        return int(cursor.fetchone()[0])


def write(statement: str) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.rowcount)


@pytest.mark.parametrize("table", MOVING)
def test_every_write_of_the_catalog_and_of_tokens_moves_the_epoch(table: str) -> None:
    policies.refreshed()
    for statement in (
        MOVING[table],
        f"UPDATE {table} SET id = id WHERE id = 900001",
        f"DELETE FROM {table} WHERE id = 900001",
    ):
        before = epoch()
        assert write(statement) == 1, statement
        assert epoch() > before, statement
        assert policies.refreshed().epoch == epoch()


@pytest.mark.parametrize("table", MOVING)
def test_emptying_a_table_moves_the_epoch_or_is_refused(table: str) -> None:
    before = epoch()
    try:
        write(f"TRUNCATE {table} CASCADE")
        moved = epoch() > before
    except DatabaseError:
        moved = False
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {table})")
        kept = cursor.fetchone()[0]
    assert moved or kept


@pytest.mark.parametrize("change", DIRECTIVE)
def test_a_change_of_a_directive_in_force_moves_the_epoch(change: str) -> None:
    before = epoch()
    assert write(ACTIVE.format(change)) == 1
    assert epoch() > before


def test_a_directive_that_is_added_in_force_moves_the_epoch() -> None:
    before = epoch()
    assert write(another("directives_directive", "'reference', 'ODD'", f"x.reference = '{REFERENCE}'")) == 1
    assert epoch() > before


@pytest.mark.parametrize("statement", REFUSED)
def test_what_is_fixed_cannot_be_written_past_the_epoch(statement: str) -> None:
    before = epoch()
    with pytest.raises(DatabaseError):
        write(statement)
    assert epoch() == before


def test_no_table_that_decisions_are_compiled_from_is_forgotten_here() -> None:
    read = set(re.findall(r"(?:FROM|JOIN) (\w+_\w+)", policies._LOAD))
    fixed = {table for table in read if any(re.search(rf"\b{table}\b", statement) for statement in REFUSED)}
    assert read == set(MOVING) | fixed | {"enforcement_heldchange"}


def test_a_held_change_of_the_catalog_moves_the_epoch() -> None:
    before = epoch()
    write(
        "INSERT INTO enforcement_heldchange (what, key, before, proposed, parties, proposed_by, proposed_via)"
        " VALUES ('tier', 'x', '{}', '{}', '{}', 'cli:test', '')"
    )
    assert epoch() > before
    for statement in ("UPDATE enforcement_heldchange SET key = 'y'", "DELETE FROM enforcement_heldchange"):
        with pytest.raises(DatabaseError), transaction.atomic():
            write(statement)
