"""The scenario with many invented people."""

from __future__ import annotations

from django.core.management import call_command
from django.db import connection

from governance.accounts.actor import Actor
from governance.enforcement.services.first_start import first_start
from governance.enforcement.services.people import generate_population
from governance.people.models import Person


def prepare(scale: int) -> int:
    """Migrate, load the scenario, and fill up to ``scale`` invented people; returns how many people there are."""
    call_command("migrate", verbosity=0)
    first_start(mode="1", password="benchmark only")
    missing = scale - Person.objects.filter(pk__startswith="g").count()
    if missing > 0:
        generate_population(actor=Actor.machine("cli:bench"), number=missing, seed=1)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return Person.objects.count()
