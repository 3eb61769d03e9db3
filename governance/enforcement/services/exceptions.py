"""Exceptions: checks that the person is covered, then leaves the rest to ``waivers``."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from governance.accounts.actor import Actor
from governance.catalog.models import ModelCapability
from governance.directives import services as directives
from governance.directives.models import Directive
from governance.enforcement import policy as policies
from governance.enforcement.decision import Subject, rule_truth, subject_and_policy
from governance.enforcement.policy import DirectiveRule, Policy
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.people.models import Person
from governance.waivers import queries as waiver_queries
from governance.waivers import services as waivers
from governance.waivers.models import ExceptionRequest


@transaction.atomic
def file_exception(
    *,
    actor: Actor,
    reference: str,
    person_id: str,
    items: Sequence[tuple[str, str]],
    days: int,
    reason: str,
    licence: str | None = None,
    mitigation: str = "",
) -> ExceptionRequest:
    """File an exception for one person in the actor's care. ``items`` are (model, capability) slugs in the directive's scope.

    Raises ``PermissionRefused`` before it says anything about the person, then ``Invalid`` for a person who is not covered or
    a capability outside the scope.
    """
    person = Person.objects.filter(pk=person_id).first()
    if actor.user is None or person is None or not waiver_queries.may_file_for(actor.user, person):
        raise PermissionRefused(waiver_queries.WHO_MAY_FILE)
    directive = directives.lock(reference)
    subject, policy = subject_and_policy(person_id)
    rule = policy.directive(directive.pk)
    if rule is None or not rule.counts_at(subject.now):
        raise WrongState(f"{reference} is not in force.")
    if not _covered(rule, subject):
        raise Invalid(f"{reference} does not cover {person.name}; there is nothing to make an exception from.")
    return waivers.file_exception(
        actor=actor,
        directive=directive,
        person=person,
        items=_items(policy, rule, items),
        days=days,
        reason=reason,
        licence=licence,
        mitigation=mitigation,
    )


def _covered(rule: DirectiveRule, subject: Subject) -> bool:
    truth = rule_truth(rule, subject)
    return truth is True or (truth is None and rule.unknown_denies_at(subject.now))


def _items(policy: Policy, rule: DirectiveRule, items: Sequence[tuple[str, str]]) -> list[ModelCapability]:
    if not items:
        raise Invalid("Name at least one capability.", [("capabilities", "is required")])
    ids = []
    for model, capability in dict.fromkeys(items):
        found = policy.model_capabilities.get((model, capability))
        if found is None or found.id not in rule.scope:
            raise Invalid(f"{model}/{capability} is not in the scope of {rule.reference}.")
        ids.append(found.id)
    return list(ModelCapability.objects.filter(pk__in=ids).select_related("model", "capability"))


def scope_of(directive: Directive) -> list[policies.ModelCapability]:
    """The model capabilities in scope of a directive in force, sorted."""
    policy = policies.load()
    rule = policy.directive(directive.pk)
    if rule is None:
        raise NotFound(f"{directive.reference} is not in force.")
    return sorted((policy.by_id[i] for i in rule.scope if i in policy.by_id), key=lambda item: item.name)
