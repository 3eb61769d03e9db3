"""The part of the OpenAPI description that is about approvals and exceptions. Tests hold it against the running product."""

from __future__ import annotations

from typing import Any

from governance.accounts.models import Reach
from governance.approvals.models import CommentKind, Verdict
from governance.approvals.states import RequestState, StageState
from governance.waivers.states import ExceptionState

_TEXT: dict[str, Any] = {"type": "string"}
_ID: dict[str, Any] = {"type": "integer", "minimum": 1}
_TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
_REFUSALS = (
    "closed", "inactive", "requester", "conflict", "delegate_of_party", "administers", "same_hands", "decided",
    "not_their_turn", "not_eligible", "content_changed",
)  # fmt: skip


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(about: str = "", *, optional: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    required = [name.rstrip("_") for name in properties if name not in optional]
    named = {name.rstrip("_"): schema for name, schema in properties.items()}
    return {"type": "object", "required": required, "properties": named} | ({"description": about} if about else {})


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


_ITEM = _object("A model capability.", model=_TEXT, capability=_TEXT)
_SUMMARY: dict[str, Any] = {
    "id": _ID, "kind": _TEXT, "subject": _TEXT, "summary": _TEXT, "state": {"enum": RequestState.values},
    "revision": _ID, "content_digest": _TEXT | {"description": "What is asked about. A decision names it."},
    "requester": _TEXT, "opened_at": _TIME,
}  # fmt: skip
_EXCEPTION: dict[str, Any] = {
    "id": _ID, "directive": _TEXT, "person": _TEXT, "filer": _TEXT, "items": _list(_ITEM), "days": _ID,
    "state": {"enum": ExceptionState.values}, "close_reason": _TEXT, "digest": _TEXT, "licence": _or_null(_TEXT),
    "filed_at": _TIME,
}  # fmt: skip
_COMMENT: dict[str, Any] = {"by": _TEXT, "kind": {"enum": CommentKind.values}, "text": _TEXT, "at": _TIME}
SCHEMAS: dict[str, Any] = {
    "Inbox": _object(
        approvals=_list(_object(**_SUMMARY, stage=_TEXT, due_at=_or_null(_TIME))),
        next=_or_null(_ID) | {"description": "The `after` of the page that follows."},
    ),
    "Approval": _object(
        **_SUMMARY, reason=_TEXT, closed_at=_or_null(_TIME),
        stages=_list(
            _object(
                id=_ID, name=_TEXT, position=_ID, revision=_ID, state={"enum": StageState.values}, quorum=_ID,
                due_at=_or_null(_TIME), escalated_at=_or_null(_TIME),
            )
        ),
        votes=_list(
            _object(
                by=_TEXT, for_=_or_null(_TEXT), stage=_ID, revision=_ID, verdict={"enum": Verdict.values},
                comment=_TEXT, at=_TIME,
            )
        ),
        comments=_list(_ref("Comment")),
        standing=_object(
            "How the account stands to the request now.", may_decide={"type": "boolean"}, stage=_or_null(_ID),
            for_=_or_null(_TEXT), refusal=_or_null(_object(code={"enum": list(_REFUSALS)}, text=_TEXT)),
        ),
    ),
    "Vote": _object(
        optional=("comment",), verdict={"enum": Verdict.values}, comment=_TEXT | {"maxLength": 2_000},
        content_digest=_TEXT | {"description": "That of the request as it was read."},
    ),
    "Comment": _object(**_COMMENT),
    "Remark": _object(
        optional=("kind",), kind={"enum": CommentKind.values, "default": "comment"}, text=_TEXT | {"minLength": 1, "maxLength": 2_000},
    ),
    "Exceptions": _object(exceptions=_list(_object(**_EXCEPTION)), next=_or_null(_ID)),
    "Exception": _object(
        **_EXCEPTION, reason=_TEXT, mitigation=_TEXT, approval=_or_null(_ID),
        stages=_list(_object(name=_TEXT, state={"enum": StageState.values})),
        waiver=_or_null(_object(id=_ID, starts_at=_TIME, ends_at=_TIME, ended_at=_or_null(_TIME))),
    ),
    "Filing": _object(
        optional=("mitigation", "licence"), directive=_TEXT, person=_TEXT, items=_list(_ITEM),
        days={"type": "integer"}, reason=_TEXT, mitigation=_TEXT, licence=_TEXT,
    ),
    "Refusal": {
        "type": "object",
        "description": "RFC 9457. `code` names the rule that refused, `errors` the fields.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": _TEXT, "title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT, "code": {"enum": list(_REFUSALS)},
            "errors": _list(_object(field=_TEXT, message=_TEXT)),
        },
    },
}  # fmt: skip
SECURITY_SCHEMES = {
    "personal": {
        "type": "http", "scheme": "bearer",
        "description": f"A personal token (`pcp_…`). To change something it needs the reach `{Reach.ACT}`.",
    },
}  # fmt: skip
_PROBLEMS = {
    "400": "Malformed, or the wrong content type.",
    "401": "No personal token, or one that has ended. In a browser a session serves, with X-CSRFToken where something changes.",
    "403": "The account may not do this, or the token reads only.",
    "404": "It does not exist, or the account may not see it.",
    "409": "It is not in a state that allows this any more.",
    "413": "Too large.",
    "422": "Not acceptable; `errors` names the fields.",
}
_WINDOW = [
    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100}},
    {"name": "after", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}},
]


def _operation(
    name: str, summary: str, answer: str, *, status: str = "200", sent: str = "", parameters: Any = ()
) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": _ref("Refusal")}}
    made = {
        "summary": summary,
        "operationId": name,
        "security": [{"personal": []}],
        "responses": {status: {"description": "Done.", "content": {"application/json": {"schema": _ref(answer)}}}}
        | {code: {"description": about, "content": problem} for code, about in _PROBLEMS.items()},
    }
    if parameters:
        made["parameters"] = list(parameters)
    if sent:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(sent)}}}
    return made


def _of_one(name: str, **operations: Any) -> dict[str, Any]:
    parameter = {
        "name": name, "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
    }  # fmt: skip
    return {"parameters": [parameter], **operations}


PATHS: dict[str, Any] = {
    "/api/v1/approvals": {"get": _operation("inbox", "What waits for the account, oldest first", "Inbox", parameters=_WINDOW)},
    "/api/v1/approvals/{id}": _of_one("id", get=_operation("approval", "One request for approval", "Approval")),
    "/api/v1/approvals/{id}/votes": _of_one(
        "id", post=_operation("decide", "Decide a request", "Approval", status="201", sent="Vote")
    ),
    "/api/v1/approvals/{id}/comments": _of_one(
        "id", post=_operation("comment", "Comment, ask back, answer", "Comment", status="201", sent="Remark")
    ),
    "/api/v1/exceptions": {
        "get": _operation("exceptions", "Exceptions that the account may see, newest first", "Exceptions", parameters=_WINDOW),
        "post": _operation("file_exception", "File an exception for a report", "Exception", status="201", sent="Filing"),
    },
    "/api/v1/exceptions/{id}": _of_one("id", get=_operation("exception", "One exception", "Exception")),
    "/api/v1/exceptions/{id}/withdraw": _of_one(
        "id", post=_operation("withdraw_exception", "Take an exception back", "Exception")
    ),
}  # fmt: skip
