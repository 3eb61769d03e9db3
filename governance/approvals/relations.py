"""The relations that a policy's stage may name, and the accounts that stand in those the engine can answer itself.

What stands in a relation to the subject of a request, its case or its models, whoever opens the request says: the engine knows no
subject. What a kind does not offer leaves a stage without approvers, which is refused when a request is opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models.functions import Lower

from governance.accounts.models import User
from governance.people.models import Person

Holders = Mapping[int, Sequence[str]]
"""The accounts that stand in a relation, each with what it stands in it through: asked again whenever it matters."""
Relations = Mapping[str, Holders]
"""For each relation that a policy may name, the accounts that stand in it to what is asked for."""


def through_permission(kind: str, permission: str, pk: int) -> str:
    """A permission on one object of a kind (*app.model*): whoever loses it stands in the relation no more."""
    return f"{kind}.{permission}:{pk}"


def through_role(name: str) -> str:
    return f"role:{name}"


@dataclass(frozen=True)
class Relation:
    """``kinds``: the kinds of request that offer it, by their beginnings."""

    name: str
    label: str
    kinds: tuple[str, ...]

    def offered_by(self, kind: str) -> bool:
        return kind.startswith(self.kinds)


_EVERY = ("directive.", "exception")
REQUESTER_MANAGER = Relation("requester.manager", "The requester’s manager", _EVERY)
REQUESTER_MANAGER_MANAGER = Relation("requester.manager.manager", "The requester’s manager’s manager", _EVERY)
MODEL_STEWARD = Relation("model.steward", "A steward of a model that is asked for", ("exception",))
CASE_COUNSEL = Relation("case.counsel", "Counsel of the directive’s case", _EVERY)

RELATIONS = {
    relation.name: relation for relation in (REQUESTER_MANAGER, REQUESTER_MANAGER_MANAGER, MODEL_STEWARD, CASE_COUNSEL)
}


def offered_by(kind: str) -> list[Relation]:
    """The relations that a policy for this kind of request may name."""
    return [relation for relation in RELATIONS.values() if relation.offered_by(kind)]


def of_requester(user: User) -> dict[str, dict[int, list[str]]]:
    """The accounts of the managers above the person whom an account is joined with."""
    above = (
        Person.objects.annotate(address=Lower("email"))
        .filter(address=user.email.lower())
        .values_list(Lower("manager__email"), Lower("manager__manager__email"))
        .first()
    ) or (None, None)
    accounts = {
        address: pk
        for pk, address in User.objects.annotate(address=Lower("email"))
        .filter(address__in=[address for address in above if address], is_active=True)
        .values_list("pk", "address")
    }
    names = (REQUESTER_MANAGER.name, REQUESTER_MANAGER_MANAGER.name)
    return {
        name: {accounts[address]: [name]} for name, address in zip(names, above, strict=True) if address in accounts
    }
