"""What time brings about for an exception that nobody decided."""

from __future__ import annotations

from django.db import transaction

from governance.accounts.actor import Actor
from governance.approvals import services as approvals
from governance.approvals.services import Outcome
from governance.approvals.states import RequestState
from governance.waivers.services.opening import close
from governance.waivers.services.requests import lock, record
from governance.waivers.states import ExceptionState


@transaction.atomic
def pass_time(*, actor: Actor, exception_id: int, request_id: int) -> Outcome | None:
    """Let the overdue stages of an exception's request escalate, or refuse it and with it the exception, saying why."""
    _, request = lock(exception_id)
    outcome = approvals.pass_time(actor=actor, request_id=request_id)
    if outcome is not None and outcome.state == RequestState.REJECTED:
        reason = f"Nobody decided the stage “{outcome.stage.name}” in time."
        close(request, ExceptionState.REJECTED, reason=reason)
        record(actor, request, "rejected", reason=reason)
    return outcome
