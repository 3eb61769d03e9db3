"""Deciding: one account, one stage, one content digest; and what follows for the stages."""

from __future__ import annotations

from django.db import connection, transaction

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.approvals import eligibility
from governance.approvals.models import Request, RequestStage, Verdict, Vote
from governance.approvals.services.common import (
    Outcome,
    account,
    close,
    lock_open,
    open_stages,
    record,
    set_stage,
    stages_of,
)
from governance.approvals.states import RequestState, StageState
from governance.errors import Invalid, PermissionRefused, WrongState
from governance.moments import now


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
    """One decision, in the account's own right or for somebody who delegated theirs to it.

    The request is locked and everything is checked again, so the loser of a race sees what happened. A decision whose maker is
    not eligible any more counts no longer, and its stage opens again.

    Raises ``WrongState`` (closed, content changed) or ``PermissionRefused`` (conflict, decided already, not their turn, not
    eligible), each with its reason.
    """
    if verdict not in Verdict.values:
        raise Invalid("A decision approves or rejects.")
    request = lock_open(request.pk)
    user = account(actor)
    if request.content_digest != content_digest:
        raise WrongState("What was asked for has changed. Read it again before you decide.", code="content_changed")
    eligibility.hold_delegations(user)
    if extra_conflict is not None:
        raise PermissionRefused(extra_conflict, code="conflict")
    standing = eligibility.standing(user, request)
    if standing.refusal is not None:
        raise PermissionRefused(standing.refusal.text, code=standing.refusal.code)
    same_hands = _same_hands(actor, user, request)
    if same_hands is not None:
        raise PermissionRefused(same_hands, code="same_hands")
    stage, principal = standing.stage, standing.on_behalf_of
    assert stage is not None
    Vote.objects.create(
        request=request, stage=stage, approver=user, on_behalf_of=principal, revision=request.revision, via=actor.via,
        verdict=verdict, comment=comment.strip(), content_digest=content_digest, at=now(),
    )  # fmt: skip
    for_whom = {"for": principal.username} if principal else {}
    record(actor, request, "voted", verdict=str(verdict), stage=stage.name, digest=content_digest, **for_whom)
    if verdict == Verdict.REJECT:
        set_stage(stage, StageState.REJECTED)
        close(actor, request, RequestState.REJECTED)
    else:
        _advance(actor, request)
        stage.refresh_from_db()
    return Outcome(request, request.state, stage)


def _same_hands(actor: Actor, user: User, request: Request) -> str | None:
    """One operating-system user cannot stand on both sides of a request; demo accounts are exempt."""
    if not actor.via or user.is_demo:
        return None
    sides = {request.requester_via} | set(request.votes.values_list("via", flat=True))
    return f"{actor.via} has taken part in this request already, for another account." if actor.via in sides else None


def _advance(actor: Actor, request: Request) -> None:
    """Bring the stages in step with the decisions that count now; approve the request when all of them are."""
    stages = stages_of(request)
    counting = _counting(stages)
    for position in sorted({stage.position for stage in stages}):
        step = [stage for stage in stages if stage.position == position]
        open_stages([stage for stage in step if stage.state == StageState.WAITING], now())
        for stage in step:
            enough = counting[stage.pk] >= stage.quorum
            if enough and stage.state == StageState.OPEN:
                set_stage(stage, StageState.APPROVED)
            elif not enough and stage.state == StageState.APPROVED:
                set_stage(stage, StageState.OPEN)
                record(actor, request, "reopened", stage=stage.name, reason="an approver is not eligible any more")
        if any(stage.state != StageState.APPROVED for stage in step):
            for later in stages:
                if later.position > position and later.state == StageState.OPEN:
                    set_stage(later, StageState.WAITING)
            return
    close(actor, request, RequestState.APPROVED)


def _counting(stages: list[RequestStage]) -> dict[int, int]:
    """How many approvals of each stage count: the database's own answer, which its triggers go by."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT s, approvals_counting(s) FROM unnest(%s::bigint[]) s", [[stage.pk for stage in stages]])
        return dict(cursor.fetchall())
