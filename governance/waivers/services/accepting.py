"""Conditions: added by who approves, accepted by the person, and only then does the waiver open; or declined, and it never does."""

from __future__ import annotations

from django.db import transaction

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.approvals import services as approvals
from governance.approvals.queries import why_not
from governance.directives.models import Directive
from governance.errors import NotFound, PermissionRefused, WrongState
from governance.moments import now
from governance.people import queries as people
from governance.waivers.models import Acceptance, Condition, ExceptionRequest
from governance.waivers.services.opening import begin, close, lapse
from governance.waivers.services.requests import lock, misfit, record
from governance.waivers.services.terms import short_text
from governance.waivers.states import ExceptionState

LONGEST_CONDITION = 1_000
LONGEST_ANSWER = 300


def add_condition(actor: Actor, request: ExceptionRequest, words: str) -> None:
    """Add what an approver asks of the person; nothing where nothing is said. The vote that follows says whether they may."""
    if not words or actor.user is None:
        return
    refused = why_not(actor.user, approvals.open_request_for(request.subject))
    if refused is not None:
        raise PermissionRefused(refused)
    Condition.objects.create(request=request, revision=request.revision, text=words, author=actor.user, at=now())
    record(actor, request, "condition_added")


@transaction.atomic
def accept_conditions(*, actor: Actor, exception_id: int, digest: str) -> ExceptionRequest:
    """The person's own word; the waiver opens at this commit. ``digest`` is that of the conditions the page showed.

    Raises ``NotFound`` for anybody else. A request that the version in force leaves no room for is closed with the reason.
    """
    user, directive, request = _for_oneself(actor, exception_id, digest)
    items = list(request.model_capabilities.select_related("model", "capability"))
    reason = misfit(directive, request, items)
    if reason is not None:
        lapse(actor, request, reason)
        return request
    Acceptance.objects.create(request=request, account=user, digest=digest, at=now())
    record(actor, request, "accepted", conditions=digest)
    begin(actor, request, items, request.licence)
    return request


@transaction.atomic
def decline_conditions(*, actor: Actor, exception_id: int, digest: str, words: str = "") -> ExceptionRequest:
    """The person's own word that they do not take it on these conditions: the exception ends, nothing opens, the filer is told.

    ``digest`` is that of the conditions the page showed, ``words`` what the person says to it, if anything. Raises ``NotFound``
    for anybody else.
    """
    _, _, request = _for_oneself(actor, exception_id, digest)
    words = short_text("words", words, LONGEST_ANSWER).strip()
    close(request, ExceptionState.DECLINED, reason=words)
    record(actor, request, "conditions_declined", conditions=digest)
    return request


def _for_oneself(actor: Actor, exception_id: int, digest: str) -> tuple[User, Directive, ExceptionRequest]:
    """The account, and its exception that waits for its word on the conditions of that digest, locked."""
    user = User.objects.filter(pk=actor.user.pk, is_active=True).first() if actor.user else None
    me = people.person_of(user) if user else None
    if user is None or me is None or not ExceptionRequest.objects.filter(pk=exception_id, person=me).exists():
        raise NotFound(f"There is no exception {exception_id} that waits for your word.")
    directive, request = lock(exception_id)
    if request.state != ExceptionState.ACCEPTING:
        raise WrongState(f"Exception {request.pk} does not wait for you: {request.get_state_display().lower()}.")
    if digest != request.conditions_digest:
        raise WrongState(
            "These are not the conditions that were approved. Read them again before you answer.",
            code="content_changed",
        )
    return user, directive, request
