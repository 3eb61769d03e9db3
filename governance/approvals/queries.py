"""Reads about approval requests: what waits for whom, and what a request has been through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Now

from governance.accounts.models import User
from governance.approvals import eligibility
from governance.approvals.models import ApprovalPolicy, Delegation, PolicyStage, Request, RequestStage, Vote
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


def decides(user: User) -> bool:
    """Whether approvals are anything to the account: it may decide some stage of a policy in force, or an open one by name,
    or decides for somebody, or has decided before."""
    return may_delegate(user) or bool(eligibility.principals(user)) or Vote.objects.filter(approver=user).exists()


def _stages_for(user: User) -> QuerySet[PolicyStage]:
    """The stages of policies in force that the account may decide by its roles and rights."""
    roles = sorted(user.roles())
    return PolicyStage.objects.filter(policy__active=True).filter(
        Q(groups__overlap=roles)
        | Q(fallback__overlap=roles)
        | Q(escalate_to__overlap=roles)
        | Q(permission__in=sorted(user.rights()))
    )


def why_not(user: User, request: Request) -> str | None:
    """The reason that keeps an account from deciding a request now, in words for that account; None if nothing does."""
    refusal = eligibility.standing(user, request).refusal
    return refusal.text if refusal else None


def inbox(user: User) -> QuerySet[Request]:
    """Open requests of which the account could decide an open stage now, for itself or for somebody else, oldest first.

    ``hat`` is the account that it would decide for: itself if it can.
    """
    if not user.is_active or user.has_right("administer"):
        return Request.objects.none()
    hats: list[When] = []
    found = Q(pk__in=())
    for hat in (user, *eligibility.principals(user)):
        stages = _open_stages().filter(eligibility.has_right(hat))
        theirs = Q(Exists(stages))
        if hat != user:
            theirs &= ~Q(Exists(_votes().filter(eligibility.involves(hat)))) & ~eligibility.in_conflict_with(hat)
        found |= theirs
        hats.append(When(theirs, then=Value(hat.pk)))
    alone = len(hats) <= 1
    return (
        Request.objects.filter(found, state=RequestState.OPEN)
        .exclude(eligibility.in_conflict_with(user))
        .exclude(Exists(_votes().filter(eligibility.involves(user))))
        .select_related("requester")
        .annotate(
            stage_name=Subquery(_open_stages().order_by("position", "name").values("name")[:1]),
            due_at=Subquery(_open_stages().order_by(F("due_at").asc(nulls_last=True)).values("due_at")[:1]),
            hat=Value(user.pk) if alone else Case(*hats, output_field=BigIntegerField()),
        )
        .order_by("opened_at", "pk")
    )


def waiting_by_kind(user: User) -> list[dict[str, Any]]:
    """How many requests wait for the account, by kind, and how many of those are overdue."""
    # Found once, by the index of what is due, instead of looking at the stages of each request.
    late_stages = RequestStage.objects.filter(
        state=StageState.OPEN, revision=F("request__revision"), due_at__lt=Now(), request__stopped_at=None
    )
    late = Count("pk", filter=Q(pk__in=late_stages.values("request_id")))
    found = inbox(user).order_by("kind").values("kind").annotate(number=Count("pk"), overdue=late)
    return [{name: row[name] for name in ("kind", "number", "overdue")} for row in found]


def stage_names(user: User) -> list[str]:
    """The names of the open stages that the account may decide, for itself or for somebody else; conflicts aside."""
    mine = Q(pk__in=())
    for hat in (user, *eligibility.principals(user)):
        mine |= eligibility.has_right(hat)
    open_now = RequestStage.objects.filter(mine, state=StageState.OPEN)
    return list(open_now.order_by("name").values_list("name", flat=True).distinct())


def visible_to(user: User) -> QuerySet[Request]:
    """All requests for those who view directives or exceptions; else those the account has part in: it asked for it, was
    named for it, has decided in it or could decide it now."""
    requests = Request.objects.select_related("requester", "policy")
    if user.has_right("view_directives") or user.has_right("view_exceptions"):
        return requests
    named = RequestStage.objects.filter(request=OuterRef("pk"), named__user=user)
    decided = Vote.objects.filter(request=OuterRef("pk"), approver=user)
    return requests.filter(
        Q(requester=user) | Q(Exists(named)) | Q(Exists(decided)) | Q(pk__in=inbox(user).order_by().values("pk"))
    )


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


def terms_in_force(kind: str) -> dict[str, Any]:
    """What the policy in force says beside its stages, for whoever opens requests of that kind."""
    found: dict[str, Any] = ApprovalPolicy.objects.values_list("terms", flat=True).get(kind=kind, active=True)
    return found


def requests_about(subject: str) -> QuerySet[Request]:
    """The requests about a subject, the newest first."""
    return Request.objects.filter(subject=subject).select_related("requester")


def delegations_of(user: User) -> QuerySet[Delegation]:
    """Those the account gave or holds, newest first; an administrator's are those of everybody, since one may end them."""
    found = Delegation.objects.select_related("principal", "delegate").annotate(
        over=ExpressionWrapper(Q(revoked_at__isnull=False) | Q(ends_at__lte=Now()), BooleanField()),
        begun=ExpressionWrapper(Q(starts_at__lte=Now()), BooleanField()),
    )
    return found if user.has_right("administer") else found.filter(Q(principal=user) | Q(delegate=user))


def may_delegate(user: User) -> bool:
    """Whether the account has anything of its own that somebody could decide for it."""
    named = RequestStage.objects.filter(named__user=user, state__in=[StageState.OPEN, StageState.WAITING])
    return _stages_for(user).exists() or named.exists()


@dataclass(frozen=True)
class VersionOfPolicy:
    """A version of a policy with what became of it; ``request`` asked for its approval, unless it came with the product."""

    policy: ApprovalPolicy
    request: Request | None

    @property
    def state(self) -> str:
        if self.policy.active:
            return "in force"
        if self.request is None or self.request.state == RequestState.APPROVED:
            return "superseded"
        return str(self.request.state)


def policies_of(*kinds: str) -> list[VersionOfPolicy]:
    """Every version of every policy, or of those kinds; by kind, the newest first."""
    found = ApprovalPolicy.objects.select_related("author").prefetch_related("stages").order_by("kind", "-version")
    if kinds:
        found = found.filter(kind__in=kinds)
    asked = Request.objects.filter(kind="approval.policy").select_related("requester").order_by("pk")
    by_subject = {request.subject: request for request in asked}
    return [
        VersionOfPolicy(policy, by_subject.get(f"approval-policy:{policy.kind}:{policy.version}")) for policy in found
    ]
