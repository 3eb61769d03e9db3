"""Reads about people and organisations."""

from __future__ import annotations

from django.db.models import Q, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Lower

from governance.accounts import objects
from governance.accounts.models import User
from governance.people.models import Organisation, Person

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


def accounts_of(person: Person) -> QuerySet[User]:
    """The account that has the person's e-mail address, if there is one."""
    return User.objects.annotate(address=Lower("email")).filter(address=person.email.lower())


def reports_of(person_id: str) -> QuerySet[Person]:
    """Everybody who reports to a person, directly or indirectly."""
    return Person.objects.filter(id__in=RawSQL(_REPORTS, [person_id])).exclude(pk=person_id)


_ABOVE = """
    WITH RECURSIVE above(id) AS (
        SELECT manager_id FROM people_person WHERE id = %s AND manager_id IS NOT NULL
        UNION SELECT p.manager_id FROM people_person p JOIN above a ON p.id = a.id WHERE p.manager_id IS NOT NULL)
    SELECT id FROM above
"""


def addresses_above(person_id: str) -> QuerySet[Person, str]:
    """The e-mail addresses of everybody above a person, in small letters."""
    above = Person.objects.filter(id__in=RawSQL(_ABOVE, [person_id])).exclude(pk=person_id)
    return above.values_list(Lower("email"), flat=True)


def organisations_of(user: User) -> QuerySet[Organisation]:
    """The organisations that the account owns."""
    return objects.objects_for(user, objects.OWNER, Organisation)


def visible_to(user: User) -> QuerySet[Person]:
    """Everybody for those who may view people; else the members of the organisations that the account owns."""
    people = Person.objects.all()
    return people if user.has_right("view_people") else people.filter(organisation__in=organisations_of(user))


def is_manager(person: Person) -> bool:
    return Person.objects.filter(manager_id=person.pk).exists()


def named(text: str, most: int = 10) -> list[Person]:
    """The person of that id or e-mail address; else those whose name has every word, a few of them."""
    exact = Person.objects.filter(Q(pk=text) | Q(email__iexact=text)).first()
    if exact is not None:
        return [exact]
    found = Person.objects.all()
    for word in text.split():
        found = found.filter(Q(given_name__icontains=word) | Q(family_name__icontains=word))
    return list(found.order_by("family_name", "pk")[:most])
