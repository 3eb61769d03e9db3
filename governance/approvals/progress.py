"""A request as its page tells it: its stages with who decided and who could, what an edit voided, the talk about it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from governance.accounts.models import User
from governance.approvals import eligibility
from governance.approvals.models import Comment, CommentKind, Delegation, Request, RequestStage, Verdict, Vote
from governance.approvals.states import RequestState, StageState

_UNDECIDED = (StageState.OPEN, StageState.WAITING)


@dataclass(frozen=True)
class Decision:
    """A vote, and whether it counts now: its maker, or whom it was made for, may have lost the right to it since."""

    vote: Vote
    counts: bool


@dataclass
class Progress:
    """One stage of the request as it is now."""

    stage: RequestStage
    decisions: list[Decision] = field(default_factory=list)
    could: list[str] = field(default_factory=list)  # who could decide it, by name
    named: list[str] = field(default_factory=list)  # how those came to it who have no role for it
    beside: list[str] = field(default_factory=list)  # the stages that are decided side by side with it

    @property
    def reopened(self) -> bool:
        """It had its approvals once; one of them counts no more."""
        made = sum(decision.vote.verdict == Verdict.APPROVE for decision in self.decisions)
        return self.stage.state in _UNDECIDED and made >= self.stage.quorum

    @property
    def timed_out(self) -> bool:
        """Time refused it: nobody did."""
        return self.stage.state == StageState.REJECTED and all(
            decision.vote.verdict == Verdict.APPROVE for decision in self.decisions
        )


def of(request: Request) -> list[Progress]:
    """The stages of the request's present revision, in their order."""
    stages = list(request.stages.filter(revision=request.revision).order_by("position", "name"))
    decided = _decisions(request)
    named = defaultdict(list)
    for approver in eligibility.named_in(stages):
        named[approver.stage_id].append(f"{approver.user}, {approver.path}")
    found = []
    for stage in stages:
        beside = [other.name for other in stages if other.position == stage.position and other.pk != stage.pk]
        found.append(Progress(stage, decided[stage.pk], named=named[stage.pk], beside=beside))
    if request.state == RequestState.OPEN:
        _add_who_could(request, found)
    return found


def _decisions(request: Request) -> dict[int, list[Decision]]:
    """The decisions on the present revision by stage, each with the database's own answer whether it counts."""
    votes = Vote.objects.filter(request=request, revision=request.revision).select_related("approver", "on_behalf_of")
    found: dict[int, list[Decision]] = defaultdict(list)
    void = _not_counting(request)
    for vote in votes:
        found[vote.stage_id].append(Decision(vote, request.state != RequestState.OPEN or vote.pk not in void))
    return found


def _not_counting(request: Request) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT v.id FROM approvals_vote v JOIN accounts_user u ON u.id = v.approver_id
             WHERE v.request_id = %s AND v.revision = %s AND NOT (
                   u.is_active AND approvals_has_right(coalesce(v.on_behalf_of_id, v.approver_id), v.stage_id)
                   AND NOT approvals_in_conflict(v.approver_id, v.request_id)
                   AND NOT approvals_in_conflict(coalesce(v.on_behalf_of_id, v.approver_id), v.request_id))
            """,
            [request.pk, request.revision],
        )
        return {pk for (pk,) in cursor.fetchall()}


def _add_who_could(request: Request, found: list[Progress]) -> None:
    """Who could decide each undecided stage: in their own right, or for somebody who delegated theirs."""
    votes = Vote.objects.filter(request=request, revision=request.revision)
    hands = {pk for pair in votes.values_list("approver_id", "on_behalf_of_id") for pk in pair if pk is not None}
    able: dict[int, list[User]] = {}
    for each in found:
        if each.stage.state in _UNDECIDED:
            users = eligibility.in_their_own_right(each.stage).exclude(pk__in=hands)
            able[each.stage.pk] = list(users.order_by("full_name", "pk"))
    delegates = _delegates(request, {user.pk for users in able.values() for user in users}, hands)
    for each in found:
        for user in able.get(each.stage.pk, ()):
            each.could += [str(user), *(f"{delegate} for {user}" for delegate in delegates[user.pk])]


def _delegates(request: Request, principals: set[int], hands: set[int]) -> dict[int, list[User]]:
    running = Delegation.objects.filter(
        principal__in=principals, revoked_at=None, starts_at__lte=Now(), ends_at__gt=Now(), delegate__is_active=True
    ).exclude(delegate__in=hands)
    free = eligibility.without_conflict(User.objects.filter(pk__in=running.values("delegate_id")), request)
    found: dict[int, list[User]] = defaultdict(list)
    for delegation in running.filter(delegate__in=free.values("pk")).select_related("delegate").order_by("pk"):
        found[delegation.principal_id].append(delegation.delegate)
    return found


# -- earlier revisions, and the talk -----------------------------------------------------------------------------------


def voided(request: Request) -> QuerySet[Vote]:
    """The decisions on earlier revisions, which an edit made void."""
    return (
        Vote.objects.filter(request=request, revision__lt=request.revision)
        .select_related("approver", "on_behalf_of", "stage")
        .order_by("pk")
    )


@dataclass(frozen=True)
class Talk:
    """What was said about a request, the question that is open now if one is, and for how long questions stopped the clock."""

    comments: list[Comment]
    question: Comment | None
    stood_still: timedelta


def talk(request: Request) -> Talk:
    comments = list(Comment.objects.filter(request=request).select_related("author").order_by("pk"))
    answered = {comment.answers_id for comment in comments}
    waiting = [c for c in comments if c.kind == CommentKind.QUESTION and c.pk not in answered]
    open_now = waiting[-1] if waiting and request.stopped_at is not None else None
    return Talk(comments, open_now, sum((c.stopped_for for c in comments if c.stopped_for), timedelta()))
