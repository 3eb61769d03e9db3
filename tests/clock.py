"""Time under control: the database's own clock, moved for this connection.

Everything that decides by time asks ``statement_timestamp()``. A function of that name in a schema that is searched first takes
its place, also inside triggers and the functions they call; no row is touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection

from governance.enforcement import decision

_SCHEMA = """
CREATE SCHEMA IF NOT EXISTS moved_clock;
CREATE OR REPLACE FUNCTION moved_clock.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('moved_clock.stands_at', true), '')::timestamptz,
                    pg_catalog.statement_timestamp())
           + coalesce(nullif(current_setting('moved_clock.later_by', true), ''), '0')::interval
$$;
SET search_path = moved_clock, public, pg_catalog;
"""


class Clock:
    """Of one connection: ``pass_time`` moves it on, ``stand_at`` stops it at a moment."""

    def __init__(self) -> None:
        self._later = timedelta()

    def pass_time(self, **by: float) -> None:
        self._later += timedelta(**by)
        self._set("later_by", f"{self._later.total_seconds()} seconds")

    def stand_at(self, moment: datetime) -> None:
        self._later = timedelta()
        self._set("later_by", "0")
        self._set("stands_at", moment.isoformat())

    def _set(self, name: str, value: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config(%s, %s, false)", [f"moved_clock.{name}", value])


@contextmanager
def moved_clock() -> Iterator[Clock]:
    """Inside, this connection's clock can be moved. Needs a connection that may create a schema (tests connect as the owner)."""
    with connection.cursor() as cursor:
        cursor.execute(_SCHEMA)
    clock = Clock()
    clock._set("stands_at", "")
    clock.pass_time()
    try:
        yield clock
    finally:
        decision._latest.clear()  # the moments of this clock are no news of a clock that went back
        with connection.cursor() as cursor:
            cursor.execute("RESET search_path")
        clock._set("stands_at", "")
        clock._set("later_by", "0")
