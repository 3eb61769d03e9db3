"""Waivers where it takes the decision to know: one that is asked to go on, and one that two people open at once."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from governance.accounts.actor import Actor
from governance.catalog.models import ModelCapability
from governance.directives import services as directives
from governance.enforcement.decision import Decision, evaluate, subject_and_policy
from governance.enforcement.services.exceptions import file_exception
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.people.models import Person
from governance.waivers import limits, queries
from governance.waivers import services as waivers
from governance.waivers.attachments import Attached
from governance.waivers.models import BreakGlass, ExceptionRequest, Waiver
from governance.waivers.services.licences import still_fits


@transaction.atomic
def renew_waiver(*, actor: Actor, waiver_id: int) -> ExceptionRequest:
    """Ask that a waiver goes on: a new exception that carries over what the first one said, and passes every stage again.

    By whoever filed it or a manager of the person. What the directive does not cover any more is left out; the licence stays
    if it still fits. Raises ``NotFound`` for anybody else, ``WrongState`` when it goes on being asked for already.
    """
    waiver = Waiver.objects.select_related("request__licence", "person", "directive").filter(pk=waiver_id).first()
    if waiver is None or actor.user is None or not queries.waivers_visible_to(actor.user).filter(pk=waiver_id).exists():
        raise NotFound(f"There is no waiver {waiver_id} that you may see.")
    former = waiver.request
    if former is None:
        raise WrongState("What two people opened at once is not renewed. Ask for an exception.")
    if not queries.may_ask_for(actor.user, waiver.person, waiver):
        raise PermissionRefused("A waiver is renewed by whoever asked for it, or by a manager of the person.")
    directive = directives.lock(waiver.directive.reference)
    version = directive.version_in_force
    scope = queries.model_capabilities_in_scope(version) if version else set()
    every = ModelCapability.objects.filter(pk__in=former.model_capabilities.values("pk"))
    items = [item for item in every.select_related("model", "capability") if item.pk in scope]
    if not items:
        raise WrongState(f"{directive.reference} covers nothing any more of what this waiver was for.")
    days = min(former.days, limits.in_force().of(items))
    licence = former.licence if former.licence and still_fits(former.licence, items, days) else None
    return file_exception(
        actor=actor,
        reference=directive.reference,
        person_id=waiver.person_id,
        items=[(item.model.slug, item.capability.slug) for item in items],
        days=days,
        reason=former.reason,
        licence=licence.reference if licence else None,
        mitigation=former.mitigation,
        conditions=former.conditions,
        attached=[Attached.of(row) for row in former.attachments.all()],
        renews=waiver,
    )


@transaction.atomic
def break_glass(
    *, actor: Actor, reference: str, person_id: str, items: Sequence[tuple[str, str]], hours: int, reason: str
) -> BreakGlass:
    """The first of two people asks for a waiver at once. ``items`` are (model, capability) slugs that the directive denies.

    Nothing opens until the second confirms it (``waivers.services.confirm_break_glass``).
    """
    actor.require("break_glass")
    person = Person.objects.filter(pk=person_id).first()
    if person is None:
        raise NotFound("There is no such person.")
    directive = directives.lock(reference)
    subject, policy = subject_and_policy(person_id)
    if not items:
        raise Invalid("Name at least one capability.", [("capabilities", "is required")])
    ids = []
    for model, capability in dict.fromkeys(items):
        decision = evaluate(policy, subject, model, capability)
        if decision.model_capability is None or not _denied_by(decision, directive.pk):
            raise Invalid(
                f"{reference} does not keep {person.name} from {model}/{capability}.",
                [("capabilities", f"{reference} does not keep them from {model}/{capability}")],
            )
        ids.append(decision.model_capability.id)
    return waivers.break_glass(
        actor=actor, directive=directive, person=person, item_ids=ids, hours=hours, reason=reason
    )


def _denied_by(decision: Decision, directive_id: int) -> bool:
    return any(
        entry.directive.directive_id == directive_id and entry.denies and not entry.waived
        for entry in decision.covering
    )


def follow_the_clock(*, actor: Actor) -> None:
    """What time brings to waivers, from the schedule: reminders before they end, reviews that nobody wrote. Ends need no job."""
    waivers.remind_ending(actor=actor)
    waivers.tell_overdue_reviews(actor=actor)
