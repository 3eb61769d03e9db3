"""Exception requests: filed, decided, withdrawn. The last approval opens the waiver in the same transaction.

Whether the person is covered is for ``enforcement.services.exceptions`` to know; it calls ``file_exception`` here, in its own
transaction. Whoever changes an exception's state locks its directive first, so that no version takes force in between.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from governance.accounts import objects
from governance.accounts.actor import Actor
from governance.approvals import services as approvals
from governance.approvals.relations import MODEL_STEWARD
from governance.approvals.services import ConflictSpec, Risk
from governance.catalog.models import ModelCapability
from governance.directives import relations
from governance.directives.models import Directive, Waivable
from governance.directives.states import DirectiveState
from governance.errors import Invalid, PermissionRefused, WrongState
from governance.people.models import Person
from governance.values import Unfit, longest, text
from governance.waivers import queries
from governance.waivers.models import ExceptionRequest
from governance.waivers.services.licences import licence_for
from governance.waivers.services.opening import close, lapse, open_waiver
from governance.waivers.services.requests import (
    MAX_DAYS_TIER_4,
    digest_of,
    in_words,
    limit_of,
    lock,
    misfit,
    names,
    record,
)
from governance.waivers.states import ExceptionState


@transaction.atomic
def file_exception(
    *,
    actor: Actor,
    directive: Directive,
    person: Person,
    items: Sequence[ModelCapability],
    days: int,
    reason: str,
    licence: str | None = None,
    mitigation: str = "",
) -> ExceptionRequest:
    """File a request for one person in the actor's care and open its approval. ``directive`` is locked, ``items`` lie in its scope.

    Raises ``PermissionRefused`` for anybody but a manager of the person or an owner of their organisation, ``Invalid`` for days
    or a licence that do not fit, ``WrongState`` when the directive is not active or admits no waivers.
    """
    if actor.user is None or not queries.may_file_for(actor.user, person):
        raise PermissionRefused(queries.WHO_MAY_FILE)
    version = directive.version_in_force
    if directive.state != DirectiveState.ACTIVE or version is None:
        raise WrongState(f"{directive.reference} is not in force.")
    if version.waivable == Waivable.NEVER:
        raise WrongState(f"{directive.reference} admits no waivers.")
    reason = _text("reason", reason).strip()
    _text("mitigation", mitigation, longest(ExceptionRequest, "mitigation"))
    _check_days(days, items)
    if not reason:
        raise Invalid("An exception needs a reason.", [("reason", "is required")])
    _refuse_twice(directive, person, items)
    drawn_on = licence_for(version, items, days, licence)
    request = ExceptionRequest(
        directive=directive, version=version, person=person, days=days, reason=reason, mitigation=mitigation,
        licence=drawn_on, filer=actor.user,
    )  # fmt: skip
    request.digest = digest_of(request, items)
    request.save()
    request.model_capabilities.set(items)
    record(actor, request, "filed", items=names(items), days=days)
    approvals.open_request(
        actor=actor,
        kind="exception",
        subject=request.subject,
        content_digest=request.digest,
        summary=f"{person.name}: {in_words(items)}, {days} days",
        risk=Risk(tier=max(item.capability.tier for item in items), days=days),
        conflicts=[ConflictSpec(person_id=person.pk, reason=f"The exception is for you ({request.subject}).")],
        relations=_relations(actor, directive, items),
    )
    return request


def _relations(actor: Actor, directive: Directive, items: Sequence[ModelCapability]) -> dict[str, set[int]]:
    """For every relation that a policy for exceptions may name, the accounts that stand in it now."""
    stewards = objects.holders(objects.STEWARD, *{item.model for item in items}).values_list("pk", flat=True)
    return relations.of_request(actor, directive) | {MODEL_STEWARD.name: set(stewards)}


def _text(name: str, given: str, limit: int | None = None) -> str:
    try:
        return text(given, limit)
    except Unfit as unfit:
        raise Invalid("The exception is not acceptable.", [(name, unfit.reason)]) from None


def _check_days(days: int, items: Sequence[ModelCapability]) -> None:
    limit = limit_of(items)
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= limit:
        why = " for a capability of tier 4" if limit == MAX_DAYS_TIER_4 else ""
        raise Invalid("The duration is not acceptable.", [("days", f"must be from 1 to {limit}{why}")])


def _refuse_twice(directive: Directive, person: Person, items: Sequence[ModelCapability]) -> None:
    twice = ExceptionRequest.objects.filter(
        directive=directive, person=person, model_capabilities__in=items,
        state__in=[ExceptionState.OPEN, ExceptionState.WAITING],
    ).first()  # fmt: skip
    if twice is not None:
        raise WrongState(f"Exception {twice.pk} for the same person asks for that already and is still open.")


@transaction.atomic
def decide_exception(*, actor: Actor, exception_id: int, verdict: str, comment: str = "") -> ExceptionRequest:
    """One approver's decision; the last approval opens the waiver in the same transaction.

    A request that the version in force leaves no room for is closed with the reason, and no decision is recorded.
    """
    directive, request = lock(exception_id)
    _refuse_closed(request, ExceptionState.OPEN)
    items = list(request.model_capabilities.select_related("model", "capability"))
    if digest_of(request, items) != request.digest:
        raise WrongState(f"Exception {request.pk} is not what was filed any more. It cannot be decided.")
    reason = misfit(directive, request, items)
    if reason is not None:
        lapse(actor, request, reason)
        return request
    outcome = approvals.vote(
        actor=actor,
        request=approvals.open_request_for(request.subject),
        verdict=verdict,
        comment=comment,
        content_digest=request.digest,
    )
    if outcome.state == "rejected":
        close(request, ExceptionState.REJECTED)
        record(actor, request, "rejected")
    elif outcome.state == "approved":
        open_waiver(actor, directive, request, items)
    return request


def _refuse_closed(request: ExceptionRequest, *states: ExceptionState) -> None:
    if request.state not in states:
        why = f" {request.close_reason}" if request.close_reason else ""
        raise WrongState(f"Exception {request.pk} is closed: {request.get_state_display().lower()}.{why}")


@transaction.atomic
def withdraw_exception(*, actor: Actor, exception_id: int) -> ExceptionRequest:
    """The filer takes an open or waiting request back."""
    _, request = lock(exception_id)
    if actor.user is None or request.filer_id != actor.user.pk:
        raise PermissionRefused("Only the person who filed an exception can withdraw it.")
    _refuse_closed(request, ExceptionState.OPEN, ExceptionState.WAITING)
    if request.state == ExceptionState.OPEN:
        approvals.withdraw(actor=actor, request=approvals.open_request_for(request.subject))
    close(request, ExceptionState.WITHDRAWN)
    record(actor, request, "withdrawn")
    return request
