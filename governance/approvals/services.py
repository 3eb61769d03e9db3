"""The one approvals engine: open a request, vote, withdraw. Callers act on the outcome it returns.

It knows no subject: a request is about text and a content digest. Stages are resolved from the policy in force when the
request is opened, and frozen with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.approvals import queries
from governance.approvals.models import ApprovalPolicy, Conflict, PolicyStage, Request, RequestStage, Verdict, Vote
from governance.approvals.states import RequestState, StageState
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.ledger import services as ledger


@dataclass(frozen=True)
class Risk:
    """What a policy's conditions look at: the highest capability tier asked for, and for how many days."""

    tier: int = 0
    days: int = 0


@dataclass(frozen=True)
class ConflictSpec:
    """Somebody who may not decide, by account or by person, with the reason a page shows them."""

    reason: str
    user_id: int | None = None
    person_id: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a vote led to: the request stays ``open`` (at ``stage``), or is ``approved`` or ``rejected``."""

    request: Request
    state: str
    stage: RequestStage


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        return cursor.fetchone()[0]


@transaction.atomic
def open_request(
    *,
    actor: Actor,
    kind: str,
    subject: str,
    content_digest: str,
    summary: str,
    reason: str = "",
    risk: Risk = Risk(),
    conflicts: Sequence[ConflictSpec] = (),
) -> Request:
    """Open a request and its first stage.

    Raises ``WrongState`` when one about the subject is open already, and ``Invalid`` when a stage has nobody who could
    decide it: who could be added is said.
    """
    if actor.user is None:
        raise PermissionRefused("A request needs an account that asks for it.")
    if Request.objects.filter(subject=subject, state=RequestState.OPEN).exists():
        raise WrongState(f"A request about {subject.partition(':')[2]} is open already.")
    policy = ApprovalPolicy.objects.prefetch_related("stages").get(kind=kind, active=True)
    now = _now()
    request = Request.objects.create(
        kind=kind, subject=subject, summary=summary[:300], content_digest=content_digest, policy=policy,
        requester=actor.user, requester_via=actor.via, reason=reason, opened_at=now,
    )  # fmt: skip
    Conflict.objects.bulk_create(
        Conflict(request=request, user_id=c.user_id, person_id=c.person_id, reason=c.reason[:200]) for c in conflicts
    )
    wanted = [stage for stage in policy.stages.all() if _applies(stage, risk)]
    for position, stage in enumerate(wanted, start=1):
        RequestStage.objects.create(
            request=request, position=position, name=stage.name, groups=stage.groups, quorum=stage.quorum,
            due_at=now + timedelta(hours=stage.due_hours) if stage.due_hours else None,
            state=StageState.OPEN if position == 1 else StageState.WAITING,
        )  # fmt: skip
    _refuse_unfillable(request)
    _record(actor, request, "opened", kind=kind, stages=[stage.name for stage in wanted], digest=content_digest)
    return request


def _applies(stage: PolicyStage, risk: Risk) -> bool:
    return (stage.min_tier is None or risk.tier >= stage.min_tier) and (
        stage.more_than_days is None or risk.days > stage.more_than_days
    )


def _refuse_unfillable(request: Request) -> None:
    """Nobody votes twice in a request, so the stages together need enough different people."""
    taken: set[int] = set()
    for stage in request.stages.all():
        free = set(queries.eligible(stage).values_list("pk", flat=True)) - taken
        if len(free) < stage.quorum:
            raise Invalid(
                f"Nobody could decide the stage “{stage.name}”: no active account without a conflict has the role "
                f"{' or '.join(stage.groups)}. Ask an administrator to give somebody that role."
            )
        if len(free) == stage.quorum:
            taken |= free


def lock(request_id: int) -> Request:
    request = Request.objects.select_for_update().filter(pk=request_id).first()
    if request is None:
        raise NotFound(f"There is no request {request_id}.")
    return request


def open_digest(subject: str) -> str:
    """What the open request about a subject is bound to, as it is now; empty when there is none."""
    found = Request.objects.filter(subject=subject, state=RequestState.OPEN).values_list("content_digest", flat=True)
    return found.first() or ""


def open_request_for(subject: str) -> Request:
    """The open request about a subject, locked. Raises ``WrongState`` when there is none (any more)."""
    request = Request.objects.select_for_update().filter(subject=subject, state=RequestState.OPEN).first()
    if request is None:
        raise WrongState(f"No request about {subject.partition(':')[2]} is open.")
    return request


@transaction.atomic
def vote(
    *,
    actor: Actor,
    request: Request,
    verdict: str,
    content_digest: str,
    comment: str = "",
    extra_conflict: str | None = None,
) -> Outcome:
    """One person's decision. The request is locked and re-checked first, so the loser of a race sees what happened.

    Raises ``WrongState`` (closed, content changed, decided already) or ``PermissionRefused`` (not eligible, conflict), each
    with its reason.
    """
    request = lock(request.pk)
    if verdict not in Verdict.values:
        raise Invalid("A decision approves or rejects.")
    if actor.user is None:
        raise PermissionRefused("A decision needs an account.")
    user = User.objects.select_for_update().get(pk=actor.user.pk)  # it is not deactivated in the middle of this
    if request.state != RequestState.OPEN:
        raise WrongState(f"This request is closed: {request.get_state_display().lower()}.")
    if request.content_digest != content_digest:
        raise WrongState("What was asked for has changed. Read it again before you decide.")
    reason = extra_conflict or queries.why_not(user, request) or _same_hands(actor, user, request)
    if reason is not None:
        raise PermissionRefused(reason)
    stage = request.stages.get(state=StageState.OPEN)
    now = _now()
    Vote.objects.create(
        request=request, stage=stage, approver=user, via=actor.via, verdict=verdict, comment=comment.strip(),
        content_digest=content_digest, at=now,
    )  # fmt: skip
    _record(actor, request, "voted", verdict=str(verdict), stage=stage.name, digest=content_digest)
    if verdict == Verdict.REJECT:
        _set_stage(stage, StageState.REJECTED)
        _close(actor, request, RequestState.REJECTED, now)
    elif stage.votes.filter(verdict=Verdict.APPROVE).count() >= stage.quorum:
        _set_stage(stage, StageState.APPROVED)
        following = request.stages.filter(state=StageState.WAITING).first()
        if following is None:
            _close(actor, request, RequestState.APPROVED, now)
        else:
            _set_stage(following, StageState.OPEN)
    return Outcome(request, request.state, stage)


def _same_hands(actor: Actor, user: User, request: Request) -> str | None:
    """One operating-system user cannot stand on both sides of a request; demo accounts are exempt."""
    if not actor.via or user.is_demo:
        return None
    sides = {request.requester_via} | set(request.votes.values_list("via", flat=True))
    return f"{actor.via} has taken part in this request already, for another account." if actor.via in sides else None


def _set_stage(stage: RequestStage, state: StageState) -> None:
    stage.state = state
    stage.save(update_fields=["state"])


def _close(actor: Actor, request: Request, state: RequestState, now: datetime, why: str = "") -> None:
    for stage in request.stages.filter(state__in=[StageState.OPEN, StageState.WAITING]):
        _set_stage(stage, StageState.CLOSED)
    request.state, request.closed_at = state, now
    request.save(update_fields=["state", "closed_at"])
    _record(actor, request, "set_aside" if why else str(state), **({"reason": why} if why else {}))


@transaction.atomic
def withdraw(*, actor: Actor, request: Request) -> Request:
    """The requester takes an open request back."""
    request = lock(request.pk)
    if actor.user is None or request.requester_id != actor.user.pk:
        raise PermissionRefused("Only the person who asked can withdraw a request.")
    if request.state != RequestState.OPEN:
        raise WrongState(f"This request is closed: {request.get_state_display().lower()}.")
    _close(actor, request, RequestState.WITHDRAWN, _now())
    return request


@transaction.atomic
def set_aside(*, actor: Actor, subject: str, reason: str = "it went another way") -> Request | None:
    """Close the open request about a subject that went another way, so that it waits in nobody's inbox; None if none is."""
    request = Request.objects.select_for_update().filter(subject=subject, state=RequestState.OPEN).first()
    if request is not None:
        _close(actor, request, RequestState.WITHDRAWN, _now(), reason)
    return request


def _record(actor: Actor, request: Request, act: str, **data: Any) -> None:
    ledger.append(
        action=f"approval.{act}",
        actor=actor.name,
        via=actor.via,
        subject=f"approval:{request.pk}",
        also=[request.subject],
        data=data,
    )
    ledger.publish(
        topic=f"approval.{act}", key=request.subject, payload={"request": request.pk, "subject": request.subject}
    )
