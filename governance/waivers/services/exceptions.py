"""Exception requests: filed, decided, withdrawn. The last approval opens the waiver in the same transaction.

Whether the person is covered is for ``enforcement.services.exceptions`` to know; it calls ``file_exception`` here, in its own
transaction. Whoever changes an exception's state locks its directive first, so that no version takes force in between.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from governance.accounts.actor import Actor
from governance.approvals import services as approvals
from governance.approvals.services import ConflictSpec
from governance.catalog.models import ModelCapability
from governance.directives.models import Directive, Waivable
from governance.directives.states import DirectiveState
from governance.errors import PermissionRefused, WrongState
from governance.people.models import Person
from governance.waivers import queries
from governance.waivers.attachments import Attached
from governance.waivers.models import ExceptionAttachment, ExceptionRequest, Waiver
from governance.waivers.services.licences import licence_for
from governance.waivers.services.opening import close, lapse, open_waiver
from governance.waivers.services.requests import NOT_YOURS, digest_of, lock, misfit, names, record
from governance.waivers.services.terms import check_terms, refuse_overlap, risk_of, summary_of
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
    attached: Sequence[Attached] = (),
    continues: Waiver | None = None,
) -> ExceptionRequest:
    """File a request for one person and open its approval. ``directive`` is locked, ``items`` lie in its scope.

    ``continues`` is a waiver that the request is to go on from, so that asking for the same is no overlap.

    Raises ``PermissionRefused`` for anybody who may not file for the person, ``Invalid`` for days, a licence or a reason that
    do not fit, ``WrongState`` when the directive is not active or admits no waivers, or the same is asked for or waived already.
    """
    if actor.user is None or not queries.may_file_for(actor.user, person):
        raise PermissionRefused(NOT_YOURS)
    version = directive.version_in_force
    if directive.state != DirectiveState.ACTIVE or version is None:
        raise WrongState(f"{directive.reference} is not in force.")
    if version.waivable == Waivable.NEVER:
        raise WrongState(f"{directive.reference} admits no waivers.")
    reason, mitigation = check_terms(items, days=days, reason=reason, mitigation=mitigation, attached=attached)
    refuse_overlap(directive, person, items, waiver=continues)
    drawn_on = licence_for(version, items, days, licence)
    request = ExceptionRequest(
        directive=directive, version=version, person=person, days=days, reason=reason, mitigation=mitigation,
        licence=drawn_on, filer=actor.user,
    )  # fmt: skip
    request.digest = digest_of(request, items, attached)
    request.save()
    request.model_capabilities.set(items)
    ExceptionAttachment.objects.bulk_create(ExceptionAttachment(request=request, **one.as_json()) for one in attached)
    files = {"attachments": [one.sha256 for one in attached]} if attached else {}
    record(actor, request, "filed", items=names(items), days=days, **files)
    approvals.open_request(
        actor=actor,
        kind="exception",
        subject=request.subject,
        content_digest=request.digest,
        summary=summary_of(person, items, days),
        risk=risk_of(items, days),
        conflicts=[ConflictSpec(person_id=person.pk, reason=f"The exception is for you ({request.subject}).")],
        relations=queries.related_to(actor.user, directive, {item.model for item in items}),
    )
    return request


@transaction.atomic
def decide_exception(
    *, actor: Actor, exception_id: int, verdict: str, comment: str = "", seen: str | None = None
) -> ExceptionRequest:
    """One approver's decision; the last approval opens the waiver in the same transaction.

    ``seen`` is the content digest that the approver read, where the caller knows it.
    A request that the version in force leaves no room for is closed with the reason, and no decision is recorded.
    """
    directive, request = lock(exception_id)
    refuse_closed(request, ExceptionState.OPEN)
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
        content_digest=seen or request.digest,
    )
    if outcome.state == "rejected":
        close(request, ExceptionState.REJECTED)
        record(actor, request, "rejected")
    elif outcome.state == "approved":
        open_waiver(actor, directive, request, items)
    return request


def refuse_closed(request: ExceptionRequest, *states: ExceptionState) -> None:
    if request.state not in states:
        why = f" {request.close_reason}" if request.close_reason else ""
        raise WrongState(
            f"Exception {request.pk} is closed: {request.get_state_display().lower()}.{why}", code="closed"
        )


@transaction.atomic
def withdraw_exception(*, actor: Actor, exception_id: int) -> ExceptionRequest:
    """The filer takes an open or waiting request back."""
    _, request = lock(exception_id)
    if actor.user is None or request.filer_id != actor.user.pk:
        raise PermissionRefused("Only the person who filed an exception can withdraw it.")
    refuse_closed(request, ExceptionState.OPEN, ExceptionState.WAITING)
    if request.state == ExceptionState.OPEN:
        approvals.withdraw(actor=actor, request=approvals.open_request_for(request.subject))
    close(request, ExceptionState.WITHDRAWN)
    record(actor, request, "withdrawn")
    return request
