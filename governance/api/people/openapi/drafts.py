"""Drafts, and what people ask to be filed for themselves."""

from __future__ import annotations

from typing import Any

from governance.api.people.openapi.parts import (
    ID,
    KEY,
    LIMIT,
    TEXT,
    TIME,
    after_key,
    listed,
    many,
    of_one,
    operation,
    or_null,
    record,
    ref,
)
from governance.waivers.states import DraftState

_WORDS: dict[str, Any] = {name: TEXT for name in ("reason", "mitigation", "conditions", "licence")}
SCHEMAS: dict[str, Any] = {
    "Draft": record(
        key=KEY, directive=TEXT, people=many(record(person=TEXT, items=many(ref("Item")))), days=TEXT, **_WORDS,
        attachments=many(TEXT), author=or_null(TEXT), asked_by=or_null(TEXT), asked_for=TEXT, created_at=TIME,
        changed_at=TIME,
    ),
    "Drafts": listed("drafts", ref("Draft"), KEY),
    "DraftSent": record(
        "Kept as it is; it is judged when it is filed.", optional=("days", *_WORDS), directive=TEXT,
        people=many(record(optional=("items",), person=TEXT, items=many(ref("Item")))),
        days={"type": ["integer", "string"]}, **_WORDS,
    ),
    "Answer": record(answer=TEXT | {"minLength": 1, "maxLength": 300}),
    "Ask": record(
        key=KEY, directive=TEXT, words=TEXT, state={"enum": DraftState.values}, answer=TEXT, exception=or_null(ID),
        created_at=TIME,
    ),
    "Asks": record(asks=many(ref("Ask"))),
    "Asking": record(directive=TEXT, words=TEXT | {"minLength": 1, "maxLength": 2_000}),
}  # fmt: skip
PATHS: dict[str, Any] = {
    "/api/v1/drafts": {
        "get": operation("drafts", "Drafts that the account may go on with", "Drafts", parameters=after_key(KEY)),
        "post": operation("create_draft", "Keep a draft", "Draft", status="201", sent="DraftSent"),
    },
    "/api/v1/drafts/{key}": of_one(
        "key",
        get=operation("draft", "One draft", "Draft"),
        put=operation("keep_draft", "Keep it under that key, whether there was one or not", "Draft", sent="DraftSent"),
        delete=operation("discard_draft", "Throw a draft of one's own away", ""),
    ),
    "/api/v1/drafts/{key}/file": of_one(
        "key", post=operation("file_draft", "File it, for everybody in it or nobody", "Filed", status="201")
    ),
    "/api/v1/drafts/{key}/decline": of_one(
        "key", post=operation("decline_draft", "Do not file what somebody asked for", "", sent="Answer")
    ),
    "/api/v1/asks": {
        "get": operation("asks", "What one asked to be filed for oneself", "Asks", parameters=LIMIT),
        "post": operation("ask", "Ask that an exception be filed for oneself", "Ask", status="201", sent="Asking"),
    },
    "/api/v1/asks/{key}/take-back": of_one("key", post=operation("take_back", "Take it back", "Ask")),
}  # fmt: skip
