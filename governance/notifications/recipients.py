"""Whom an event of the outbox concerns, and in which words. Nobody is told of what they did themselves.

Titles stand on a page behind sign-in and may name what is asked for; e-mails never repeat them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from django.db.models import Q

from governance.accounts.models import User
from governance.approvals import eligibility
from governance.approvals.models import CommentKind, Delegation, Request, RequestStage
from governance.approvals.states import RequestState, StageState
from governance.ledger.models import OutboxEvent
from governance.notifications.models import Kind, Notification


class Told(NamedTuple):
    """One account that is told of an event."""

    user_id: int
    kind: Kind
    subject: str
    title: str


def of(event: OutboxEvent) -> list[Told]:
    """Whom the event concerns; empty for what nobody is told of."""
    tell = _TELL.get(event.topic)
    if tell is None:
        return []
    by = event.payload.get("by")
    quiet = set(User.objects.filter(username=by).values_list("pk", flat=True)) if by else set()
    return [told for told in tell(event.payload) if told.user_id not in quiet]


def _request(payload: dict[str, Any]) -> Request | None:
    return Request.objects.select_related("requester").filter(pk=payload.get("request")).first()


def _deciders(request: Request) -> set[int]:
    """Who could decide an open stage now: in their own right, or for somebody who could."""
    found: set[int] = set()
    for stage in RequestStage.objects.filter(request=request, revision=request.revision, state=StageState.OPEN):
        able = eligibility.in_their_own_right(stage)
        delegates = eligibility.without_conflict(
            User.objects.filter(pk__in=eligibility.running_delegates_of(able), is_active=True), request
        )
        found |= set(able.values_list("pk", flat=True)) | set(delegates.values_list("pk", flat=True))
    voted = request.votes.filter(revision=request.revision).values_list("approver_id", "on_behalf_of_id")
    return found - {user_id for pair in voted for user_id in pair}


def _waiting(payload: dict[str, Any], kind: Kind = Kind.DECISION) -> Iterable[Told]:
    request = _request(payload)
    if request is None or request.state != RequestState.OPEN:
        return
    subject = f"approval:{request.pk}"
    known: set[int] = set()
    if kind == Kind.DECISION:
        known = set(
            Notification.objects.filter(subject=subject, kind=kind, read_at=None).values_list("user_id", flat=True)
        )
    for user_id in _deciders(request) - known:
        yield Told(user_id, kind, subject, f"{kind.label}: {request.summary}"[:300])


def _reminder(payload: dict[str, Any]) -> Iterable[Told]:
    return _waiting(payload, Kind.REMINDER)


def _decided(payload: dict[str, Any]) -> Iterable[Told]:
    request = _request(payload)
    if request is not None and request.state != RequestState.OPEN:
        title = f"{request.get_state_display()}: {request.summary}"[:300]
        yield Told(request.requester_id, Kind.OUTCOME, f"approval:{request.pk}", title)


def _said(payload: dict[str, Any]) -> Iterable[Told]:
    request = _request(payload)
    if request is None:
        return
    last = request.comments.last()
    heading = {CommentKind.QUESTION: "A question", CommentKind.ANSWER: "An answer"}.get(
        CommentKind(last.kind) if last else CommentKind.COMMENT, "A comment"
    )
    taking_part = {request.requester_id, *request.comments.values_list("author_id", flat=True)}
    taking_part |= set(request.votes.values_list("approver_id", flat=True))
    if last is not None and last.kind == CommentKind.ANSWER:
        taking_part |= _deciders(request)
    for user_id in taking_part:
        yield Told(user_id, Kind.TALK, f"approval:{request.pk}", f"{heading}: {request.summary}"[:300])


def _delegated(payload: dict[str, Any]) -> Iterable[Told]:
    found = Delegation.objects.select_related("principal").filter(pk=payload.get("delegation")).first()
    if found is not None:
        words = "You decide for {} no longer" if found.revoked_at else "You decide for {}"
        yield Told(found.delegate_id, Kind.DELEGATION, f"delegation:{found.pk}", words.format(found.principal))


_TELL: dict[str, Callable[[dict[str, Any]], Iterable[Told]]] = {
    **dict.fromkeys(
        ("approval.opened", "approval.revised", "approval.voted", "approval.reopened", "approval.handed_over",
         "approval.escalated"),
        _waiting,
    ),
    "approval.reminded": _reminder,
    **dict.fromkeys(("approval.approved", "approval.rejected", "approval.set_aside"), _decided),
    **dict.fromkeys(("approval.commented", "approval.asked_back", "approval.answered"), _said),
    **dict.fromkeys(("delegation.begun", "delegation.revoked"), _delegated),
}  # fmt: skip
TOPICS = tuple(_TELL)
CLOSES = ("approval.approved", "approval.rejected", "approval.withdrawn", "approval.set_aside")
"""After these no decision waits any more: whoever was told that one does is not reminded of it by an unread line."""


def waits() -> Q:
    return Q(kind__in=[Kind.DECISION, Kind.REMINDER])
