"""Reads about approval requests: what waits for whom, and what a request has been through."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet, Subquery

from governance.accounts.models import User
from governance.approvals import eligibility
from governance.approvals.models import PolicyStage, Request, RequestStage, Vote
from governance.approvals.states import RequestState, StageState


def eligible(stage: RequestStage) -> QuerySet[User]:
    """Active accounts that may decide the stage in their own right, without a conflict with its request."""
    return eligibility.in_their_own_right(stage)


def approvers(kind: str) -> QuerySet[User]:
    """Every active account that could stand at some stage of a new request of a kind, conflicts and relations aside."""
    stages = list(stages_of(kind))
    groups = {name for stage in stages for name in (*stage.groups, *stage.fallback, *stage.escalate_to)}
    rights = [stage.permission for stage in stages if stage.permission]
    return User.objects.filter(
        Q(groups__name__in=groups) | Q(groups__permissions__codename__in=rights), is_active=True
    ).distinct()


def why_not(user: User, request: Request) -> str | None:
    """The reason that keeps an account from deciding a request now, in words for that account; None if nothing does."""
    refusal = eligibility.standing(user, request).refusal
    return refusal.text if refusal else None


def inbox(user: User) -> QuerySet[Request]:
    """Open requests of which the account could decide an open stage now, for itself or for somebody else, oldest first."""
    if not user.is_active or user.has_right("administer"):
        return Request.objects.none()
    found = Q(pk__in=())
    for hat in (user, *eligibility.principals(user)):
        stages = _open_stages().filter(eligibility.has_right(hat))
        theirs = Q(Exists(stages))
        if hat != user:
            theirs &= ~Q(Exists(_votes().filter(eligibility.involves(hat)))) & ~eligibility.in_conflict_with(hat)
        found |= theirs
    first = _open_stages().order_by("position", "name")
    return (
        Request.objects.filter(found, state=RequestState.OPEN)
        .exclude(eligibility.in_conflict_with(user))
        .exclude(Exists(_votes().filter(eligibility.involves(user))))
        .select_related("requester")
        .annotate(stage_name=Subquery(first.values("name")[:1]), due_at=Subquery(first.values("due_at")[:1]))
        .order_by("opened_at", "pk")
    )


def visible_to(user: User) -> QuerySet[Request]:
    """The requests that an account may see: its own, those it may decide or has decided, and all with the right to view them."""
    requests = Request.objects.select_related("requester")
    if user.has_right("view_directives") or user.has_right("view_exceptions"):
        return requests
    hats = [user, *eligibility.principals(user)]
    own = Q(requester=user) | Q(pk__in=Vote.objects.filter(eligibility.involves(user)).values("request_id"))
    for hat in hats:
        own |= Q(pk__in=RequestStage.objects.filter(eligibility.has_right(hat)).values("request_id"))
    return requests.filter(own)


def _open_stages() -> QuerySet[RequestStage]:
    return RequestStage.objects.filter(request=OuterRef("pk"), revision=OuterRef("revision"), state=StageState.OPEN)


def _votes() -> QuerySet[Vote]:
    return Vote.objects.filter(request=OuterRef("pk"), revision=OuterRef("revision"))


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
    return PolicyStage.objects.filter(policy__kind=kind, policy__active=True).order_by("position", "name")


def checks(user: User, request: Request) -> list[tuple[str, str, bool]]:
    """What is looked at before an account may decide a request: what holds, in words, and whether it is in order."""
    conflict = eligibility.conflict_of(user, request)
    asked = conflict is not None and conflict.code == "requester"
    voted = request.votes.filter(eligibility.involves(user), revision=request.revision).exists()
    return [
        ("Asked for by you", "Whoever asks does not decide.", False) if asked else ("Not asked for by you", "", True),
        (
            _without_preface(conflict.text),
            "Whoever wrote it, benefits from it or decides for them does not decide.",
            False,
        )
        if conflict is not None and not asked
        else ("Not about you, and not written by you", "", True),
        ("Decided by you already", "Nobody decides twice in one request.", False)
        if voted
        else ("Not decided by you before", "", True),
    ]


def _without_preface(text: str) -> str:
    return text.removeprefix("You cannot decide this one. ").rstrip(".")


def requests_about(subject: str) -> QuerySet[Request]:
    return (
        Request.objects.filter(subject=subject)
        .select_related("requester")
        .prefetch_related("stages", "votes__approver")
    )
