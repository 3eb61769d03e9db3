"""What time brings about: reminders, escalations, refusals. Never a grant.

Run from the schedule. Each act is marked on its row in the transaction that does it, by the database's clock, so it comes once
however often the schedule ticks, and also when ticks were missed.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import F, QuerySet

from governance.accounts.actor import Actor
from governance.approvals.models import AtEnd, RequestStage
from governance.approvals.services.common import Outcome, close, lock, record, set_stage
from governance.approvals.states import RequestState, StageState
from governance.moments import now


def _running() -> QuerySet[RequestStage]:
    """Open stages whose clock runs: their request is open, and no question to the requester is."""
    return RequestStage.objects.filter(
        state=StageState.OPEN, request__state=RequestState.OPEN, request__stopped_at=None,
        revision=F("request__revision"),
    )  # fmt: skip


@transaction.atomic
def remind(*, actor: Actor) -> int:
    """Tell, once, those whose decision a stage waits for; how many stages."""
    due = _running().filter(remind_at__lte=now(), reminded_at=None).select_related("request")
    stages = list(due.select_for_update(of=("self",), skip_locked=True))
    for stage in stages:
        stage.reminded_at = now()
        stage.save(update_fields=["reminded_at"])
        record(actor, stage.request, "reminded", stage=stage.name)
    return len(stages)


def overdue() -> list[int]:
    """The requests for which time has something to do: a stage that escalates or refuses is past its end."""
    ended = _running().filter(due_at__lte=now())
    found = ended.filter(at_end=AtEnd.REFUSE) | ended.filter(at_end=AtEnd.ESCALATE, escalated_at=None)
    return sorted(set(found.values_list("request_id", flat=True)))


@transaction.atomic
def pass_time(*, actor: Actor, request_id: int, refuse: bool = True) -> Outcome | None:
    """Let the overdue stages of a request escalate, or refuse it. None when there is nothing to do (any more).

    Whoever calls holds what the request is about, and acts on a refusal in the same transaction. Without ``refuse`` no time
    closes the request: what it asks for is owed.
    """
    request = lock(request_id)
    outcome = None
    for stage in _running().filter(request=request, due_at__lte=now()).order_by("position", "name"):
        if stage.at_end == AtEnd.REFUSE and refuse:
            set_stage(stage, StageState.REJECTED)
            close(actor, request, RequestState.REJECTED, f"nobody decided “{stage.name}” in time")
            return Outcome(request, request.state, stage)
        if stage.at_end == AtEnd.ESCALATE and stage.escalated_at is None:
            stage.escalated_at = now()
            stage.save(update_fields=["escalated_at"])
            record(actor, request, "escalated", stage=stage.name, to=stage.escalate_to)
            outcome = Outcome(request, request.state, stage)
    return outcome
