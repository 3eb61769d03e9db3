"""Approvals: what waits for the account, one request, deciding it, talking about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q

from governance.api.people.access import Call, body, window, words
from governance.approvals import queries
from governance.approvals import services as approvals
from governance.approvals.models import CommentKind, Request
from governance.enforcement.services import deciding
from governance.errors import Invalid, NotFound

_TALK = {
    CommentKind.COMMENT: approvals.comment,
    CommentKind.QUESTION: approvals.ask_back,
    CommentKind.ANSWER: approvals.answer,
}


def inbox(request: Call) -> dict[str, Any]:
    """Open requests that the account could decide now, oldest first."""
    limit, after = window(request)
    waiting = queries.inbox(request.user)
    last = Request.objects.filter(pk=after).values_list("opened_at", flat=True).first() if after else None
    if last is not None:
        waiting = waiting.filter(Q(opened_at__gt=last) | Q(opened_at=last, pk__gt=after))
    rows = list(waiting[: limit + 1])
    shown = rows[:limit]
    return {
        "approvals": [
            _summary(asked) | {"stage": asked.stage_name, "due_at": _at(asked.due_at)}  # type: ignore[attr-defined]
            for asked in shown
        ],
        "next": shown[-1].pk if len(rows) > limit else None,
    }


def detail(request: Call, request_id: int) -> dict[str, Any]:
    """One request: its stages, decisions and comments, and how the account stands to it."""
    asked = _find(request, request_id)
    standing = deciding.standing(request.actor, asked)
    return _summary(asked) | {
        "reason": asked.reason,
        "closed_at": _at(asked.closed_at),
        "stages": [
            {
                "id": stage.pk, "name": stage.name, "position": stage.position, "revision": stage.revision,
                "state": stage.state, "quorum": stage.quorum, "due_at": _at(stage.due_at),
                "escalated_at": _at(stage.escalated_at),
            }
            for stage in asked.stages.all()
        ],
        "votes": [
            {
                "by": vote.approver.username, "for": vote.on_behalf_of.username if vote.on_behalf_of else None,
                "stage": vote.stage_id, "revision": vote.revision, "verdict": vote.verdict, "comment": vote.comment,
                "at": _at(vote.at),
            }
            for vote in asked.votes.select_related("approver", "on_behalf_of")
        ],
        "comments": [
            {"by": said.author.username, "kind": said.kind, "text": said.text, "at": _at(said.at)}
            for said in asked.comments.select_related("author")
        ],
        "standing": {
            "may_decide": standing.refusal is None,
            "stage": standing.stage.pk if standing.stage else None,
            "for": standing.on_behalf_of.username if standing.on_behalf_of else None,
            "refusal": {"code": standing.refusal.code, "text": standing.refusal.text} if standing.refusal else None,
        },
    }  # fmt: skip


def vote(request: Call, request_id: int) -> Any:
    """One decision, on the content digest that was read."""
    sent = body(request)
    deciding.decide(
        actor=request.actor,
        request_id=_find(request, request_id).pk,
        verdict=words(sent, "verdict"),
        comment=words(sent, "comment", default=""),
        seen=words(sent, "content_digest"),
    )
    return detail(request, request_id), 201, {}


def comment(request: Call, request_id: int) -> Any:
    """A remark, a question to the requester, or the requester's answer."""
    sent = body(request)
    kind = words(sent, "kind", default=CommentKind.COMMENT)
    if kind not in CommentKind.values:
        raise Invalid("The request is not acceptable.", [("kind", f"must be one of {', '.join(CommentKind.values)}")])
    said = _TALK[CommentKind(kind)](actor=request.actor, request=_find(request, request_id), words=words(sent, "text"))
    return {"by": request.user.username, "kind": said.kind, "text": said.text, "at": _at(said.at)}, 201, {}


def _find(request: Call, request_id: int) -> Request:
    found = queries.visible_to(request.user).filter(pk=request_id).first()
    if found is None:
        raise NotFound(f"There is no request {request_id} that you may see.")
    return found


def _summary(asked: Request) -> dict[str, Any]:
    return {
        "id": asked.pk, "kind": asked.kind, "subject": asked.subject, "summary": asked.summary, "state": asked.state,
        "revision": asked.revision, "content_digest": asked.content_digest, "requester": asked.requester.username,
        "opened_at": _at(asked.opened_at),
    }  # fmt: skip


def _at(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
