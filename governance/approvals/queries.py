"""Reads about approval requests: who may decide, why not, and what waits for whom."""

from __future__ import annotations

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Lower

from governance.accounts.models import User
from governance.approvals.models import Conflict, Request, RequestStage
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


def requests_about(subject: str) -> QuerySet[Request]:
    return (
        Request.objects.filter(subject=subject)
        .select_related("requester")
        .prefetch_related("stages", "votes__approver")
    )
