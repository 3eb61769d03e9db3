"""Dates are held against the database's clock: what was ended stays ended, and a clock that goes back permits nobody.

The clock is moved inside the database: a function of the same name stands before the server's own in the search path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from governance.accounts.services import create_token
from governance.enforcement import decision as decisions
from governance.enforcement.decision import Decision, decide, evaluate, people_and_policy
from governance.enforcement.population import who_can_use
from governance.enforcement.sources import DJANGO, CannotDecide
from tests.wire import Wire, question, services

pytestmark = pytest.mark.django_db
_SHIFTED = """
CREATE SCHEMA shifted;
CREATE FUNCTION shifted.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT pg_catalog.statement_timestamp() + current_setting('shifted.by')::interval $$;
SET LOCAL shifted.by = '0';
SET LOCAL search_path = shifted, pg_catalog, public;
"""


class Shifted:
    """A database of its own to those who ask, so that no other test meets its clock."""

    name, limit = "shifted", 20.0

    def rows(self, text: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return DJANGO.rows(text, params)

    def look_up(self, text: str, key: str) -> list[tuple[Any, ...]]:
        return self.rows(text, (key,))


@pytest.fixture
def shift(db: None) -> Callable[[timedelta], None]:
    """Move the database's clock, as seen by every statement of this test."""
    decisions._latest.pop(Shifted.name, None)
    with connection.cursor() as cursor:
        cursor.execute(_SHIFTED)

    def by(difference: timedelta) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('shifted.by', %s, true)", [f"{difference.total_seconds()} seconds"])

    return by


def asked(person: str = "p009") -> Decision:
    reading, policy = people_and_policy([person], Shifted())
    return evaluate(policy, reading.of(person), "fable-5", "use")


def test_the_clock_of_the_database_decides_not_that_of_the_machine(waived: None, shift: Any) -> None:
    assert asked().code == "waiver"
    shift(timedelta(days=11))
    later = asked()
    assert later.code == "directive", "the waiver was of ten days"
    assert later.evaluated_at is not None
    assert later.evaluated_at - datetime.now(UTC) > timedelta(days=10)


def test_a_waiver_that_was_ended_stays_ended_when_the_clock_reads_an_earlier_time(waived: None) -> None:
    """To a clock that went back, the end lies in the future."""
    assert decide("p009", "fable-5", "use").code == "waiver"
    assert "p009" in (who_can_use("fable-5", "use") or [])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE waivers_waiver SET ended_at = now() + interval '1 hour', end_reason = 'test'")
    assert decide("p009", "fable-5", "use").code == "directive"
    assert "p009" not in (who_can_use("fable-5", "use") or [])


def test_nothing_is_decided_while_the_clock_is_before_what_was_decided_by(
    waived: None, shift: Any, machine: Any
) -> None:
    wire = Wire(services(Shifted()), create_token(actor=machine, name="gateway", scopes=["decide"]))

    def status(person: str = "p009") -> int:
        return wire.send("/access/v1/evaluation", question(person)).status_code

    shift(timedelta(days=11))
    assert wire.send("/access/v1/evaluation", question()).json()["decision"] is False
    shift(timedelta(0))
    refused = wire.send("/access/v1/evaluation", question())
    assert refused.status_code == 503, "the waiver that had ended would begin again"
    assert refused["Retry-After"]
    assert status("p001") == 503, "nobody is decided on by a clock that is wrong"
    with pytest.raises(CannotDecide):
        asked()
    shift(timedelta(days=11, seconds=-0.5))
    assert status() == 200, "a clock that is being corrected by a little goes on"
    shift(timedelta(days=11, seconds=2))
    assert status() == 200, "once it is past that time again, it is as before"
    shift(timedelta(days=11, seconds=-2))
    assert status() == 503


def test_an_answer_that_was_slow_on_its_way_is_not_taken_for_a_clock_that_went_back(waived: None, shift: Any) -> None:
    """Another thread asked later and was answered first."""

    class Slow(Shifted):
        def rows(self, text: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
            found = super().rows(text, params)
            decisions._latest[self.name] = datetime.now(UTC) + timedelta(seconds=30)
            return found

    reading = decisions.read_people(["p009"], Slow())
    assert reading.of("p009").states
