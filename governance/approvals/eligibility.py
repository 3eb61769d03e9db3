"""Who may decide: in their own right, by delegation, or not, and for which of the reasons.

The same questions stand in SQL as functions that the triggers call (``guards``); a state-machine test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import BooleanField, Func, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Lower, Now

from governance.accounts.models import User
from governance.accounts.rights import RIGHTS
from governance.approvals.models import Conflict, Delegation, PolicyStage, Request, RequestStage, StageApprover, Vote
from governance.approvals.states import RequestState, StageState
from governance.people.models import Person


@dataclass(frozen=True)
class Refusal:
    """Why somebody cannot decide now. ``code`` is for machines: ``closed``, ``inactive``, ``requester``, ``conflict``,
    ``delegate_of_party``, ``administers``, ``same_hands``, ``decided``, ``not_their_turn``, ``not_eligible``,
    ``content_changed``."""

    code: str
    text: str


@dataclass(frozen=True)
class Standing:
    """How somebody may decide a request now: at which stage, and for whom if not for themselves. Or why not."""

    refusal: Refusal | None
    stage: RequestStage | None = None
    on_behalf_of: User | None = None


# -- in one's own right ------------------------------------------------------------------------------------------------


def has_right(user: User) -> Q:
    """Stages that the account may decide in its own right, conflicts aside. Roles and rights are those of the account now.

    Whoever administers accounts decides nothing: else they would give themselves the role they need.
    """
    if user.has_right("administer"):
        return Q(pk__in=())
    roles = sorted(user.roles())
    escalated = Q(escalated_at__isnull=False, escalate_to__overlap=roles)
    named = Q(pk__in=_still_named().filter(user=user).values("stage_id"))
    return Q(groups__overlap=roles) | escalated | named | Q(permission__in=sorted(user.rights()))


def _still_named() -> QuerySet[StageApprover]:
    """Those who may decide by name, and of them who came to it by something that still holds."""
    stands = Func("user_id", "stage_id", "through", function="approvals_still_stands", output_field=BooleanField())
    return StageApprover.objects.alias(stands=stands).filter(stands=True)


def in_their_own_right(stage: RequestStage) -> QuerySet[User]:
    """Active accounts without a conflict that may decide a stage, delegates aside."""
    groups = [*stage.groups, *(stage.escalate_to if stage.escalated_at else ())]
    may = Q(groups__name__in=groups) | Q(pk__in=_still_named().filter(stage=stage).values("user_id"))
    if stage.permission:
        may |= Q(
            groups__permissions__codename=stage.permission,
            groups__permissions__content_type__app_label="accounts",
            groups__permissions__content_type__model="right",
        )
    return without_conflict(without_administrators(User.objects.filter(may, is_active=True).distinct()), stage.request)


def without_administrators(users: QuerySet[User]) -> QuerySet[User]:
    """Those who may not give roles; who may decides nothing."""
    administering = User.objects.filter(
        groups__permissions__codename="administer",
        groups__permissions__content_type__app_label="accounts",
        groups__permissions__content_type__model="right",
    )
    return users.exclude(pk__in=administering.values("pk"))


def named_in(stages: Sequence[RequestStage]) -> QuerySet[StageApprover]:
    """Those who may decide by name, with how they came to it."""
    return StageApprover.objects.filter(stage__in=stages).select_related("user").order_by("stage", "pk")


def in_words(stage: RequestStage | PolicyStage) -> str:
    """What makes an approver of a stage: *have the role executive*, *have the right to …*."""
    ways = [f"have the role {' or '.join(stage.groups)}"] if stage.groups else []
    if stage.permission:
        ways.append(f"have the right “{RIGHTS.get(stage.permission, stage.permission).lower()}”")
    return " or ".join(ways) or "stand in the relation to it that the policy names"


# -- conflicts ---------------------------------------------------------------------------------------------------------


def parties(request: Request) -> QuerySet[User]:
    """The requester, and every account with a conflict: by name, or by the e-mail address of a person."""
    conflicts = Conflict.objects.filter(request=request)
    addresses = conflicts.filter(person__isnull=False).values(address=Lower("person__email"))
    return User.objects.annotate(address=Lower("email")).filter(
        Q(pk=request.requester_id)
        | Q(pk__in=conflicts.filter(user__isnull=False).values("user_id"))
        | Q(address__in=addresses)
    )


def _ran_since(moment: datetime | Subquery) -> QuerySet[Delegation]:
    """Delegations that have begun and ran at some time after a moment."""
    return Delegation.objects.annotate(until=Coalesce("revoked_at", "ends_at")).filter(
        starts_at__lte=Now(), until__gt=moment
    )


def without_conflict(users: QuerySet[User], request: Request) -> QuerySet[User]:
    """Those who are no party to a request, nor decided for one since it was opened."""
    party = parties(request).values("pk")
    delegates = _ran_since(request.opened_at).filter(principal__in=party).values("delegate_id")
    return users.exclude(pk__in=party).exclude(pk__in=delegates)


def conflict_of(user: User, request: Request) -> Refusal | None:
    """The conflict that keeps an account from deciding a request, if it has one."""
    if request.requester_id == user.pk:
        return Refusal("requester", "You cannot decide this one. You asked for it.")
    found = conflicts_naming(user).filter(request=request).first()
    if found is not None:
        return Refusal("conflict", f"You cannot decide this one. {found.reason}")
    party = parties(request).values("pk")
    held = _ran_since(request.opened_at).filter(delegate=user, principal__in=party).select_related("principal").first()
    if held is not None:
        # Not why: that a directive covers somebody is theirs to know.
        text = f"You cannot decide this one. You decide for {held.principal}, who may not decide it, and count as them."
        return Refusal("delegate_of_party", text)
    return None


def conflicts_naming(user: User) -> QuerySet[Conflict]:
    """The conflicts that name the account, or the person whose e-mail address it has."""
    return Conflict.objects.filter(Q(user=user) | Q(person__in=_persons_of(user).values("pk")))


def _persons_of(user: User) -> QuerySet[Person]:
    return Person.objects.annotate(address=Lower("email")).filter(address=user.email.lower())


def in_conflict_with(user: User) -> Q:
    """Requests that an account may not decide because it is a party to them, or decided for one since they were opened."""
    found = _party_to(user)
    oldest = Request.objects.filter(state=RequestState.OPEN).order_by("opened_at").values("opened_at")[:1]
    for delegation in _ran_since(Subquery(oldest)).filter(delegate=user).select_related("principal"):
        found |= _party_to(delegation.principal) & Q(opened_at__lt=delegation.revoked_at or delegation.ends_at)
    return found


def _party_to(user: User) -> Q:
    by_person = Conflict.objects.filter(person__in=_persons_of(user).values("pk"))
    by_account = Conflict.objects.filter(user=user)
    # Apart, so that each is found by its index.
    return Q(requester=user) | Q(pk__in=by_account.values("request_id")) | Q(pk__in=by_person.values("request_id"))


# -- deciding ----------------------------------------------------------------------------------------------------------


def principals(user: User) -> list[User]:
    """Whom the account may decide for now."""
    running = Delegation.objects.filter(delegate=user, revoked_at=None, starts_at__lte=Now(), ends_at__gt=Now())
    return list(User.objects.filter(pk__in=running.values("principal_id"), is_active=True).order_by("full_name", "pk"))


def hold_delegations(user: User) -> None:
    """Lock what was delegated to the account: a revocation comes before its decision or after it."""
    list(Delegation.objects.select_for_update(no_key=True).filter(delegate=user, revoked_at=None).values_list("pk"))


def running_delegates_of(users: QuerySet[User]) -> QuerySet[Delegation, int]:
    """The ids of the accounts that decide for any of these now."""
    return Delegation.objects.filter(
        principal__in=users.values("pk"), revoked_at=None, starts_at__lte=Now(), ends_at__gt=Now()
    ).values_list("delegate_id", flat=True)


def involves(*users: User) -> Q:
    """Votes that somebody of these made, or that were made for them."""
    return Q(approver__in=users) | Q(on_behalf_of__in=users)


def standing(user: User, request: Request) -> Standing:
    """How an account may decide a request now. In its own right if it can, else for the first who delegated to it."""
    if request.state != RequestState.OPEN:
        closed = request.get_state_display().lower()
        return Standing(Refusal("closed", f"This request is closed: {closed}."))
    if not user.is_active:
        return Standing(Refusal("inactive", "This account was deactivated; it decides nothing."))
    conflict = conflict_of(user, request)
    if conflict is not None:
        return Standing(conflict)
    if user.has_right("administer"):
        return Standing(Refusal("administers", "This account gives roles to others; it decides nothing."))
    votes = Vote.objects.filter(request=request, revision=request.revision)
    if votes.filter(involves(user)).exists():
        return Standing(Refusal("decided", "You have decided in this request already."))
    stages = RequestStage.objects.filter(request=request, revision=request.revision)
    open_now = stages.filter(state=StageState.OPEN)
    own = open_now.filter(has_right(user)).first()
    if own is not None:
        return Standing(None, own)
    for principal in principals(user):
        theirs = open_now.filter(has_right(principal)).first()
        if theirs and conflict_of(principal, request) is None and not votes.filter(involves(principal)).exists():
            return Standing(None, theirs, principal)
    return Standing(
        _not_eligible(user, list(open_now), stages.filter(state=StageState.WAITING).filter(has_right(user)))
    )


def takes_part(user: User, request: Request) -> bool:
    """Whether the account asked for it, has decided in it, or could decide it now: those talk about a request."""
    return (
        request.requester_id == user.pk
        or request.votes.filter(approver=user).exists()
        or standing(user, request).refusal is None
    )


def _not_eligible(user: User, open_now: list[RequestStage], later: QuerySet[RequestStage]) -> Refusal:
    names = " and ".join(f"“{stage.name}”" for stage in open_now)
    if later.exists():
        return Refusal("not_their_turn", f"It is not your stage's turn yet: {names} comes first.")
    needed = "; ".join(in_words(stage) for stage in open_now)
    return Refusal("not_eligible", f"You are not an approver of this stage. Its approvers {needed}.")


def unfilled(places: Sequence[int], could: Mapping[int, set[int]]) -> int | None:
    """A stage that stays without its approvers when everybody decides at most once; None when all can be filled.

    ``places`` has each stage's key as often as its quorum, ``could`` the accounts that could decide it. Augmenting paths
    (Kuhn 1955): exact, where filling greedily would refuse requests that two people could decide the other way round.
    """
    taken: dict[int, int] = {}  # account → place

    def place(index: int, seen: set[int]) -> bool:
        for account in could[places[index]] - seen:
            seen.add(account)
            if account not in taken or place(taken[account], seen):
                taken[account] = index
                return True
        return False

    return next((stage for index, stage in enumerate(places) if not place(index, set())), None)
