"""Talking about a request: comments, questions that stop its clock, and handing a stage to somebody."""

from __future__ import annotations

from django.db import transaction

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.approvals import eligibility
from governance.approvals.models import Comment, CommentKind, Request, StageApprover
from governance.approvals.services.common import account, lock_open, record, stages_of
from governance.approvals.states import StageState
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.moments import now
from governance.values import Unfit, text


@transaction.atomic
def comment(*, actor: Actor, request: Request, words: str) -> Comment:
    """A remark by the requester, or by somebody who decides or has decided."""
    request = lock_open(request.pk)
    user = account(actor)
    if not eligibility.takes_part(user, request):
        raise PermissionRefused("Those who ask and those who decide comment on a request.")
    found = Comment.objects.create(request=request, author=user, text=_words(words), at=now())
    record(actor, request, "commented")
    return found


@transaction.atomic
def ask_back(*, actor: Actor, request: Request, words: str) -> Comment:
    """A question to the requester, from somebody who could decide now. No clock of the request runs until it is answered."""
    request = lock_open(request.pk)
    user = account(actor)
    standing = eligibility.standing(user, request)
    if standing.refusal is not None:
        raise PermissionRefused(standing.refusal.text, code=standing.refusal.code)
    if request.stopped_at is not None:
        raise WrongState("A question is open already. It is the requester's turn.")
    moment = now()
    asked = Comment.objects.create(
        request=request, author=user, kind=CommentKind.QUESTION, text=_words(words), at=moment
    )
    request.stopped_at = moment
    request.save(update_fields=["stopped_at"])
    record(actor, request, "asked_back")
    return asked


@transaction.atomic
def answer(*, actor: Actor, request: Request, words: str) -> Comment:
    """The requester's answer. The clocks go on, later by as long as they stood still; for how long is kept."""
    request = lock_open(request.pk)
    user = account(actor)
    if user.pk != request.requester_id:
        raise PermissionRefused("The question is to the person who asked for this.")
    question = request.comments.filter(kind=CommentKind.QUESTION, answer=None).last()
    if question is None or request.stopped_at is None:
        raise WrongState("No question is open.")
    moment = now()
    stood = moment - request.stopped_at
    given = Comment.objects.create(
        request=request, author=user, kind=CommentKind.ANSWER, text=_words(words), at=moment, answers=question,
        stopped_for=stood,
    )  # fmt: skip
    for stage in stages_of(request):
        if stage.state == StageState.OPEN:
            stage.due_at = stage.due_at and stage.due_at + stood
            stage.remind_at = stage.remind_at and stage.remind_at + stood
            stage.save(update_fields=["due_at", "remind_at"])
    request.stopped_at = None
    request.save(update_fields=["stopped_at"])
    record(actor, request, "answered", seconds=round(stood.total_seconds()))
    return given


@transaction.atomic
def hand_over(*, actor: Actor, request: Request, stage_id: int, to: User, reason: str) -> StageApprover:
    """Let somebody decide a stage by name, whatever their role. Leads do this when those who should decide cannot.

    Neither a party to the request nor who decides for one can be named; and nobody names themselves.
    """
    actor.require("hand_over_approvals")
    request = lock_open(request.pk)
    user = account(actor)
    stage = next((stage for stage in stages_of(request) if stage.pk == stage_id), None)
    if stage is None or stage.state not in (StageState.OPEN, StageState.WAITING):
        raise NotFound("There is no such stage to decide.")
    reason = _words(reason, "reason")
    conflict = eligibility.conflict_of(user, request)
    if conflict is not None:
        raise PermissionRefused(conflict.text, code=conflict.code)
    if to.pk == user.pk:
        raise PermissionRefused("Nobody names themselves.")
    if not to.is_active or eligibility.conflict_of(to, request) is not None:
        raise PermissionRefused(f"{to} cannot decide this one: a conflict, or an account that is not active.")
    if stage.named.filter(user=to).exists():
        raise WrongState(f"{to} can decide this stage already.")
    named = StageApprover.objects.create(stage=stage, user=to, path=f"named by {user}: {reason}"[:300], named_at=now())
    record(actor, request, "handed_over", stage=stage.name, to=to.username, reason=reason)
    return named


def _words(given: str, field: str = "text") -> str:
    try:
        words = text(given, 2_000).strip()
    except Unfit as unfit:
        raise Invalid("The text is not acceptable.", [(field, unfit.reason)]) from None
    if not words:
        raise Invalid("Something has to be said.", [(field, "is required")])
    return words
