"""One advisory lock orders changes of people against changes of what covers them.

Whoever changes attributes of people (imports, verification) holds it exclusively, just for the statements that compare
and write; activations and chunks of runs share it. So a chunk never reads a person half changed, a change of a person
never misses a directive that is being activated, and chunks run side by side.
"""

from __future__ import annotations

from django.db import connection

_PEOPLE = 5_210_612


def hold_people_still() -> None:
    """Until the transaction ends, nobody's attributes change."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_PEOPLE])


def change_people() -> None:
    """Until the transaction ends, no directive takes force and no chunk is worked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_PEOPLE])
