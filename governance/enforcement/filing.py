"""Reads for those who file exceptions: what is in a directive's scope, and what of it each person lost."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import QuerySet

from governance.accounts.actor import Actor
from governance.directives.models import Directive
from governance.enforcement import policy as policies
from governance.enforcement.decision import evaluate, people_and_policy
from governance.enforcement.policy import ModelCapability
from governance.errors import NotFound


def known_to(actor: Actor) -> QuerySet[Directive]:
    """Directives; for whoever may not view them, those that have been in force: people were told of them."""
    found = Directive.objects.select_related("version_in_force")
    return found if actor.has("view_directives") else found.filter(version_in_force__isnull=False)


def directive_of(actor: Actor, reference: str) -> Directive:
    """The directive of that reference. Raises ``NotFound`` for one that the actor does not know."""
    found = known_to(actor).filter(reference=reference).first()
    if found is None:
        raise NotFound(f"There is no directive {reference}.")
    return found


def scope_of(directive: Directive) -> list[ModelCapability]:
    """The model capabilities in scope of a directive in force, sorted."""
    policy = policies.load()
    rule = policy.directive(directive.pk)
    if rule is None:
        raise NotFound(f"{directive.reference} is not in force.")
    return sorted((policy.by_id[i] for i in rule.scope if i in policy.by_id), key=lambda item: item.name)


def lost(person_ids: Collection[str], directive: Directive) -> dict[str, list[ModelCapability]]:
    """For each person the model capabilities that the directive denies them now, sorted; one reading of all of them."""
    reading, policy = people_and_policy(person_ids)
    rule = policy.directive(directive.pk)
    items = sorted((policy.by_id[i] for i in rule.scope if i in policy.by_id), key=lambda i: i.name) if rule else []

    def denied(person_id: str, item: ModelCapability) -> bool:
        decision = evaluate(policy, reading.of(person_id), item.model, item.capability)
        return not decision.permit and directive.reference in decision.directives

    return {person_id: [item for item in items if denied(person_id, item)] for person_id in person_ids}
