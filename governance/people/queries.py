"""Reads about people and organisations."""

from __future__ import annotations

from django.db.models import QuerySet, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Lower

from governance.accounts.models import User
from governance.people.models import Person

_REPORTS = """
    WITH RECURSIVE report(id) AS (
        SELECT id FROM people_person WHERE manager_id = %s
        UNION SELECT p.id FROM people_person p JOIN report r ON p.manager_id = r.id)
    SELECT id FROM report
"""


def person_of(user: User) -> Person | None:
    """The person whose e-mail address the account has, whichever came first."""
    if not user.email:
        return None
    # As the unique index has it: ``iexact`` compares in capitals, which no index serves, and walks through everybody.
    return Person.objects.annotate(address=Lower("email")).filter(address=Lower(Value(user.email))).first()


def reports_of(person_id: str) -> QuerySet[Person]:
    """Everybody who reports to a person, directly or indirectly."""
    return Person.objects.filter(id__in=RawSQL(_REPORTS, [person_id])).exclude(pk=person_id)


def is_manager(person: Person) -> bool:
    return Person.objects.filter(manager_id=person.pk).exists()
