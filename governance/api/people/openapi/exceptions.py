"""Exceptions: filed for one person or several, changed, withdrawn, their conditions accepted or declined."""

from __future__ import annotations

from typing import Any

from governance.api.people.openapi.parts import (
    COUNT,
    ID,
    TEXT,
    TIME,
    WINDOW,
    listed,
    many,
    of_one,
    operation,
    or_null,
    record,
    ref,
)
from governance.approvals.states import StageState
from governance.waivers.states import ExceptionState

_DIGEST = TEXT | {"description": "The `conditions_digest` of the exception as it was read."}
_TERMS: dict[str, Any] = {
    "days": {"type": "integer", "description": "At most what the policy allows for the highest tier among the items."},
    "reason": TEXT, "mitigation": TEXT, "licence": TEXT,
    "conditions": TEXT | {"maxLength": 1_000, "description": "For the person to accept before the waiver opens."},
}  # fmt: skip
_OPTIONAL = ("mitigation", "licence", "conditions")
_EXCEPTION: dict[str, Any] = {
    "id": ID, "directive": TEXT, "person": TEXT, "filer": TEXT, "items": many(ref("Item")), "days": ID,
    "state": {"enum": ExceptionState.values}, "close_reason": TEXT, "digest": TEXT, "licence": or_null(TEXT),
    "filed_at": TIME,
}  # fmt: skip
SCHEMAS: dict[str, Any] = {
    "Item": record("A model capability.", model=TEXT, capability=TEXT),
    "Exceptions": listed("exceptions", record(**_EXCEPTION)),
    "Filed": record(exceptions=many(record(**_EXCEPTION))),
    "Exception": record(
        **_EXCEPTION, reason=or_null(TEXT) | {"description": "Not for the person that it is about."}, mitigation=TEXT,
        conditions=many(TEXT), conditions_digest=or_null(TEXT), renews=or_null(ID), approval=or_null(ID),
        stages=many(record(name=TEXT, state={"enum": StageState.values})),
        waiver=or_null(record(id=ID, starts_at=TIME, ends_at=TIME, ended_at=or_null(TIME))),
    ),
    "Edited": record(
        void=COUNT | {"description": "How many decisions the edit made void."}, exception=ref("Exception")
    ),
    "Filing": record(optional=_OPTIONAL, directive=TEXT, person=TEXT, items=many(ref("Item")), **_TERMS),
    "FilingForSeveral": record(
        optional=_OPTIONAL, directive=TEXT, people=many(record(person=TEXT, items=many(ref("Item")))), **_TERMS
    ),
    "Terms": record(optional=_OPTIONAL, items=many(ref("Item")), **_TERMS),
    "Accepting": record(conditions_digest=_DIGEST),
    "Declining": record(optional=("words",), conditions_digest=_DIGEST, words=TEXT | {"maxLength": 300}),
}  # fmt: skip
PATHS: dict[str, Any] = {
    "/api/v1/exceptions": {
        "get": operation("exceptions", "Exceptions that the account may see, newest first", "Exceptions", parameters=WINDOW),
        "post": operation("file_exception", "File an exception for one person", "Exception", status="201", sent="Filing"),
    },
    "/api/v1/exceptions/several": {
        "post": operation(
            "file_exceptions", "File one for each of several people, all or none", "Filed", status="201", sent="FilingForSeveral"
        ),
    },
    "/api/v1/exceptions/{id}": of_one(
        "id",
        get=operation("exception", "One exception", "Exception"),
        put=operation("edit_exception", "Change an open one; decisions so far become void", "Edited", sent="Terms"),
    ),
    "/api/v1/exceptions/{id}/withdraw": of_one("id", post=operation("withdraw_exception", "Take an exception back", "Exception")),
    "/api/v1/exceptions/{id}/accept": of_one(
        "id", post=operation("accept_conditions", "Accept the conditions: the waiver opens", "Exception", sent="Accepting")
    ),
    "/api/v1/exceptions/{id}/decline": of_one(
        "id", post=operation("decline_conditions", "Decline the conditions: nothing opens", "Exception", sent="Declining")
    ),
}  # fmt: skip
