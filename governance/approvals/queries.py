"""Reads about approval requests: who may decide, why not, and what waits for whom."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, F, Min, Q, QuerySet
from django.db.models.functions import Lower

from governance.accounts.models import User
from governance.approvals.models import Conflict, PolicyStage, Request, RequestStage
from governance.approvals.states import RequestState, StageState


def _conflicts_of(user: User) -> QuerySet[Conflict]:
    """The conflicts that name the account, or the person whose e-mail address it has."""
    return Conflict.objects.annotate(address=Lower("person__email")).filter(
        Q(user=user) | Q(address=user.email.lower())
    )


def eligible(stage: RequestStage) -> QuerySet[User]:
    """Active accounts in the stage's groups without a conflict with its request."""
    conflicts = Conflict.objects.filter(request_id=stage.request_id)
    addresses = conflicts.filter(person__isnull=False).values(address=Lower("person__email"))
    return (
        User.objects.filter(is_active=True, groups__name__in=stage.groups)
        .exclude(pk=stage.request.requester_id)
        .exclude(pk__in=conflicts.filter(user__isnull=False).values("user_id"))
        .annotate(address=Lower("email"))
        .exclude(address__in=addresses)
        .distinct()
    )


def approvers(kind: str) -> QuerySet[User]:
    """Every active account that could stand at some stage of a new request of a kind, conflicts aside."""
    groups = [name for stage in stages_of(kind) for name in stage.groups]
    return User.objects.filter(is_active=True, groups__name__in=groups).distinct()


def why_not(user: User, request: Request) -> str | None:
    """The reason that keeps an account from deciding a request now, in words for that account; None if nothing does."""
    if request.state != RequestState.OPEN:
        return f"This request is closed: {request.get_state_display().lower()}."
    if not user.is_active:
        return "This account was deactivated; it decides nothing."
    if request.requester_id == user.pk:
        return "You cannot decide this one. You asked for it."
    conflict = _conflicts_of(user).filter(request=request).first()
    if conflict is not None:
        return f"You cannot decide this one. {conflict.reason}"
    if request.votes.filter(approver=user).exists():
        return "You have decided in this request already."
    roles = set(user.groups.values_list("name", flat=True))
    stages = list(request.stages.all())
    current = next((stage for stage in stages if stage.state == StageState.OPEN), None)
    if current is not None and roles & set(current.groups):
        return None
    if any(roles & set(stage.groups) for stage in stages if stage.state == StageState.WAITING):
        return f"It is not your stage's turn yet: “{current.name if current else ''}” comes first."
    needed = " or ".join(current.groups) if current else ""
    return f"You are not an approver of this stage. It needs the role {needed}."


def inbox(user: User) -> QuerySet[Request]:
    """Open requests whose open stage the account could decide now, oldest first."""
    return (
        Request.objects.filter(
            state=RequestState.OPEN, stages__state=StageState.OPEN, stages__groups__overlap=list(user.roles())
        )
        .exclude(requester=user)
        .exclude(votes__approver=user)
        .exclude(pk__in=_conflicts_of(user).values("request_id"))
        .select_related("requester")
        .annotate(stage_name=F("stages__name"), due_at=F("stages__due_at"))
        .order_by("opened_at", "pk")
    )


def waiting_by_stage(kind: str) -> list[dict[str, Any]]:
    """Open requests of a kind by the stage they wait at: how many, when the oldest was asked, which is due first."""
    found = (
        RequestStage.objects.filter(state=StageState.OPEN, request__state=RequestState.OPEN, request__kind=kind)
        .order_by("position", "name")
        .values("position", "name")
        .annotate(number=Count("id"), opened_at=Min("request__opened_at"), first_due=Min("due_at"))
    )
    return [dict(row) for row in found]


def stages_of(kind: str) -> QuerySet[PolicyStage]:
    """The stages that a new request of a kind passes, by the policy that holds now."""
    return PolicyStage.objects.filter(policy__kind=kind, policy__active=True).order_by("position")


def checks(user: User, request: Request) -> list[tuple[str, str, bool]]:
    """What is looked at before an account may decide a request: what holds, in words, and whether it is in order."""
    conflict = _conflicts_of(user).filter(request=request).first()
    voted = request.votes.filter(approver=user).exists()
    return [
        ("Asked for by you", "Whoever asks does not decide.", False)
        if request.requester_id == user.pk
        else ("Not asked for by you", "", True),
        (conflict.reason.rstrip("."), "Whoever wrote it or benefits from it does not decide.", False)
        if conflict is not None
        else ("Not about you, and not written by you", "", True),
        ("Decided by you already", "Nobody decides twice in one request.", False)
        if voted
        else ("Not decided by you before", "", True),
    ]


def requests_about(subject: str) -> QuerySet[Request]:
    return (
        Request.objects.filter(subject=subject)
        .select_related("requester")
        .prefetch_related("stages", "votes__approver")
    )
