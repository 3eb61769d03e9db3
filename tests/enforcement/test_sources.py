"""Where decisions read from fails closed: slow, busy, gone or broken is *cannot decide* within its limit, never a wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from governance.accounts.services import create_token
from governance.catalog.models import Audience
from governance.enforcement.decision import READ_ONE, decide
from governance.enforcement.sources import CannotDecide, PooledSource, from_django_settings, tries
from tests.wire import Wire, question, services

pytestmark = pytest.mark.django_db
LIMIT = 0.5


@pytest.fixture
def pooled(committed: None) -> Iterator[Callable[..., PooledSource]]:
    made: list[PooledSource] = []

    def make(size: int = 1, conninfo: str = "") -> PooledSource:
        made.append(
            PooledSource(
                conninfo or from_django_settings(settings.DATABASES["default"]), size=size, limit=LIMIT, title="t"
            )
        )
        return made[-1]

    yield make
    for source in made:
        source.close()


def refused(act: Callable[[], Any]) -> float:
    """Seconds until it said that it cannot decide."""
    began = time.monotonic()
    with pytest.raises(CannotDecide):
        act()
    return time.monotonic() - began


def by_cursor(source: PooledSource, text: str) -> list[tuple[Any, ...]]:
    return source.rows(text, ("key",))


def past_cursors(source: PooledSource, text: str) -> list[tuple[Any, ...]]:
    return source.look_up(text, "key")


BOTH_WAYS = pytest.mark.parametrize("ask", [by_cursor, past_cursors])


@BOTH_WAYS
def test_a_statement_that_takes_too_long_is_cut_and_the_next_one_works(pooled: Any, ask: Any) -> None:
    source = pooled()
    assert refused(lambda: ask(source, "SELECT pg_sleep(30), %s::text")) < LIMIT * 4
    assert ask(source, "SELECT 1, %s::text") == [(1, "key")]


@BOTH_WAYS
def test_a_connection_that_was_lost_is_replaced_within_the_question(pooled: Any, ask: Any) -> None:
    source = pooled()
    (((backend, _),)) = ask(source, "SELECT pg_backend_pid(), %s::text")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [backend])
    assert ask(source, "SELECT 1, %s::text") == [(1, "key")]


@BOTH_WAYS
def test_while_one_thread_waits_for_the_database_the_others_work(pooled: Any, ask: Any) -> None:
    source = pooled()
    source.rows("SELECT 1")
    waiting = threading.Thread(target=lambda: ask(source, f"SELECT pg_sleep({LIMIT * 0.8}), %s::text"))
    waiting.start()
    began = time.monotonic()
    time.sleep(0.01)
    assert time.monotonic() - began < LIMIT * 0.6, "the interpreter's lock is free meanwhile"
    waiting.join()


def test_a_look_up_finds_what_a_cursor_finds(pooled: Any) -> None:
    source = pooled()
    for person in ("p001", "p009", "nobody", "", "ü ✓", "%s", "'; --"):
        by_hand, ours = source.rows(READ_ONE, (person,)), source.look_up(READ_ONE, person)
        # All but the clock and the snapshot, which are of each statement.
        assert [(row[0], *row[3:]) for row in ours] == [(row[0], *row[3:]) for row in by_hand]
        assert [[type(value) for value in row] for row in ours] == [[type(value) for value in row] for row in by_hand]


def test_a_statement_that_the_server_forgot_is_prepared_again(pooled: Any) -> None:
    source = pooled()
    asked = "SELECT status FROM people_person WHERE id = %s"
    assert source.look_up(asked, "p001") == [("active",)]
    with source._pool.connection() as link:
        link.execute("DEALLOCATE ALL")
    assert source.look_up(asked, "p001") == [("active",)]
    assert source.look_up(asked, "p009") == [("active",)]


def test_a_nul_character_never_looks_up_the_text_before_it(pooled: Any) -> None:
    refused(lambda: pooled().look_up(READ_ONE, "p001\x00x"))


def test_when_every_connection_is_busy_nobody_waits_longer_than_the_limit(pooled: Any) -> None:
    source = pooled(size=1)
    source.rows("SELECT 1")
    busy = threading.Thread(target=lambda: source.rows(f"SELECT pg_sleep({LIMIT * 0.7})"))
    waited: list[float] = []

    def ask() -> None:
        began = time.monotonic()
        try:
            source.rows("SELECT 1")
        except CannotDecide:
            pass
        waited.append(time.monotonic() - began)

    busy.start()
    asking = [threading.Thread(target=ask) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in (busy, *asking):
        thread.join()
    assert max(waited) < LIMIT * 4


def test_a_policy_that_keeps_changing_is_given_up_after_five_times_or_when_the_limit_is_used_up() -> None:
    source = PooledSource("dbname=x", size=1, limit=0.05, title="t")
    assert sum(1 for _ in tries(source)) == 5
    times = 0
    for _ in tries(source):
        times += 1
        time.sleep(0.03)
    assert times == 2


def test_a_server_that_is_not_there_is_cannot_decide(pooled: Any) -> None:
    assert refused(lambda: pooled(conninfo="host=127.0.0.1 port=1 dbname=x user=x").rows("SELECT 1")) < LIMIT * 6


def test_a_broken_statement_is_cannot_decide(pooled: Any) -> None:
    source = pooled()
    refused(lambda: source.rows("SELECT nothing_of_the_kind"))
    refused(lambda: source.look_up("SELECT nothing_of_the_kind, %s", "key"))
    refused(lambda: source.look_up("SELECT 1 / 0, %s::text", "key"))
    assert source.rows("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    "broken",
    [
        '{"odd": 1}',
        "7",
        "null",
        '{"all": [{"attr": "person.shoe", "op": "is", "value": "x"}]}',
        "[" * 3000 + "]" * 3000,
    ],
)
def test_a_stored_rule_that_cannot_be_read_stops_decisions_until_it_is_mended(
    broken: str, pooled: Any, machine: Any
) -> None:
    """Nothing is decided by what was read before, and nothing by the part of the policy that can be read."""
    wire = Wire(services(pooled()), create_token(actor=machine, name="gateway", scopes=["decide"]))
    assert wire.send("/access/v1/evaluation", question("p001")).json()["decision"] is True
    rules = Audience.objects.in_bulk()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalog_audience SET rule = %s::jsonb", [broken])
    for _ in range(2):
        response = wire.send("/access/v1/evaluation", question("p001"))
        assert response.status_code == 503
        assert response["Retry-After"]
        assert "decision" not in response.json()
        assert "shoe" not in response.content.decode()
    assert decide("p001", "fable-5", "use").code == "cannot_decide"
    for audience in rules.values():
        audience.save(update_fields=["rule"])
    assert wire.send("/access/v1/evaluation", question("p001")).json()["decision"] is True
    assert decide("p001", "fable-5", "use").permit
