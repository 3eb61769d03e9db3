"""Recording who looked at what is sensitive: each look at a list of covered people, each reveal with its purpose."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from governance.accounts.actor import Actor
from governance.errors import Invalid, NotFound
from governance.ledger import services as ledger
from governance.people.models import Person

PURPOSES = ("Prepare an exception", "Check a correction", "Counsel asked", "Answer the authority")


@dataclass(frozen=True)
class Revealed:
    """The sensitive values of one person; None is not known."""

    citizenships: list[str] | None
    permanent_residences: list[str] | None
    protected_status: bool | None
    residence_country: str | None


@transaction.atomic
def record_look(*, actor: Actor, what: str, subject: str) -> None:
    """One entry for one look at a list that says something about nationality."""
    ledger.append(action="look.list", actor=actor.name, via=actor.via, subject=subject, data={"what": what})


@transaction.atomic
def reveal(*, actor: Actor, person_id: str, purpose: str) -> Revealed:
    """The sensitive values of a person, after the look and its purpose were recorded.

    Raises ``PermissionRefused`` without the right, ``Invalid`` without a purpose.
    """
    actor.require("reveal_sensitive")
    if purpose not in PURPOSES:
        raise Invalid("Say why you need to see it.", [("purpose", "is required")])
    person = Person.objects.filter(pk=person_id).first()
    if person is None:
        raise NotFound(f"There is no person {person_id}.")
    ledger.append(
        action="person.revealed",
        actor=actor.name,
        via=actor.via,
        subject=f"person:{person_id}",
        data={"purpose": purpose},
    )
    return Revealed(person.citizenships, person.permanent_residences, person.protected_status, person.residence_country)
