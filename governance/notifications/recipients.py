"""Whom an event of the outbox concerns, and in which words. Nobody is told of what they did themselves.

Titles stand on a page behind sign-in and may name what is asked for; e-mails never repeat them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Q

from governance.accounts import queries as accounts
from governance.accounts.models import User
from governance.approvals import eligibility
from governance.approvals.models import CommentKind, Delegation, Request, RequestStage
from governance.approvals.states import RequestState, StageState
from governance.communications.models import Announcement
from governance.communications.states import AnnouncementState
from governance.enforcement.held_models import ROLES, HeldChange, kind_in_words
from governance.ledger.models import OutboxEvent
from governance.notifications import of_waivers
from governance.notifications.models import Kind, Notification
from governance.notifications.told import Told
from governance.people.models import HeldOrganisation, HeldPerson


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
    found = Delegation.objects.select_related("principal", "delegate").filter(pk=payload.get("delegation")).first()
    if found is not None:
        words = "You decide for {} no longer" if found.revoked_at else "You decide for {}"
        yield Told(found.delegate_id, Kind.DELEGATION, f"delegation:{found.pk}", words.format(found.principal))
        if found.revoked_at:  # the delegate, or an administrator, may have ended it
            title = f"{found.delegate} decides for you no longer"
            yield Told(found.principal_id, Kind.DELEGATION, f"delegation:{found.pk}", title)


def _held(payload: dict[str, Any]) -> Iterable[Told]:
    """Those who may confirm or refuse what an import left held, while something of it is."""
    waiting = HeldPerson.objects.count() + HeldOrganisation.objects.count()
    if not payload.get("held") or not waiting:
        return
    title = f"{waiting:,} held change{'s wait' if waiting > 1 else ' waits'} for a second person"
    able = accounts.with_right("confirm_held")
    known = Notification.objects.filter(subject="held:", title=title, read_at=None).values("user_id")
    for user_id in able.exclude(pk__in=known).values_list("pk", flat=True):
        yield Told(user_id, Kind.DECISION, "held:", title)


def _held_proposed(payload: dict[str, Any]) -> Iterable[Told]:
    """Those who may decide about a change of the catalog or of an account's roles, while it is held."""
    what, key = payload.get("what", ""), payload.get("id", "")
    if not HeldChange.objects.filter(what=what, key=key).exists():
        return
    able = accounts.with_right("confirm_held")
    if what == ROLES:
        able |= accounts.with_right("administer")
        able = able.exclude(username=key)
    title = f"A held change waits for a second person: {kind_in_words(what).lower()} {key}"[:300]
    for user_id in able.values_list("pk", flat=True):
        yield Told(user_id, Kind.DECISION, "held:", title)


def _held_decided(payload: dict[str, Any], words: str) -> Iterable[Told]:
    """Whoever proposed it, where that was an account."""
    proposer = User.objects.filter(username=payload.get("proposed_by"), is_active=True).first()
    if proposer is not None:
        yield Told(proposer.pk, Kind.OUTCOME, "held:", words.format(what=payload.get("what"), id=payload.get("id")))


def _messages_held(payload: dict[str, Any]) -> Iterable[Told]:
    """Whoever may release messages, of those that are held."""
    held = Announcement.objects.filter(pk=payload.get("announcement"), state=AnnouncementState.HELD)
    found = held.select_related("directive").first()
    if found is None:
        return
    title = f"Messages about {found.directive.reference} are held for you: release or stop them"
    able = User.objects.filter(is_active=True, groups__permissions__codename="release_messages").distinct()
    for user_id in able.values_list("pk", flat=True):
        yield Told(user_id, Kind.DECISION, found.subject, title)


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
    "people.imported": _held,
    "held_change.proposed": _held_proposed,
    "held_change.confirmed": lambda payload: _held_decided(payload, "Your change of {what} {id} was confirmed; it is in force"),
    "held_change.refused": lambda payload: _held_decided(payload, "Your change of {what} {id} was refused"),
    "announcement.begun": _messages_held,
    **of_waivers.TELL,
}  # fmt: skip
TOPICS = tuple(_TELL)

NOBODY: dict[str, str] = {
    "approval.withdrawn": "whoever asked took it back; lines that a decision waits are closed",
    "approval_policy.written": "its request for approval tells", "approval_policy.activated": "its approval tells",
    "exception.filed": "its approval tells", "exception.edited": "its approval tells", "exception.rejected": "its approval tells",
    "exception.withdrawn": "whoever filed it did it", "exception.waiting": "its approval tells",
    "exception.condition_added": "the person reads it before they accept", "exception.accepted": "the waiver that opens tells",
    "object_permission.given": "on the page of who can do what", "object_permission.taken": "on the page of who can do what",
    "announcement.released": "the messages tell whom they concern",
    **dict.fromkeys(
        ("announcement.chunk_done", "announcement.written", "announcement.finished", "announcement.stopped", "announcement.overtaken",
         "announcement.corrected", "announcement.bounced", "announcement.sent_again"),
        "on the page of the announcement",
    ),
    "catalog.loaded": "for gateways", "restrictions.changed": "for gateways", "run.finished": "on the page of the run",
}  # fmt: skip
"""Published for others, such as gateways: why nobody is told of it. Of a directive's own life (``directive.…``, ``run.…``) pages tell."""
_CLOSES = {
    **dict.fromkeys(("approval.approved", "approval.rejected", "approval.withdrawn", "approval.set_aside"), ("approval", "request")),
    **dict.fromkeys(
        ("announcement.released", "announcement.stopped", "announcement.overtaken"), ("announcement", "announcement")
    ),
    **dict.fromkeys(("exception.declined", "exception.taken_back", "exception.ask_filed"), ("exception-draft", "draft")),
    "break_glass.opened": ("break-glass", "break_glass"),
}  # fmt: skip
CLOSES = tuple(_CLOSES)
"""After these no decision waits any more: whoever was told that one does is not reminded of it by an unread line."""


def closed_by(event: OutboxEvent) -> str:
    """The subject of which no decision waits any more after the event; empty for any other event."""
    what, name = _CLOSES.get(event.topic, ("", ""))
    return f"{what}:{event.payload.get(name)}" if what else ""


def waits() -> Q:
    return Q(kind__in=[Kind.DECISION, Kind.REMINDER])
