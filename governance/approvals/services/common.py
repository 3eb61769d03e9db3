"""What every act on a request does: lock it, look at the database's clock, open and close stages, write it down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.approvals import hours
from governance.approvals.models import Request, RequestStage
from governance.approvals.states import RequestState, StageState
from governance.errors import NotFound, PermissionRefused, WrongState
from governance.ledger import services as ledger
from governance.moments import now


@dataclass(frozen=True)
class Outcome:
    """What an act led to: the request stays ``open`` (at ``stage``), or is ``approved`` or ``rejected``."""

    request: Request
    state: str
    stage: RequestStage


def account(actor: Actor) -> User:
    """The account that acts, locked so that it is not deactivated in the middle. Raises ``PermissionRefused`` without one."""
    if actor.user is None:
        raise PermissionRefused("A decision needs an account.")
    # Not FOR UPDATE: what refers to the account, such as another request of theirs, need not wait.
    user = User.objects.select_for_update(no_key=True).get(pk=actor.user.pk)
    if not user.is_active:
        raise PermissionRefused("This account was deactivated; it decides nothing.", code="inactive")
    return user


def lock(request_id: int) -> Request:
    request = Request.objects.select_for_update().filter(pk=request_id).first()
    if request is None:
        raise NotFound(f"There is no request {request_id}.")
    return request


def lock_open(request_id: int) -> Request:
    """The request, locked. Raises ``WrongState`` when it is closed."""
    request = lock(request_id)
    if request.state != RequestState.OPEN:
        raise WrongState(f"This request is closed: {request.get_state_display().lower()}.", code="closed")
    return request


def open_digest(subject: str) -> str:
    """What the open request about a subject is bound to, as it is now; empty when there is none."""
    found = Request.objects.filter(subject=subject, state=RequestState.OPEN).values_list("content_digest", flat=True)
    return found.first() or ""


def open_request_for(subject: str) -> Request:
    """The open request about a subject, locked. Raises ``WrongState`` when there is none (any more)."""
    request = Request.objects.select_for_update().filter(subject=subject, state=RequestState.OPEN).first()
    if request is None:
        raise WrongState(f"No request about {subject.partition(':')[2]} is open.", code="closed")
    return request


def stages_of(request: Request) -> list[RequestStage]:
    """The stages of the request as it is now, in their order; those of earlier revisions left out."""
    return list(request.stages.filter(revision=request.revision).order_by("position", "name"))


def open_stages(stages: Iterable[RequestStage], moment: datetime) -> None:
    """Open stages whose turn it is; their clocks begin now."""
    for stage in stages:
        stage.state = StageState.OPEN
        if stage.opened_at is None:
            stage.opened_at = moment
            if stage.due_hours is not None:
                stage.due_at = hours.after(moment, stage.due_hours, business=stage.business_hours)
            if stage.remind_hours is not None:
                stage.remind_at = hours.after(moment, stage.remind_hours, business=stage.business_hours)
        stage.save(update_fields=["state", "opened_at", "due_at", "remind_at"])


def set_stage(stage: RequestStage, state: StageState) -> None:
    stage.state = state
    stage.save(update_fields=["state"])


def close(actor: Actor, request: Request, state: RequestState, why: str = "") -> None:
    for stage in stages_of(request):
        if stage.state in (StageState.OPEN, StageState.WAITING):
            set_stage(stage, StageState.CLOSED)
    request.state, request.closed_at, request.stopped_at = state, now(), None
    request.save(update_fields=["state", "closed_at", "stopped_at"])
    act = "set_aside" if state == RequestState.WITHDRAWN and why else str(state)
    record(actor, request, act, **({"reason": why} if why else {}))


def record(actor: Actor, request: Request, act: str, **data: Any) -> None:
    ledger.append(
        action=f"approval.{act}",
        actor=actor.name,
        via=actor.via,
        subject=f"approval:{request.pk}",
        also=[request.subject],
        data=data,
    )
    payload = {"request": request.pk, "subject": request.subject, "by": actor.name}
    ledger.publish(topic=f"approval.{act}", key=request.subject, payload=payload)
