"""Approvals: what waits for the account, one request, deciding it, talking about it."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from governance.accounts import queries as accounts
from governance.api.people.access import Call, at, body, window, words
from governance.api.problems import Problem
from governance.approvals import queries
from governance.approvals import services as approvals
from governance.approvals.models import CommentKind, Request
from governance.enforcement.services import deciding
from governance.errors import Invalid, NotFound, WrongState
from governance.waivers.queries import changed_since

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
            _summary(asked) | {"stage": asked.stage_name, "due_at": at(asked.due_at)}  # type: ignore[attr-defined]
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
        "closed_at": at(asked.closed_at),
        "stages": [
            {
                "id": stage.pk, "name": stage.name, "position": stage.position, "revision": stage.revision,
                "state": stage.state, "quorum": stage.quorum, "due_at": at(stage.due_at),
                "escalated_at": at(stage.escalated_at),
            }
            for stage in asked.stages.all()
        ],
        "votes": [
            {
                "by": vote.approver.username, "for": vote.on_behalf_of.username if vote.on_behalf_of else None,
                "stage": vote.stage_id, "revision": vote.revision, "verdict": vote.verdict, "comment": vote.comment,
                "at": at(vote.at),
            }
            for vote in asked.votes.select_related("approver", "on_behalf_of")
        ],
        "comments": [
            {"by": said.author.username, "kind": said.kind, "text": said.text, "at": at(said.at)}
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
    """One decision, on the content digest that was read; where it is another by now, the answer says what changed."""
    sent = body(request)
    asked, seen = _find(request, request_id), words(sent, "content_digest")
    try:
        deciding.decide(
            actor=request.actor,
            request_id=asked.pk,
            verdict=words(sent, "verdict"),
            comment=words(sent, "comment", default=""),
            seen=seen,
            condition=words(sent, "condition", default=""),
        )
    except WrongState as refused:
        if refused.code != "content_changed":
            raise
        asked.refresh_from_db()
        raise Problem(409, refused.reason, more={"code": refused.code} | _changed(asked, seen)) from None
    return detail(request, request_id), 201, {}


def _changed(asked: Request, seen: str) -> dict[str, Any]:
    """What the request says now, and which parts of it were changed since it was read, where that is known."""
    sort, _, name = asked.subject.partition(":")
    return {
        "now": {name: value for name, value in _summary(asked).items() if name in _NOW},
        "changed": changed_since(int(name), seen) if sort == "exception" else None,
    }


_NOW = ("summary", "revision", "content_digest")


def withdraw(request: Call, request_id: int) -> Any:
    """The requester takes the request back, and with it what was asked for."""
    deciding.withdraw(actor=request.actor, request_id=_find(request, request_id).pk)
    return detail(request, request_id)


def hand_over(request: Call, request_id: int) -> Any:
    """A lead names somebody who may decide a stage, whatever their role."""
    sent = body(request)
    asked = _find(request, request_id)
    request.actor.require("hand_over_approvals")  # before it is told which accounts there are
    to = accounts.find_user(words(sent, "to", limit=200))
    stage = sent.get("stage")
    if to is None:
        raise Invalid("Nobody was named.", [("to", "must be the name of an account")])
    if not isinstance(stage, int) or isinstance(stage, bool):
        raise Invalid("The request is not acceptable.", [("stage", "must be the id of a stage")])
    approvals.hand_over(actor=request.actor, request=asked, stage_id=stage, to=to, reason=words(sent, "reason"))
    return detail(request, request_id)


def comment(request: Call, request_id: int) -> Any:
    """A remark, a question to the requester, or the requester's answer."""
    sent = body(request)
    kind = words(sent, "kind", default=CommentKind.COMMENT)
    if kind not in CommentKind.values:
        raise Invalid("The request is not acceptable.", [("kind", f"must be one of {', '.join(CommentKind.values)}")])
    said = _TALK[CommentKind(kind)](actor=request.actor, request=_find(request, request_id), words=words(sent, "text"))
    return {"by": request.user.username, "kind": said.kind, "text": said.text, "at": at(said.at)}, 201, {}


def _find(request: Call, request_id: int) -> Request:
    found = queries.visible_to(request.user).filter(pk=request_id).first()
    if found is None:
        raise NotFound(f"There is no request {request_id} that you may see.")
    return found


def _summary(asked: Request) -> dict[str, Any]:
    return {
        "id": asked.pk, "kind": asked.kind, "subject": asked.subject, "summary": asked.summary, "state": asked.state,
        "revision": asked.revision, "content_digest": asked.content_digest, "requester": asked.requester.username,
        "opened_at": at(asked.opened_at),
    }  # fmt: skip
