"""Opening a request with its stages, changing what it asks for, taking it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import IntegrityError, connection, transaction

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.approvals import eligibility
from governance.approvals.models import ApprovalPolicy, Conflict, PolicyStage, Request, RequestStage, StageApprover
from governance.approvals.relations import Relations, through_role
from governance.approvals.selection import Risk, applies
from governance.approvals.services.common import close, lock_open, open_stages, record, stages_of
from governance.approvals.states import RequestState, StageState
from governance.errors import Invalid, PermissionRefused, WrongState
from governance.moments import now


@dataclass(frozen=True)
class ConflictSpec:
    """Somebody who may not decide, by account or by person, with the reason a page shows them."""

    reason: str
    user_id: int | None = None
    person_id: str | None = None


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
    relations: Relations | None = None,
) -> Request:
    """Open a request and its first stages.

    Raises ``WrongState`` when one about the subject is open already, and ``Invalid`` when a stage has nobody who could
    decide it: who could be added is said.
    """
    if actor.user is None:
        raise PermissionRefused("A request needs an account that asks for it.")
    if Request.objects.filter(subject=subject, state=RequestState.OPEN).exists():
        raise _open_already(subject)
    policy = _policy_in_force(kind)
    try:
        with transaction.atomic():
            request = Request.objects.create(
                kind=kind, subject=subject, summary=summary[:300], content_digest=content_digest, policy=policy,
                requester=actor.user, requester_via=actor.via, reason=reason, opened_at=now(), tier=risk.tier,
                days=risk.days, people=risk.people, effect=risk.effect,
            )  # fmt: skip
    except IntegrityError:  # another session was first
        raise _open_already(subject) from None
    _add_conflicts(request, conflicts)
    names = _resolve(request, risk, relations or {})
    record(actor, request, "opened", kind=kind, policy=policy.version, stages=names, digest=content_digest)
    return request


def _open_already(subject: str) -> WrongState:
    return WrongState(f"A request about {subject.partition(':')[2]} is open already.")


def _policy_in_force(kind: str) -> ApprovalPolicy:
    """Shared with other requests; a new version of the policy comes either before this request or after it.

    Whoever waited for the change of a policy finds the former one not in force any more, and looks once more.
    """
    with connection.cursor() as cursor:
        for _ in range(2):
            cursor.execute("SELECT id FROM approvals_approvalpolicy WHERE kind = %s AND active FOR SHARE", [kind])
            row = cursor.fetchone()
            if row is not None:
                return ApprovalPolicy.objects.get(pk=row[0])
    raise WrongState(f"The policy for {kind} is just being changed. Try again in a moment.")


@transaction.atomic
def revise(
    *,
    actor: Actor,
    request: Request,
    content_digest: str,
    summary: str,
    risk: Risk = Risk(),
    conflicts: Sequence[ConflictSpec] = (),
    relations: Relations | None = None,
) -> Request:
    """What is asked for was edited: every decision so far is void, and the stages begin again under the same policy version."""
    request = lock_open(request.pk)
    if actor.user is None or request.requester_id != actor.user.pk:
        raise PermissionRefused("Only the person who asked can change what is asked for.")
    if content_digest == request.content_digest:
        return request
    voided = request.votes.filter(revision=request.revision).count()
    for stage in stages_of(request):
        if stage.state in (StageState.OPEN, StageState.WAITING):
            stage.state = StageState.CLOSED
            stage.save(update_fields=["state"])
    request.revision += 1
    request.content_digest, request.summary, request.stopped_at = content_digest, summary[:300], None
    request.tier, request.days, request.people, request.effect = risk.tier, risk.days, risk.people, risk.effect
    request.save(
        update_fields=["revision", "content_digest", "summary", "stopped_at", "tier", "days", "people", "effect"]
    )
    _add_conflicts(request, conflicts)
    names = _resolve(request, risk, relations or {})
    record(actor, request, "revised", digest=content_digest, revision=request.revision, voided=voided, stages=names)
    return request


def _add_conflicts(request: Request, conflicts: Sequence[ConflictSpec]) -> None:
    known = set(request.conflicts.values_list("user_id", "person_id"))
    Conflict.objects.bulk_create(
        Conflict(request=request, user_id=c.user_id, person_id=c.person_id, reason=c.reason[:200])
        for c in conflicts
        if (c.user_id, c.person_id) not in known
    )


def _resolve(request: Request, risk: Risk, relations: Relations) -> list[str]:
    """Write down the stages that the policy has for this risk, and open the first; their names."""
    wanted = [stage for stage in request.policy.stages.all() if applies(stage, risk)]
    if not wanted:
        raise Invalid(f"The policy for {request.kind} has no stage for this request. Ask an administrator to add one.")
    order = {position: index for index, position in enumerate(sorted({stage.position for stage in wanted}), start=1)}
    stages = [_write(request, stage, order[stage.position], relations) for stage in wanted]
    _refuse_unfillable(stages)
    open_stages([stage for stage in stages if stage.position == 1], now())
    return [stage.name for stage in stages]


def _write(request: Request, stage: PolicyStage, position: int, relations: Relations) -> RequestStage:
    written = RequestStage.objects.create(
        request=request, revision=request.revision, position=position, name=stage.name, groups=stage.groups,
        permission=stage.permission, quorum=stage.quorum, due_hours=stage.due_hours,
        business_hours=stage.business_hours, remind_hours=stage.remind_hours, at_end=stage.at_end,
        escalate_to=stage.escalate_to,
    )  # fmt: skip
    by_relation: dict[int, str] = {}
    through: dict[int, list[str]] = {}
    for relation in stage.relations:
        for user_id, ways in relations.get(relation, {}).items():
            by_relation.setdefault(user_id, relation)
            through.setdefault(user_id, []).extend(ways)
    free = eligibility.without_conflict(User.objects.filter(pk__in=by_relation, is_active=True), request)
    moment = now()
    StageApprover.objects.bulk_create(
        StageApprover(stage=written, user=user, path=by_relation[user.pk], through=through[user.pk], named_at=moment)
        for user in free
    )
    if stage.fallback and eligibility.in_their_own_right(written).count() < stage.quorum:
        # The groups of a stage are fixed once it stands, so the one that nobody could fill is not kept.
        others = eligibility.without_conflict(
            User.objects.filter(is_active=True, groups__name__in=stage.fallback).distinct(), request
        )
        ways = [through_role(name) for name in stage.fallback]
        StageApprover.objects.bulk_create(
            (
                StageApprover(stage=written, user=user, path="fallback", through=ways, named_at=moment)
                for user in others
            ),
            ignore_conflicts=True,
        )
    return written


def _refuse_unfillable(stages: list[RequestStage]) -> None:
    """Nobody decides twice in a request, so the stages together need enough different people."""
    places = [stage.pk for stage in stages for _ in range(stage.quorum)]
    could = {stage.pk: set(eligibility.in_their_own_right(stage).values_list("pk", flat=True)) for stage in stages}
    missing = eligibility.unfilled(places, could)
    if missing is not None:
        empty = next(stage for stage in stages if stage.pk == missing)
        few = f"needs {empty.quorum} different people" if empty.quorum > 1 else "has nobody"
        raise Invalid(
            f"Nobody could decide the stage “{empty.name}”: it {few}, and not enough active accounts without a conflict "
            f"that are not needed for another stage {eligibility.in_words(empty)}. "
            "Ask an administrator to give somebody that role."
        )


@transaction.atomic
def withdraw(*, actor: Actor, request: Request) -> Request:
    """The requester takes an open request back."""
    request = lock_open(request.pk)
    if actor.user is None or request.requester_id != actor.user.pk:
        raise PermissionRefused("Only the person who asked can withdraw a request.")
    close(actor, request, RequestState.WITHDRAWN)
    return request


@transaction.atomic
def set_aside(*, actor: Actor, subject: str, reason: str = "it went another way") -> Request | None:
    """Close the open request about a subject that went another way, so that it waits in nobody's inbox; None if none is."""
    request = Request.objects.select_for_update().filter(subject=subject, state=RequestState.OPEN).first()
    if request is not None:
        close(actor, request, RequestState.WITHDRAWN, reason)
    return request
