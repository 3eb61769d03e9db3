"""Approvals, and what every refusal looks like."""

from __future__ import annotations

from typing import Any

from governance.api.people.openapi.parts import (
    ID,
    TEXT,
    TIME,
    WINDOW,
    YES,
    listed,
    many,
    of_one,
    operation,
    or_null,
    record,
    ref,
)
from governance.approvals.models import CommentKind, Verdict
from governance.approvals.states import RequestState, StageState

_REFUSALS = (
    "closed", "inactive", "requester", "conflict", "delegate_of_party", "administers", "same_hands", "decided",
    "not_their_turn", "not_eligible", "content_changed",
)  # fmt: skip
_SUMMARY: dict[str, Any] = {
    "id": ID, "kind": TEXT, "subject": TEXT, "summary": TEXT, "state": {"enum": RequestState.values},
    "revision": ID, "content_digest": TEXT | {"description": "What is asked about. A decision names it."},
    "requester": TEXT, "opened_at": TIME,
}  # fmt: skip
SCHEMAS: dict[str, Any] = {
    "Inbox": listed("approvals", record(**_SUMMARY, stage=TEXT, due_at=or_null(TIME))),
    "Approval": record(
        **_SUMMARY, reason=TEXT, closed_at=or_null(TIME),
        stages=many(
            record(
                id=ID, name=TEXT, position=ID, revision=ID, state={"enum": StageState.values}, quorum=ID,
                due_at=or_null(TIME), escalated_at=or_null(TIME),
            )
        ),
        votes=many(
            record(
                by=TEXT, for_=or_null(TEXT), stage=ID, revision=ID, verdict={"enum": Verdict.values},
                comment=TEXT, at=TIME,
            )
        ),
        comments=many(ref("Comment")),
        standing=record(
            "How the account stands to the request now.", may_decide=YES, stage=or_null(ID),
            for_=or_null(TEXT), refusal=or_null(record(code={"enum": list(_REFUSALS)}, text=TEXT)),
        ),
    ),
    "Vote": record(
        optional=("comment", "condition"), verdict={"enum": Verdict.values}, comment=TEXT | {"maxLength": 2_000},
        content_digest=TEXT | {"description": "That of the request as it was read. 409 if it is another by now."},
        condition=TEXT | {"description": "Of an exception: what the person has to keep to, beside what is asked."},
    ),
    "Comment": record(by=TEXT, kind={"enum": CommentKind.values}, text=TEXT, at=TIME),
    "Remark": record(
        optional=("kind",), kind={"enum": CommentKind.values, "default": "comment"}, text=TEXT | {"minLength": 1, "maxLength": 2_000},
    ),
    "HandOver": record(stage=ID, to=TEXT | {"description": "The name of an account."}, reason=TEXT),
    "Refusal": {
        "type": "object",
        "description": "RFC 9457. `code` names the rule that refused, `errors` the fields. A decision on what has changed since it "
        "was read is told what is asked for `now` and which parts `changed`, where that is known.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": TEXT, "title": TEXT, "status": {"type": "integer"}, "detail": TEXT, "code": {"enum": list(_REFUSALS)},
            "errors": many(record(field=TEXT, message=TEXT)),
            "now": record(summary=TEXT, revision=ID, content_digest=TEXT),
            "changed": or_null(
                many({"enum": ["items", "days", "reason", "mitigation", "conditions", "licence", "attachments"]})
            ),
        },
    },
}  # fmt: skip
PATHS: dict[str, Any] = {
    "/api/v1/approvals": {"get": operation("inbox", "What waits for the account, oldest first", "Inbox", parameters=WINDOW)},
    "/api/v1/approvals/{id}": of_one("id", get=operation("approval", "One request for approval", "Approval")),
    "/api/v1/approvals/{id}/votes": of_one(
        "id", post=operation("decide", "Decide a request", "Approval", status="201", sent="Vote")
    ),
    "/api/v1/approvals/{id}/comments": of_one(
        "id", post=operation("comment", "Comment, ask back, answer", "Comment", status="201", sent="Remark")
    ),
    "/api/v1/approvals/{id}/withdraw": of_one(
        "id", post=operation("withdraw_request", "Take a request of one's own back", "Approval")
    ),
    "/api/v1/approvals/{id}/hand-over": of_one(
        "id", post=operation("hand_over", "Name somebody who may decide a stage", "Approval", sent="HandOver")
    ),
}  # fmt: skip
