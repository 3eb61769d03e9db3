"""The one clock, and times in words. Everything that decides by time asks the database: its clock is nobody's machine's."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection


def now() -> datetime:
    """The database's clock, at this statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found


def local(moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo(settings.DISPLAY_TIME_ZONE))


def zone(here: datetime) -> str:
    name = here.tzname() or ""
    return {"EST": "Eastern", "EDT": "Eastern"}.get(name, name)


def clock(here: datetime) -> str:
    return f"{here:%-I:%M} {'a.m.' if here.hour < 12 else 'p.m.'}"


def words(here: datetime) -> str:
    """A local time with its zone: *Fri 12 June 2026, 5:21 p.m. Eastern*."""
    return f"{here:%a %-d %B %Y}, {clock(here)} {zone(here)}"
